"""log - writes a line for each query to standard output."""

from corepy.plugins.log.log import QueryLog

__all__ = ["QueryLog"]
