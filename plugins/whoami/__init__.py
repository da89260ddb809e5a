"""whoami - answers with the client's address, port and transport."""

from corepy.plugins.whoami.whoami import Whoami

__all__ = ["Whoami"]
