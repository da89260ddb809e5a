"""What the pools of datagram sockets and of connections have in common: bounds, and two coarse timers.

One timer for all waiters and one for all sockets: a timer for each query would cost more than the query.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from corepy.errors import Failure
from corepy.metrics import Counter, Family
from corepy.upstream.base import MAX_PENDING

if TYPE_CHECKING:
    from corepy.address import Address
    from corepy.clock import Clock, Timer
    from corepy.upstream.base import Options, Waiter
    from corepy.upstream.budget import Budget


_PLACE: Final = ("proxy_name", "to", "proto")
HITS: Final = Counter("proxy_conn_cache_hits_total", "Questions to upstreams on a socket that was there.", _PLACE)
MISSES: Final = Counter("proxy_conn_cache_misses_total", "Questions to upstreams on a new socket.", _PLACE)
STRAYS: Final = Counter(
    "corepy_proxy_strays_total", "Messages from upstreams that were no reply to anything asked.", _PLACE
)
REFUSED: Final = Counter("corepy_proxy_refused_total", "Questions to upstreams that owed too many replies.", _PLACE)


class Pool:
    """The sockets of one transport to one upstream. Opens the first one when the first question is asked."""

    def __init__(self, remote: Address, options: Options, clock: Clock, budget: Budget, proto: str) -> None:
        self.remote = remote
        self._labels = options.owner, str(remote), proto
        self.options = options
        self.clock = clock
        self.budget = budget
        self.pending = 0
        """How many wait."""
        self.strays = 0
        """Messages that were no reply to anything asked: late, forged or garbled."""
        self.epoch = 0
        """How many sweeps there were: a socket's age without use is counted in them."""
        self.closed = False
        self.watching: Timer | None = None
        self._sweeping: Timer | None = None

    def count(self, *, fresh: bool) -> None:
        """Count a question, on a new socket or not; for those who look at metrics."""
        if Family.watched:
            (MISSES if fresh else HITS).add(*self._labels)

    def stray(self) -> None:
        """Count a message that was no reply to anything asked."""
        self.strays += 1
        STRAYS.add(*self._labels)

    def refuse(self, waiter: Waiter) -> None:
        """Do not ask for one more than MAX_PENDING."""
        REFUSED.add(*self._labels)
        self.later(waiter, Failure(f"{self.remote} owes {MAX_PENDING} replies"))

    @staticmethod
    def later(waiter: Waiter, error: Failure) -> None:
        """Tell somebody of a failure when the question has been asked."""
        asyncio.get_running_loop().call_soon(waiter.failed, error)

    def watch(self) -> None:
        """Look for waiters whose time is over, until nobody waits any more."""
        self.watching = self.clock.every(self.options.resolution, self._tick)

    def _tick(self) -> None:
        if self.pending:
            self.expire(self.clock.now())
        elif self.watching is not None:
            self.watching.cancel()
            self.watching = None

    def keep_house(self) -> None:
        """Look for sockets that are unused or old, until there are none."""
        if self._sweeping is None:
            expire = self.options.expire or self.options.max_age or _UNUSED
            self._sweeping = self.clock.every(max(expire / SWEEPS, _SHORTEST), self._sweep)

    def _sweep(self) -> None:
        self.epoch += 1
        if not self.sweep(self.clock.now()) and self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def expire(self, now: float) -> None:
        """Tell the waiters whose time is over."""
        raise NotImplementedError

    def sweep(self, now: float) -> bool:
        """Close the sockets whose time is over; whether any are left."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop both timers; what is asked from now on fails."""
        self.closed = True
        for timer in (self.watching, self._sweeping):
            if timer is not None:
                timer.cancel()
        self.watching = self._sweeping = None


SWEEPS: Final = 4
"""Sweeps in the time after which a socket is closed: it is late by a quarter at most."""
_UNUSED: Final = 10.0
"""Seconds for which sweeping makes sense where sockets are closed after each use anyway."""
_SHORTEST: Final = 0.05
"""Seconds between two sweeps at least, however short `expire` is: a sweep looks at all sockets."""
