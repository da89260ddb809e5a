"""For tests of plugins and Corefiles: time that stands still, queries without a socket, a real server, its client."""

from corepy.testing.client import Client, ask
from corepy.testing.clock import FakeClock
from corepy.testing.messages import make_query, message
from corepy.testing.running import Running

__all__ = ["Client", "FakeClock", "Running", "ask", "make_query", "message"]
