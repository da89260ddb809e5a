"""Time in the hands of a test: one clock for any number of servers in this process."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from corepy.testing.clock import FakeClock
from corepy.testing.told import seconds

if TYPE_CHECKING:
    from corepy.testing.inprocess import InProcess


class TestClock:
    """The time of all servers that were started on it: it stands still until `advance()`."""

    __test__ = False  # pytest takes what is called so for tests

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._driven: list[tuple[FakeClock, InProcess]] = []

    def now(self) -> float:
        """Seconds, for comparison alone."""
        return self._now

    def advance(self, time: str | float | timedelta) -> None:
        """Let time pass, `"31s"`, `"1h30m"`, seconds or a timedelta: whatever falls due in a server happens.

        Raises ValueError for text that is no time, and for time that goes back.
        """
        passing = time.total_seconds() if isinstance(time, timedelta) else seconds(time)
        if passing < 0:
            raise ValueError("time does not go back")
        self._now += passing
        for clock, served in self._driven:
            if served.running.server.configuration is None:
                continue  # it has been stopped
            served.running.call(lambda clock=clock: clock.advance(passing))  # type: ignore[misc]  # a default binds it

    def another(self) -> FakeClock:
        """A clock for one more server; each runs its timers in its own thread."""
        return FakeClock(self._now)

    def drive(self, clock: FakeClock, served: InProcess) -> None:
        """Move this server's clock, too."""
        self._driven.append((clock, served))


__all__ = ["TestClock"]
