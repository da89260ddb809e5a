"""minimal - leaves out of answers what clients can do without."""

from corepy.plugins.minimal.minimal import Minimal

__all__ = ["Minimal"]
