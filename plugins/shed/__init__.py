"""shed - drops queries while a UDP socket is behind with its work."""

from corepy.plugins.shed.shed import Shed

__all__ = ["Shed"]
