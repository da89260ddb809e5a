"""tsig - checks signed queries, and signs the replies to them."""

from corepy.plugins.tsig.tsig import Tsig

__all__ = ["Tsig"]
