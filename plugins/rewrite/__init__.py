"""rewrite - changes queries on their way in, and replies on their way back."""

from corepy.plugins.rewrite.rewrite import Rewrite

__all__ = ["Rewrite"]
