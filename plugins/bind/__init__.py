"""bind - listens on some of the machine's addresses instead of all."""

from corepy.plugins.bind.bind import Bind

__all__ = ["Bind"]
