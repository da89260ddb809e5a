"""cancel - gives up on queries that take too long."""

from corepy.plugins.cancel.cancel import Cancel

__all__ = ["Cancel"]
