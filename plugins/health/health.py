"""Answer health checks, ask ourselves how long that takes, and stay a while when the process is told to end."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from corepy import http
from corepy.clock import Timer, begin, pause
from corepy.duration import format_duration
from corepy.metrics import SLIM_TIME_BUCKETS, Counter, Histogram
from corepy.plugin import Directive, Plugin

_PATH: Final = "/health"
_INTERVAL: Final = 1.0
"""Seconds between two questions to ourselves, and what one of them may take without a remark; CoreDNS's figures."""

DURATION: Final = Histogram(
    "health_request_duration_seconds", "Seconds that our own health check takes.", bounds=SLIM_TIME_BUCKETS
)
FAILURES: Final = Counter("health_request_failures_total", "Health checks of our own that have failed.")


@dataclass
class Health(Plugin):
    """Health at `http://HOST:PORT/health`; no host stands for all addresses, port 0 for any that is free."""

    host: str = ""
    port: int = 8080
    lameduck: float = 0.0
    """Seconds that the server goes on to answer when it has been told to end."""
    _timer: Timer | None = field(default=None, init=False, compare=False, repr=False)
    _asking: bool = field(default=False, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all lines; the last word on each thing counts."""
        plugin = cls()
        for directive in directives:
            if (word := directive.optional()) is not None:
                plugin.host, plugin.port = directive.as_address(word)
            directive.no_more()
            for option in directive.options("lameduck"):
                plugin.lameduck = option.duration()
        return [plugin]

    async def start(self) -> None:
        """Open the endpoint, and begin to ask. Raises OSError where the address cannot be had."""
        self._lease = await http.listen(self.host, self.port, {_PATH: self._answer}, self.clock)
        self._timer = self.clock.every(_INTERVAL, self._ask)

    def leave(self) -> Awaitable[None] | None:
        """Stay for as long as load balancers need to notice that this server is going to end."""
        if self.lameduck <= 0:
            return None
        line = f"Going into lameduck mode for {format_duration(self.lameduck)}"
        self.log.info(line)
        return pause(self.clock, self.lameduck)

    def stop(self) -> None:
        """Close the endpoint, unless a new configuration has taken it over."""
        if self._timer is not None:
            self._timer.cancel()
            self._lease.close()

    @property
    def endpoint(self) -> http.Lease:
        """Where health is told."""
        return self._lease

    @staticmethod
    def _answer(_request: http.Request) -> http.Response:
        """Who can answer is healthy."""
        return http.Response(b"OK")

    def _ask(self) -> None:
        """Be our own client: what it takes to get through our event loop is what a busy server lacks."""
        if not self._asking:
            self._asking = True
            begin(self._reach(self.clock.now()))

    async def _reach(self, started: float) -> None:
        failure = ""
        try:
            await self._lease.reach(_PATH)
        except OSError as error:
            FAILURES.add()
            failure = f"failed: {error}"
        self._asking = False
        took = self.clock.now() - started
        DURATION.add(took)
        what = failure or (f"took {took:.1f}s" if took > _INTERVAL else "")
        if what:
            line = f"our own health check {what}"
            self.log.warning(line)
