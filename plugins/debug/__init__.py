"""debug - writes debug lines to standard output."""

from corepy.plugins.debug.debug import Debug

__all__ = ["Debug"]
