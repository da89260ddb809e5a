"""For tests of plugins and Corefiles: a clock that stands still, queries, a real server, its client, fake upstreams."""

from corepy.testing.client import Client, ask
from corepy.testing.clock import FakeClock
from corepy.testing.messages import make_query, message
from corepy.testing.running import Running
from corepy.testing.upstream import FakeUpstream, FakeUpstreams

__all__ = ["Client", "FakeClock", "FakeUpstream", "FakeUpstreams", "Running", "ask", "make_query", "message"]
