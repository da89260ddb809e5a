"""nsid - tells clients that ask for it which server has answered."""

from corepy.plugins.nsid.nsid import Nsid

__all__ = ["Nsid"]
