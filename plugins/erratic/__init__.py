"""erratic - answers with delays, truncated or not at all, for tests of clients."""

from corepy.plugins.erratic.erratic import Erratic

__all__ = ["Erratic"]
