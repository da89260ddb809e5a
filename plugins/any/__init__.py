"""any - answers queries of type ANY with one small record."""

from corepy.plugins.any.any import Any

__all__ = ["Any"]
