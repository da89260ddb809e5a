"""Tests of Corefiles and plugins: a server in one call, fake upstreams, time that stands still, PROXY headers.

`serve` and `expect` are for who tests a Corefile (docs/testing.md; the fixtures are in `pytest_plugin`); a clock,
queries, `Running` and `FakeUpstreams` for who writes a plugin. Each is imported when it is first asked for, since
pytest imports this package in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepy.testing.answer import Answer
    from corepy.testing.client import Client, ask
    from corepy.testing.clock import FakeClock
    from corepy.testing.expectation import Expectation, expect
    from corepy.testing.loopback import LoopbackUpstream, Upstreams
    from corepy.testing.messages import make_query, message
    from corepy.testing.running import Running
    from corepy.testing.served import Served, Unsupported
    from corepy.testing.session import Session
    from corepy.testing.start import serve
    from corepy.testing.time import TestClock
    from corepy.testing.upstream import FakeUpstream, FakeUpstreams

_PLACES = {
    "Answer": "answer", "Client": "client", "ask": "client", "FakeClock": "clock", "Expectation": "expectation",
    "expect": "expectation", "LoopbackUpstream": "loopback", "Upstreams": "loopback", "make_query": "messages",
    "message": "messages", "Running": "running", "serve": "start", "Served": "served", "Unsupported": "served",
    "Session": "session", "TestClock": "time", "FakeUpstream": "upstream", "FakeUpstreams": "upstream",
}  # fmt: skip
"""Which module has what: no module is called as a thing of another, which importing it would hide."""


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "Answer", "Client", "Expectation", "FakeClock", "FakeUpstream", "FakeUpstreams", "LoopbackUpstream", "Running",
    "Served", "Session", "TestClock", "Unsupported", "Upstreams", "ask", "expect", "make_query", "message", "serve",
]  # fmt: skip
