"""The steps of a query's way, each on its own: what `query_path` puts together.

All in this process and thread, in CPU time. A Corefile is built and started as the server does it; upstreams answer at
once, unless it is they that are measured.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from bench.echo import answered, echo
from corepy import corefile, datagram, registry, site, upstream
from corepy.address import Address
from corepy.clock import SYSTEM, Clock
from corepy.deferred import Deferred
from corepy.endpoint import Endpoint
from corepy.errors import Failure
from corepy.listener import Listener
from corepy.plugin import Plugin, Serve
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing.messages import message
from corepy.upstream import Ask, Options, Target, Upstream, Waiter

T = TypeVar("T")
REPEAT: Final = 5
ENDPOINT: Final = Endpoint("udp", "dns://:53")
PEER: Final = Address.of("127.0.0.1", 4242).to_sockaddr()
LOCAL: Final = b"\x7f\0\0\1"
_BATCH: Final = 64
"""Datagrams at a time: what the server reads in one system call while it is busy."""
_WINDOW: Final = 100
"""Questions on their way to an upstream at a time."""


def cost(step: Callable[[T], object], inputs: Callable[[], Sequence[T]]) -> float:
    """Microseconds of CPU a call of `step`: the best of a few rounds, each with fresh inputs; the loop not counted."""
    best = float("inf")
    for _ in range(REPEAT):
        items = inputs()
        begun = time.thread_time()
        for _item in items:
            pass
        empty = time.thread_time() - begun
        begun = time.thread_time()
        for item in items:
            step(item)
        best = min(best, (time.thread_time() - begun - empty) / len(items))
    return best * 1e6


async def cost_in_loop(serve: Serve) -> float:
    """Microseconds of CPU a query, whatever `serve` returns: as the server treats it, in rounds of the event loop."""
    answer = Listener([(b"\0", serve)], timeouts=site.Timeouts()).answer
    one, best = query("www.example.org"), float("inf")
    for _ in range(REPEAT * 20):
        begun = time.thread_time()
        outcomes = [answer(one) for _ in range(_BATCH)]
        for outcome in outcomes:
            if isinstance(outcome, Deferred):
                await outcome
        best = min(best, (time.thread_time() - begun) / _BATCH)
    return best * 1e6


def answered_at_once(outcome: Reply | Deferred) -> Reply:
    """The reply of an outcome that did not have to wait for anything."""
    reply = outcome.result if isinstance(outcome, Deferred) else outcome
    assert isinstance(reply, Reply)  # noqa: S101 - nothing here waits
    return reply


def query(name: str, **more: Any) -> Query:
    """A query as the socket hands it over."""
    return Query(message(name, **more), ENDPOINT, PEER, LOCAL)


class Chain:
    """A Corefile of one server block, built and started: its listener, and its plugins in their order."""

    def __init__(self, text: str) -> None:
        self.configuration = site.build(corefile.load(text, "Corefile", known=registry.known()))
        [self.listener] = self.configuration.listeners.values()
        self.plugins: list[Plugin] = [each for each in self.configuration.plugins if each.serve is not None]

    async def start(self) -> None:
        """Start the plugins."""
        for plugin in self.configuration.plugins:
            if (started := plugin.start()) is not None:
                await started

    async def stop(self) -> None:
        """Stop them."""
        for plugin in self.configuration.plugins:
            if (stopped := plugin.stop()) is not None:
                await stopped

    def own_cost(self, inputs: Callable[[], Sequence[Query]]) -> Iterator[tuple[str, float]]:
        """The microseconds of each plugin, less those of the ones behind it, which it calls."""
        whole = [cost(plugin.serve, inputs) for plugin in self.plugins if plugin.serve is not None]
        for plugin, mine, behind in zip(self.plugins, whole, [*whole[1:], 0.0], strict=True):
            yield plugin.name, mine - behind


def router_cost() -> float:
    """Microseconds for the listener to find the server block and to look at what comes back."""
    one = query("www.example.org")
    reply = Reply.build(one)
    answer = Listener([(b"\0", lambda _query: reply)], timeouts=site.Timeouts()).answer
    return cost(answer, lambda: [one] * 50_000)


def socket_cost() -> float:
    """Microseconds to receive a datagram and to send one, in batches, on the loopback interface."""
    server = datagram.open_datagram(datagram.bind("127.0.0.1", 0))
    question = message("www.example.org")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.address.port))
        client.settimeout(1)
        used, count = 0.0, 0
        for _ in range(300):
            for _ in range(_BATCH):
                client.send(question)
            begun = time.thread_time()
            received = server.receive()
            for each in received:
                server.put(each)
            server.flush()
            used += time.thread_time() - begun
            count += len(received)
            for _ in received:
                client.recv(512)
    server.close()
    return used / count * 1e6


async def upstream_cost(questions: int = 20_000) -> float:
    """Microseconds to ask an upstream over UDP and to take its reply, sockets and event loop included."""
    with echo() as port:
        asked = upstream.connect_by_kind(Target(Address.of("127.0.0.1", port)), Options(), SYSTEM)
        question, waiter = message("www.example.org"), _Count()
        await _ask(asked, question, waiter, 3_000)   # until all sockets are open
        begun = time.thread_time()
        await _ask(asked, question, waiter, questions)
        used = time.thread_time() - begun
        asked.close()
    return used / questions * 1e6


async def _ask(asked: Upstream, question: bytes, waiter: _Count, questions: int) -> None:
    sent, end = 0, waiter.taken + questions
    while waiter.taken + waiter.lost < end:
        while sent < questions and sent < questions - (end - waiter.taken) + _WINDOW:
            waiter.due = SYSTEM.now() + 5
            asked.over_udp(question, waiter)
            sent += 1
        await asyncio.sleep(0)


class _Count:
    """Waits for replies of all questions, and counts them."""

    def __init__(self) -> None:
        self.due = 0.0
        self.taken = self.lost = 0

    def take(self, _wire: bytes) -> bool:
        self.taken += 1
        return True

    def failed(self, _error: Failure) -> None:
        self.lost += 1


class _Instant:
    """An upstream that has answered before one has asked."""

    def __init__(self, target: Target) -> None:
        self.name = str(target)
        self.over_udp: Ask = self._answer
        self.over_tcp: Ask = self._answer

    def _answer(self, wire: bytes, waiter: Waiter) -> None:
        waiter.take(answered(wire))

    def close(self) -> None:
        """Nothing is open."""


def instant(target: Target, _options: Options, _clock: Clock) -> Upstream:
    """Such an upstream, whatever the target: for `corepy.upstream.replaced`."""
    return _Instant(target)


def names(count: int, salt: str = "") -> Iterable[str]:
    """Names that are not asked for twice."""
    return (f"{salt}n{number}.new.example.org" for number in range(count))


__all__ = [
    "Chain", "answered_at_once", "cost", "cost_in_loop", "instant", "names", "query", "router_cost", "socket_cost",
    "upstream_cost",
]  # fmt: skip
