"""errors - logs what went wrong with queries, one by one or counted."""

from corepy.plugins.errors.errors import Errors

__all__ = ["Errors"]
