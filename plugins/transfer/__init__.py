"""transfer - hands zones out to other servers, and notifies them."""

from corepy.plugins.transfer.transfer import Rule, Transfer

__all__ = ["Rule", "Transfer"]
