"""hosts - answers from a hosts file, and from entries in the Corefile."""

from corepy.plugins.hosts.hosts import Hosts

__all__ = ["Hosts"]
