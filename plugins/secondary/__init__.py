"""secondary - answers from zones that are fetched from their primaries."""

from corepy.plugins.secondary.secondary import Secondary, Source

__all__ = ["Secondary", "Source"]
