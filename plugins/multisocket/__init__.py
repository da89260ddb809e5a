"""multisocket - serves with several processes, which use several processor cores."""

from corepy.plugins.multisocket.multisocket import MultiSocket

__all__ = ["MultiSocket"]
