r"""Upstreams that exist in a test alone: they answer, refuse, dawdle and keep silent as they are told.

    with FakeUpstreams() as upstreams, Running(". {\n forward . 192.0.2.1 192.0.2.2\n}") as server:
        upstreams["192.0.2.1"].drop()
        upstreams["192.0.2.2"].answer(rcode=codes.SERVFAIL, once=True).answer("www.example.org. 60 IN A 192.0.2.7")
        server.ask("www.example.org.")

What an upstream was told holds in that order: `once` for one question, everything else for all further ones; a probe
is a question, too. One that was told nothing keeps silent, and the test may answer by hand what is in `waiting`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.clock import Clock
from corepy.endpoint import Endpoint
from corepy.errors import Failure
from corepy.query import Query
from corepy.reply import Reply
from corepy.upstream import Ask, Host, Options, Target, Upstream, Waiter, read_targets, replaced


@dataclass(eq=False)
class Asked:
    """A question that an upstream was asked: over `transport`, "udp" or "tcp", in the octets of `wire`."""

    transport: str
    wire: bytes
    waiter: Waiter
    over: bool = False
    """Whether nobody waits for the reply any more."""

    @property
    def query(self) -> Query:
        """The question, to look at."""
        return Query(self.wire, Endpoint(self.transport, "dns://:53"), Address.of("192.0.2.53", 0))

    def reply(self, wire: bytes) -> bool:
        """Send these octets as the reply; whether they were taken for it. What comes late is not."""
        self.over = not self.over and self.waiter.take(wire)
        return self.over

    def fail(self, why: str = "connection refused") -> None:
        """There is no reply, and this is why."""
        if not self.over:
            self.over = True
            self.waiter.failed(Failure(why))


class _Told(NamedTuple):
    """What to do with a question, after how many seconds, and whether with one only."""

    act: Callable[[Asked], object]
    delay: float
    once: bool


@dataclass(eq=False)
class FakeUpstream:
    """One upstream, over all connections to it."""

    asked: list[Asked] = field(default_factory=list)
    """Everything that it was asked, probes included, in the order of asking."""
    held: int = 0
    """How many plugins have it and have not closed it."""
    _told: list[_Told] = field(default_factory=list)

    @property
    def waiting(self) -> list[Asked]:
        """Those questions that somebody still waits for."""
        return [asked for asked in self.asked if not asked.over]

    def answer(
        self, *records: str, rcode: int = codes.NOERROR, truncated: bool = False, delay: float = 0.0, once: bool = False
    ) -> Self:
        """Answer with these records, written as in a zone file, whatever was asked; `delay` is in seconds.

        Raises ValueError for text that is no record.
        """
        flags = w.RA | (w.TC if truncated else 0)

        def act(asked: Asked) -> None:
            made = Reply.answer(asked.query, *records, rcode=rcode, authoritative=False)
            head = (made.flags | flags).to_bytes(2, "big")
            asked.reply(made.wire[:2] + head + made.wire[4:])

        act(Asked("udp", _PROBE, _Nobody()))  # so that a mistake shows where it is made
        return self._tell(act, delay, once)

    def drop(self, *, once: bool = False) -> Self:
        """Keep silent, until the time of who waits is over."""
        return self._tell(lambda _asked: None, 0.0, once)

    def fail(self, why: str = "connection refused", *, delay: float = 0.0, once: bool = False) -> Self:
        """Be out of reach, for this reason."""
        return self._tell(lambda asked: asked.fail(why), delay, once)

    def _tell(self, act: Callable[[Asked], object], delay: float, once: bool) -> Self:
        self._told.append(_Told(act, delay, once))
        return self

    def connect(self, target: Target, options: Options, clock: Clock) -> Upstream:
        """What `corepy.upstream.replaced` takes: this is the upstream, wherever it is looked for."""
        return _Connected(self, target, options, clock)

    def hear(self, asked: Asked, clock: Clock) -> None:
        """Take a question, and see to its outcome."""
        self.asked.append(asked)
        if asked.waiter.due != float("inf"):
            clock.later(asked.waiter.due - clock.now(), lambda: asked.fail("i/o timeout"))
        if self._told:
            told = self._told[0]
            if told.once:
                self._told.pop(0)
            _after(told.delay, clock, lambda: asked.over or told.act(asked))


def _after(delay: float, clock: Clock, act: Callable[[], object]) -> None:
    """Do it in `delay` seconds; never at once, since who asks has to be through with asking."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        clock.later(delay, act)  # a test that moves the clock itself
        return
    if delay:
        clock.later(delay, act)
    else:
        loop.call_soon(act)


class _Connected:
    """A fake as a plugin holds it."""

    def __init__(self, fake: FakeUpstream, target: Target, options: Options, clock: Clock) -> None:
        self.name = str(target)
        self.fake, self.options, self._clock = fake, options, clock
        self._mine: list[Asked] = []
        fake.held += 1
        self.over_udp, self.over_tcp = self._over("udp"), self._over("tcp")

    def _over(self, transport: str) -> Ask:
        def ask(wire: bytes, waiter: Waiter) -> None:
            asked = Asked(transport, wire, waiter)
            self._mine = [one for one in self._mine if not one.over] + [asked]
            self.fake.hear(asked, self._clock)

        return ask

    def close(self) -> None:
        self.fake.held -= 1
        for asked in self._mine:
            asked.fail("use of closed network connection")


class FakeUpstreams:
    """In a `with`, all upstreams of all Corefiles: `upstreams["tls://192.0.2.1"]` is the one that a TO names so."""

    def __init__(self) -> None:
        self._by_address: dict[Address, FakeUpstream] = {}
        self._stack = ExitStack()

    def __getitem__(self, to: str) -> FakeUpstream:
        [target] = read_targets(to)
        if isinstance(target, Host):
            raise KeyError(f"{to} is looked up: name its address")
        return self._at(target.address)

    def _at(self, address: Address) -> FakeUpstream:
        return self._by_address.setdefault(address, FakeUpstream())

    def _connect(self, target: Target, options: Options, clock: Clock) -> Upstream:
        return self._at(target.address).connect(target, options, clock)

    def __enter__(self) -> Self:
        self._stack.enter_context(replaced(self._connect))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stack.close()


class _Nobody:
    """A waiter that is content with everything."""

    due = float("inf")

    def take(self, _wire: bytes) -> bool:
        return True

    def failed(self, _error: Failure) -> None:
        return


_PROBE = w.HEADER.pack(0, 0, 1, 0, 0, 0) + b"\0" + w.QUESTION.pack(codes.NS, codes.IN)

__all__ = ["Asked", "FakeUpstream", "FakeUpstreams"]
