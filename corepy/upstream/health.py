"""Whether an upstream is well: asked only after something has failed, as CoreDNS does.

One probe after another, an interval apart, until one is answered; whatever the answer, it means life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corepy import codes
from corepy import wire as w
from corepy.metrics import Counter

if TYPE_CHECKING:
    from corepy.clock import Clock, Timer
    from corepy.errors import Failure
    from corepy.upstream.base import Upstream

FAILURES: Final = Counter(
    "proxy_healthcheck_failures_total", "Probes of upstreams that have failed.", ("proxy_name", "to")
)

PROBE_TIMEOUT: Final = 1.0
"""Seconds that a probe may take (CoreDNS's)."""
_SHORTEST: Final = 0.01
"""Seconds between two probes at least, so that an interval of 0 does not fill the network."""


@dataclass(frozen=True, slots=True)
class Check:
    """How upstreams are probed: seconds between two probes, the name whose NS records are asked for, and the flags."""

    interval: float = 0.5
    domain: bytes = b"\0"
    recursion: bool = True
    over_tcp: bool = False

    @property
    def question(self) -> bytes:
        """The probe; its id is made when it is sent."""
        head = w.HEADER.pack(0, w.RD if self.recursion else 0, 1, 0, 0, 0)
        return head + self.domain + w.QUESTION.pack(codes.NS, codes.IN)


class Watched:
    """An upstream and how it does; `owner` is the plugin that asks it."""

    __slots__ = ("_check", "_clock", "_owner", "_probe", "_stopped", "fails", "over_tcp", "over_udp", "upstream")

    def __init__(self, upstream: Upstream, check: Check, clock: Clock, owner: str = "") -> None:
        self.upstream = upstream
        self.over_udp = upstream.over_udp
        self.over_tcp = upstream.over_tcp
        self.fails = 0
        """Probes that have failed since the last one that was answered."""
        self._check = check
        self._clock = clock
        self._probe: _Probe | None = None
        self._owner = owner
        self._stopped = False

    @property
    def name(self) -> str:
        """The address of the upstream."""
        return self.upstream.name

    def check(self) -> None:
        """Something has failed: probe until there is an answer, unless that is being done."""
        if self._probe is None and not self._stopped:
            self._send()

    def _send(self) -> None:
        ask = self.over_tcp if self._check.over_tcp else self.over_udp
        self._probe = _Probe(self, self._clock)
        ask(self._check.question, self._probe)

    def well(self) -> None:
        """A probe was answered."""
        self.fails = 0
        self._probe = None

    def unwell(self) -> None:
        """A probe was not."""
        self.fails += 1
        FAILURES.add(self._owner, self.name)
        self._clock.later(max(self._check.interval, _SHORTEST), self._again)

    def _again(self) -> None:
        if not self._stopped:
            self._send()

    def close(self) -> None:
        """Close the upstream; no further probes."""
        self._stopped = True
        if self._probe is not None:
            self._probe.drop()
        self.upstream.close()


class _Probe:
    """The waiter behind one probe."""

    def __init__(self, watched: Watched, clock: Clock) -> None:
        self.due = clock.now() + PROBE_TIMEOUT
        self._watched: Watched | None = watched
        self._timer: Timer = clock.later(PROBE_TIMEOUT, self.failed)

    def take(self, wire: bytes) -> bool:
        """Any response with our id is an answer."""
        if len(wire) < w.HEADER.size or wire[2] < 0x80:
            return False
        if watched := self.drop():
            watched.well()
        return True

    def failed(self, _error: Failure | None = None) -> None:
        """No answer, or none in time."""
        if watched := self.drop():
            watched.unwell()

    def drop(self) -> Watched | None:
        """Whatever comes now is of no interest."""
        self._timer.cancel()
        watched, self._watched = self._watched, None
        return watched
