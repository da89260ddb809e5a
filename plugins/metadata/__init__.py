"""metadata - lets plugins tell each other, and the log, what they know about a query."""

from corepy.plugins.metadata.metadata import Metadata

__all__ = ["Metadata"]
