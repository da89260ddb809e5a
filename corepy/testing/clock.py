"""A clock that only moves when a test says so."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from corepy.clock import Timer


class _Due:
    """A timer of the fake clock."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        """Make it not happen."""
        self.cancelled = True


class FakeClock:
    """A `corepy.clock.Clock` in the hands of a test: `advance()` moves time and runs what falls due, in order."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._queue: list[tuple[float, int, Callable[[], object], _Due]] = []
        self._number = count()

    def now(self) -> float:
        """Seconds; stands still between two calls of `advance`."""
        return self._now

    def wall(self) -> float:
        """The same seconds, as if the test began in January 1970."""
        return self._now

    def later(self, delay: float, action: Callable[[], object]) -> Timer:
        """Call `action` when time has moved on by `delay` seconds."""
        due = _Due()
        heapq.heappush(self._queue, (self._now + delay, next(self._number), action, due))
        return due

    def every(self, interval: float, action: Callable[[], object]) -> Timer:
        """Call `action` each `interval` seconds."""
        repeating = _Due()

        def run() -> None:
            if not repeating.cancelled:
                self.later(interval, run)
                action()

        self.later(interval, run)
        return repeating

    def advance(self, seconds: float) -> None:
        """Let time pass: every timer that falls due runs at its own moment."""
        end = self._now + seconds
        while self._queue and self._queue[0][0] <= end:
            self._now, _, action, due = heapq.heappop(self._queue)
            if not due.cancelled:
                action()
        self._now = end
