"""view - lets a server block take only queries for which expressions are true."""

from corepy.plugins.view.view import View

__all__ = ["View"]
