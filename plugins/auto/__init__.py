"""auto - answers from all zone files of a directory."""

from corepy.plugins.auto.auto import Auto

__all__ = ["Auto"]
