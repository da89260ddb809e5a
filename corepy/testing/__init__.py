"""For tests of plugins and Corefiles: time that stands still, queries without a socket."""

from corepy.testing.clock import FakeClock
from corepy.testing.messages import make_query, message

__all__ = ["FakeClock", "make_query", "message"]
