"""What stands in place of upstreams while a query is explained."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from corepy import codes, display
from corepy import wire as w
from corepy.address import Address
from corepy.endpoint import Endpoint
from corepy.query import Query
from corepy.reply import Reply
from corepy.upstream import Ask, Options, Target, Upstream, Waiter, connect_by_kind, replaced

if TYPE_CHECKING:
    from corepy.clock import Clock
    from corepy.errors import Failure
    from corepy.explain.trace import Trace

_NOBODY: Final = Endpoint("tcp", "dns://:53")
_HERE: Final = Address.of("127.0.0.1", 0)


class Stubs:
    """Makes upstreams that tell the trace what they are asked.

    They answer everything with `records` (texts as in a zone file), an empty NOERROR where there are none; with `live`
    they ask the true upstreams instead. Raises ValueError for text that is no record.
    """

    def __init__(self, records: Sequence[str] = (), *, live: bool = False) -> None:
        self.records = records
        self.live = live
        self._trace: Trace | None = None
        self._hosts: dict[bytes, str] = {}
        _reply(records, w.HEADER.pack(0, 0, 1, 0, 0, 0) + b"\0" + w.QUESTION.pack(codes.NS, codes.IN))

    def in_place(self) -> AbstractContextManager[None]:
        """Within this context all upstreams of all Corefiles are these."""
        return replaced(self._connect, None if self.live else self._look_up)

    def watch(self, trace: Trace) -> None:
        """From now on the trace hears of what is asked."""
        self._trace = trace

    def note(self, owner: str, wire: bytes, text: str) -> None:
        """Tell the step of the plugin that asks; probes and the like belong to none."""
        step = self._trace.asking(owner, wire[12 : w.skip_name(wire, 12)].lower()) if self._trace else None
        if step is not None:
            step.say(text)

    def answer(self, wire: bytes) -> bytes:
        """What stands in for the reply to a query; while plugins start, an address for every name."""
        if self._trace is None and wire.endswith(w.QUESTION.pack(codes.A, codes.IN)):
            end = w.skip_name(wire, 12)
            made = self._made_up(w.decode_name(wire[12:end]).rstrip("."))
            return _reply([f"{w.decode_name(wire[12:end])} 0 IN A {made.host}"], wire)
        return _reply(self.records, wire)

    def name(self, target: Target) -> str:
        """How an upstream is called: by its address, or the name that was never looked up."""
        host = self._hosts.get(target.address.packed)
        return f"{host}:{target.address.port}" if host else str(target)

    def _connect(self, target: Target, options: Options, clock: Clock) -> Upstream:
        if self.live:
            return _Live(self, connect_by_kind(target, options, clock), target, options)
        return _Stub(self, target, options, clock)

    async def _look_up(self, name: str) -> list[Address]:
        return [self._made_up(name)]

    def _made_up(self, name: str) -> Address:
        """An address for a name, of "this network", where no server is (RFC 6890 2.2.2)."""
        known = [packed for packed, host in self._hosts.items() if host == name]
        packed = known[0] if known else (len(self._hosts) + 1).to_bytes(4, "big")
        self._hosts[packed] = name
        return Address(packed, 0)


def _reply(records: Sequence[str], wire: bytes) -> bytes:
    made = Reply.answer(Query(wire, _NOBODY, _HERE), *records, authoritative=False).wire
    return made[:3] + bytes((made[3] | w.RA,)) + made[4:]


def _over(target: Target, transport: str) -> str:
    """What carries the question: encrypted kinds have one transport for all."""
    return transport if target.kind == "dns" else target.kind


class _Stub:
    """An upstream that is never asked."""

    def __init__(self, stubs: Stubs, target: Target, options: Options, clock: Clock) -> None:
        self.name = stubs.name(target)
        self._stubs, self._options, self._clock = stubs, options, clock
        self.over_udp, self.over_tcp = self._ask(_over(target, "udp")), self._ask(_over(target, "tcp"))

    def _ask(self, over: str) -> Ask:
        def ask(wire: bytes, waiter: Waiter) -> None:
            self._stubs.note(self._options.owner, wire, f"would ask {self.name} over {over}")
            self._clock.later(0, lambda: waiter.take(self._stubs.answer(wire)))

        return ask

    def close(self) -> None:
        """There is nothing to close."""


class _Live:
    """A true upstream, and what comes of asking it."""

    def __init__(self, stubs: Stubs, upstream: Upstream, target: Target, options: Options) -> None:
        self.name = upstream.name
        self.close = upstream.close
        self._stubs, self._owner = stubs, options.owner
        self.over_udp = self._ask(upstream.over_udp, _over(target, "udp"))
        self.over_tcp = self._ask(upstream.over_tcp, _over(target, "tcp"))

    def _ask(self, real: Ask, over: str) -> Ask:
        def ask(wire: bytes, waiter: Waiter) -> None:
            self._stubs.note(self._owner, wire, f"asks {self.name} over {over}")
            real(wire, _Heard(self, wire, waiter))

        return ask

    def heard(self, wire: bytes, what: str) -> None:
        """What the upstream said."""
        self._stubs.note(self._owner, wire, f"{self.name} {what}")


class _Heard:
    """Who waits, and before it a note of what it waits for."""

    def __init__(self, upstream: _Live, wire: bytes, waiter: Waiter) -> None:
        self._upstream, self._wire, self._waiter = upstream, wire, waiter

    @property
    def due(self) -> float:
        """When the waiting is over."""
        return self._waiter.due

    @due.setter
    def due(self, due: float) -> None:
        self._waiter.due = due

    def take(self, wire: bytes) -> bool:
        """The reply, perhaps; noted before it has consequences."""
        self._upstream.heard(self._wire, f"says {codes.rcode_name(display.rcode(wire))}")
        return self._waiter.take(wire)

    def failed(self, error: Failure) -> None:
        """There is none."""
        self._upstream.heard(self._wire, f"does not answer: {error}")
        self._waiter.failed(error)
