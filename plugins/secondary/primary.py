"""What one asks a primary: the serial of a zone, all of it (RFC 5936), and what has changed in it (RFC 1995).

With a key the questions are signed, and replies without a signature, or with a wrong one, do not count (RFC 8945).
"""

from __future__ import annotations

import contextlib
from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w
from corepy.clock import Clock
from corepy.errors import Failure, Malformed
from corepy.plugin import Deferred, Reply
from corepy.plugins.secondary.reading import Reading, build
from corepy.records import decode
from corepy.tsig import Key, Rejected, Signer, Verifier
from corepy.upstream import Upstream, match
from corepy.watched import in_thread
from corepy.zone import SMALL, Zone

_TIMEOUT: Final = 10.0
"""Seconds for the first and for each further message: a primary may have to read its zone from somewhere first."""
_LONGEST: Final = 7200
"""Seconds of one transfer: one that drips is given up, and the next primary is asked (BIND's max-transfer-time-in)."""
_MOST: Final = 1 << 30
"""Octets of one transfer; five million names. What is more is a primary that never ends."""


class Fetched(NamedTuple):
    """What a transfer has brought."""

    zone: Zone
    incremental: bool
    """Whether there were only differences."""


class Primary:
    """A primary, and the key between us, if there is one."""

    def __init__(self, upstream: Upstream, clock: Clock, key: Key | None = None) -> None:
        self.name = upstream.name
        self._ask_over_tcp = upstream.over_tcp
        self._clock = clock
        self._key = key

    async def serial(self, origin: bytes) -> int:
        """The serial of a zone, asked over TCP, so that it is not easily forged. Raises Failure."""
        question = origin + w.QUESTION.pack(codes.SOA, codes.IN)
        [wire] = await self._ask(w.HEADER.pack(0, w.RD, 1, 0, 0, 0) + question, question, None)
        try:
            for record in decode(wire)[0]:
                if record.rtype == codes.SOA and len(record.rdata) > 22:
                    return int.from_bytes(record.rdata[-20:-16], "big")
        except Malformed as error:
            raise Failure(f"{self.name}: {error}") from None
        raise Failure(f"{self.name} says {codes.rcode_name(wire[3] & w.RCODE)} and no serial")

    async def fetch(self, origin: bytes, old: Zone | None = None) -> Fetched:
        """The zone, `old` itself if it is as it was. Raises Failure where it cannot be had or is none.

        Of a zone that we have, and that is not small, the differences are asked for; if that leads to nothing, for
        whatever reason, the zone is.
        """
        if old is not None and len(old) >= SMALL:
            with contextlib.suppress(Failure):
                return await self._transfer(origin, codes.IXFR, old)
        return await self._transfer(origin, codes.AXFR, old)

    async def _transfer(self, origin: bytes, qtype: int, old: Zone | None) -> Fetched:
        question = origin + w.QUESTION.pack(qtype, codes.IN)
        reading, authority = Reading(), b""
        if qtype == codes.IXFR and old is not None:
            soa = old.soa[False][0]
            reading = Reading(old.serial)
            authority = soa.owner + w.RECORD.pack(*soa[1:4], len(soa.rdata)) + soa.rdata
        wire = w.HEADER.pack(0, 0, 1, 0, len(authority) > 0, 0) + question + authority
        wires = await self._ask(wire, question, reading)
        try:
            zone = await in_thread(lambda: build(origin, wires, old, incremental=reading.incremental))
        except (Malformed, ValueError) as error:
            raise Failure(f"transfer from {self.name}: {error}") from None
        return Fetched(zone, reading.incremental)

    async def _ask(self, wire: bytes, question: bytes, reading: Reading | None) -> list[bytes]:
        """The messages that come in reply to a query. Raises Failure."""
        verifier = None
        if self._key is not None:
            signer = Signer(self._key, self._key.algorithm, self._clock.wall)
            wire = signer.sign(wire)
            verifier = Verifier(self._key, self._key.algorithm, self._clock.wall, signer.mac)
        waiter = _Waiter(self._clock, question, reading, verifier, self.name)
        self._ask_over_tcp(wire, waiter)
        await waiter.done
        return waiter.wires


class _Waiter:
    """Takes messages until the last one, without `reading` a single one; there is time for each of them."""

    def __init__(
        self, clock: Clock, question: bytes, reading: Reading | None, verifier: Verifier | None, name: str
    ) -> None:
        self._clock = clock
        self._question = question
        self._reading = reading
        self._verifier = verifier
        self._name = name
        self._end = clock.now() + _LONGEST
        self._size = 0
        self.due = clock.now() + _TIMEOUT
        self.wires: list[bytes] = []
        self.done = Deferred()

    def take(self, wire: bytes) -> bool:
        """Whether this was the last message; others are kept, or belong to somebody else."""
        # Only the first message has to have the question (RFC 5936 2.2.2).
        further = self.wires and len(wire) >= w.HEADER.size and wire[2] >= w.QR >> 8 and wire[4:6] == b"\0\0"
        if not further and match(self._question, wire) is None:
            return False
        self._size += len(wire)
        self.due = min(self._clock.now() + _TIMEOUT, self._end)
        try:
            self.wires.append(self._verifier.take(wire) if self._verifier else wire)
        except (Rejected, Malformed) as error:
            return self._give_up(f"reply of {self._name} is not believed: {error}")
        if self._reading is None or self._reading.take(self.wires[-1]):
            if self._verifier and not self._verifier.complete:
                return self._give_up(f"the last message of {self._name} is not signed")
            self.done.settle(Reply.SILENCE)
            return True
        if self._size > _MOST:
            return self._give_up(f"transfer from {self._name} does not end")
        return False

    def _give_up(self, why: str) -> bool:
        self.done.settle(Failure(why))
        return True

    def failed(self, error: Failure) -> None:
        """No more messages come."""
        self.done.settle(error)
