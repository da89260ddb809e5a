"""rrl - response rate limiting: answers that a forger asks for in another's name become few."""

from corepy.plugins.rrl.rrl import Rrl

__all__ = ["Rrl"]
