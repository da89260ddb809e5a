"""cache - keeps replies and answers from them until their time is over."""

from corepy.plugins.cache.cache import Cache

__all__ = ["Cache"]
