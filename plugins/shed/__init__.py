"""shed - drops queries while a UDP socket cannot send its replies."""

from corepy.plugins.shed.shed import Shed

__all__ = ["Shed"]
