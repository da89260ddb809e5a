"""dns64 - makes IPv6 addresses of IPv4 addresses, for clients behind a NAT64."""

from corepy.plugins.dns64.dns64 import Dns64

__all__ = ["Dns64"]
