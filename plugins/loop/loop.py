"""Send ourselves a query that nobody can guess, and stop when it comes back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from corepy import codes
from corepy import wire as w
from corepy.clock import Timer
from corepy.plugin import Address, Failure, Outcome, Plugin, Query
from corepy.upstream import Options, Target, Upstream, connect, match

if TYPE_CHECKING:
    from corepy.site import Site

_HINFO: Final = codes.TYPES["HINFO"]
_ATTEMPTS: Final = 30
_INTERVAL: Final = 1.0
"""Half a minute, in seconds: what upstreams that start together with us may need (CoreDNS's)."""
_TIMEOUT: Final = 2.0
"""Seconds that a probe waits for its reply; CoreDNS's."""
_BACK: Final = 2
"""A probe that is seen so often has come back. Since equal queries on their way are joined, a loop does not turn
again and again, so there may be no third time, which CoreDNS waits for."""


@dataclass
class Loop(Plugin):
    """The probe is a HINFO query for a random name below the first zone of the server block.

    It is looked for only while it is on its way, and each attempt has a name of its own, of 124 random bits. So no
    client can end the server; but an upstream that is sent the probe can, by sending it back: that is what a loop is.
    """

    once: ClassVar[bool] = True

    _zone: bytes = field(default=b"\0", init=False, compare=False, repr=False)
    _address: Address | None = field(default=None, init=False, compare=False, repr=False)
    _key: bytes = field(default=b"", init=False, compare=False, repr=False)
    """The name that is on its way; empty while none is."""
    _seen: int = field(default=0, init=False, compare=False, repr=False)
    _attempts: int = field(default=0, init=False, compare=False, repr=False)
    _timer: Timer | None = field(default=None, init=False, compare=False, repr=False)
    _upstream: Upstream | None = field(default=None, init=False, compare=False, repr=False)

    def configure(self, site: Site) -> None:
        """Find out where the first zone is served: over plain DNS, and on a port that has been said."""
        key = site.keys[0]
        self._zone = key.zone
        self._site = site

    def start(self) -> None:
        """Send the probe as soon as somebody answers."""
        key, host = self._site.keys[0], self._site.hosts[0] or "127.0.0.1"
        if key.scheme == "dns" and key.port:
            self._address = Address.of(host, key.port)
            self._upstream = connect(Target(self._address), Options(expire=0), self.clock)
            self._timer = self.clock.later(0, self._probe)

    def stop(self) -> None:
        """Look for it no more."""
        self._key = b""
        if self._timer is not None:
            self._timer.cancel()
        if self._upstream is not None:
            self._upstream.close()

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, unless it is the probe and has come back."""
        if query.qtype == _HINFO and query.key == self._key:
            self._seen += 1
            if self._seen >= _BACK:
                self._halt(query)
        return self.next(query)

    def _halt(self, query: Query) -> NoReturn:
        """End the process, as CoreDNS does: going round in circles would take all it has."""
        zone, name = w.decode_name(self._zone), query.name
        line = (
            f'Loop ({query.client} -> {self._address}) detected for zone "{zone}": the query "HINFO {name}" that this'
            " server has sent to itself was forwarded and came back"
        )
        self.log.error(line)
        raise SystemExit(1)

    # --- the probe ---

    def _probe(self) -> None:
        """Send it under a new name; whoever has learnt the old one knows nothing."""
        self._attempts += 1
        self._seen = 0
        labels = [str(secrets.randbits(62)).encode() for _ in range(2)]
        self._key = b"".join(bytes([len(label)]) + label for label in labels) + self._zone
        if len(self._key) > w.MAX_NAME or self._upstream is None:   # a zone so long has no place for a loop either
            return
        wire = w.HEADER.pack(0, w.RD, 1, 0, 0, 0) + self._key + w.QUESTION.pack(_HINFO, codes.IN)
        self._upstream.over_udp(wire, _Probe(self, wire[12:]))

    @property
    def due(self) -> float:
        """When a probe that is sent now has failed."""
        return self.clock.now() + _TIMEOUT

    def answered(self) -> None:
        """There was a reply: no loop, if the query was seen here and not by the configuration before this one."""
        self._key = b""
        if not self._seen:
            self.unanswered()

    def unanswered(self) -> None:
        """Try again in a while."""
        self._key = b""
        if self._attempts < _ATTEMPTS:
            self._timer = self.clock.later(_INTERVAL, self._probe)


class _Probe:
    """The waiter behind the probe."""

    def __init__(self, loop: Loop, question: bytes) -> None:
        self.due = loop.due
        self._loop, self._question = loop, question

    def take(self, wire: bytes) -> bool:
        """Any reply to our question will do."""
        if match(self._question, wire) is None:
            return False
        self._loop.answered()
        return True

    def failed(self, _error: Failure) -> None:
        """No reply, or none in time."""
        self._loop.unanswered()
