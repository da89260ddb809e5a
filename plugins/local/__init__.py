"""local - answers for localhost and the addresses of the own host and network."""

from corepy.plugins.local.local import Local

__all__ = ["Local"]
