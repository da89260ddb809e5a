"""header - sets and clears flags of queries and replies."""

from corepy.plugins.header.header import Header

__all__ = ["Header"]
