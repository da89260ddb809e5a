"""chaos - tells version, authors and name of the server to queries of class CH."""

from corepy.plugins.chaos.chaos import Chaos

__all__ = ["Chaos"]
