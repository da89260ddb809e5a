"""A cache between clients and an upstream, for its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corepy import wire as w
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.log import Log
from corepy.plugins.cache import Cache
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import FakeClock, make_query

ROOT = (b"\0",)
ZONE = (w.encode_name("example.org"),)
SOA = "example.org. 600 IN SOA ns.example.org. root.example.org. 1 7200 3600 1209600 60"
WWW = "www.example.org. 300 IN A 192.0.2.1"


def parse(text: str) -> Cache:
    lines = directives(text)
    for line in lines:
        line.zones = ROOT
    [plugin] = Cache.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


class Upstream:
    """The plugin behind: it hears queries and says what it was told to, for each name; `hold` makes it slow."""

    def __init__(self) -> None:
        self.heard: list[Query] = []
        self.says: Callable[[Query], Reply] = lambda query: answer(query, WWW)
        self.hold = False
        self.held: list[tuple[Query, Deferred]] = []
        self.error: Exception | None = None

    def serve(self, query: Query) -> Outcome:
        self.heard.append(query)
        if self.hold:
            self.held.append((query, Deferred()))
            return self.held[-1][1]
        if self.error is not None:
            raise self.error
        return self.says(query)

    def release(self, result: Exception | None = None) -> None:
        """Answer what was held."""
        for query, deferred in self.held:
            deferred.settle(result or self.says(query))
        self.held.clear()

    def count(self) -> int:
        """Queries since the last look."""
        heard = len(self.heard)
        self.heard.clear()
        return heard


def answer(query: Query, *records: str, flags: int = w.RA, **more: Any) -> Reply:
    reply = Reply.answer(query, *records, authoritative=False, **more)
    wire = reply.wire
    return Reply(wire[:2] + (reply.flags | flags).to_bytes(2, "big") + wire[4:])


class Bench:
    """A cache between clients and an upstream, on a clock that stands still."""

    def __init__(self, text: str = "cache") -> None:
        self.clock, self.upstream = FakeClock(), Upstream()
        self.cache = parse(text)
        self.cache.clock, self.cache.next, self.cache.log = self.clock, self.upstream.serve, Log("plugin/cache: ")

    def ask(self, name: str = "www.example.org", qtype: str = "A", **how: Any) -> Reply:
        outcome = self.cache.serve(make_query(name, qtype, **how))
        assert isinstance(outcome, Reply)
        return outcome

    def wait(self, name: str = "www.example.org") -> Deferred:
        outcome = self.cache.serve(make_query(name))
        assert isinstance(outcome, Deferred)
        return outcome

    def says(self, *records: str, **more: Any) -> None:
        self.upstream.says = lambda query: answer(query, *records, **more)


def ttls(reply: Reply) -> list[int]:
    return [record.ttl for record in w.records(reply.wire)]
