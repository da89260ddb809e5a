"""What one asks a primary: the serial of a zone, and all of it (RFC 5936)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.clock import Clock
from corepy.errors import Failure, Malformed
from corepy.plugin import Deferred, Reply
from corepy.records import EncodedRecord, decode
from corepy.upstream import Upstream, match
from corepy.watched import in_thread
from corepy.zone import Builder, Zone

_TIMEOUT: Final = 10.0
"""Seconds for the first and for each further message: a primary may have to read its zone from somewhere first."""
_MOST: Final = 1 << 30
"""Octets of one transfer; five million names. What is more is a primary that never ends."""


async def ask_serial(primary: Upstream, origin: bytes, clock: Clock) -> int:
    """The serial of the zone at a primary, asked over TCP, so that it is not easily forged. Raises Failure."""
    question = origin + w.QUESTION.pack(codes.SOA, codes.IN)

    def last(wire: bytes) -> bool | None:
        return True if match(question, wire) else None

    [wire] = await _ask(primary, w.HEADER.pack(0, w.RD, 1, 0, 0, 0) + question, clock, last)
    for record in decode(wire)[0]:
        if record.rtype == codes.SOA and len(record.rdata) > 22:
            return int.from_bytes(record.rdata[-20:-16], "big")
    raise Failure(f"{primary.name} says {codes.rcode_name(wire[3] & w.RCODE)} and no serial")


async def fetch(primary: Upstream, origin: bytes, clock: Clock) -> Zone:
    """The zone of a primary, by AXFR. Raises Failure where it cannot be had or is none."""
    question = origin + w.QUESTION.pack(codes.AXFR, codes.IN)
    end = _End(question)
    wires = await _ask(primary, w.HEADER.pack(0, 0, 1, 0, 0, 0) + question, clock, end.is_last)
    try:
        return await in_thread(lambda: _build(origin, wires))
    except (Malformed, ValueError) as error:
        raise Failure(f"transfer from {primary.name}: {error}") from None


def _build(origin: bytes, wires: list[bytes]) -> Zone:
    """The zone of the messages; its last record is the first one again. Raises ValueError and Malformed."""
    builder = Builder(origin)
    last: EncodedRecord | None = None
    for wire in wires:
        if rcode := wire[3] & w.RCODE:
            raise ValueError(codes.rcode_name(rcode))
        for record in decode(wire)[0]:
            if last is not None:
                builder.add(last)
            last = record
    if last is None or last.rtype != codes.SOA:
        raise ValueError("no zone that begins and ends with its SOA record")
    return builder.build()


class _End:
    """Knows the last message of a transfer: the zone begins with a SOA record, and ends with it."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._begun = False
        self._size = 0

    def is_last(self, wire: bytes) -> bool | None:
        """Whether a message is the last one; None where it does not belong to the transfer at all."""
        # Only the first message has to have the question (RFC 5936 2.2.2).
        if not match(self._question, wire) and not (self._begun and wire[2] >= w.QR >> 8 and wire[4:6] == b"\0\0"):
            return None
        self._size += len(wire)
        try:
            types = [record.rtype for record in w.records(wire) if record.section == w.ANSWER]
        except Malformed:
            return True
        begun, self._begun = self._begun, True
        if wire[3] & w.RCODE or self._size > _MOST or not types or (not begun and types[0] != codes.SOA):
            return True
        return types[-1] == codes.SOA and (begun or len(types) > 1)


async def _ask(
    primary: Upstream, wire: bytes, clock: Clock, is_last: Callable[[bytes], bool | None]
) -> list[bytes]:
    """The messages that come in reply to a query over TCP. Raises Failure."""
    waiter = _Waiter(clock, is_last)
    primary.over_tcp(wire, waiter)
    await waiter.done
    return waiter.wires


class _Waiter:
    """Takes messages until the last one; there is time for each of them."""

    def __init__(self, clock: Clock, is_last: Callable[[bytes], bool | None]) -> None:
        self._clock = clock
        self._is_last = is_last
        self.due = clock.now() + _TIMEOUT
        self.wires: list[bytes] = []
        self.done = Deferred()

    def take(self, wire: bytes) -> bool:
        """Whether this was the last message; others are kept, or belong to somebody else."""
        last = self._is_last(wire)
        if last is None:
            return False
        self.due = self._clock.now() + _TIMEOUT
        self.wires.append(wire)
        if last:
            self.done.settle(Reply.SILENCE)
        return last

    def failed(self, error: Failure) -> None:
        """No more messages come."""
        self.done.settle(error)
