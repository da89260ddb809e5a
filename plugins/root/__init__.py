"""root - says where relative paths begin."""

from corepy.plugins.root.root import Root

__all__ = ["Root"]
