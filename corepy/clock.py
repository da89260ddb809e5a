"""Time for plugins and the server: now, later, every.

Nothing else in corepy reads a clock or starts a timer, so a test that hands in another `Clock` owns the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Protocol


class Timer(Protocol):
    """Something that will happen, unless it is cancelled."""

    def cancel(self) -> None:
        """Make it not happen; harmless when it has happened."""


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean something."""

    def wall(self) -> float:
        """Seconds since 1970, as in signatures and SOA serials; may jump."""

    def later(self, delay: float, action: Callable[[], object]) -> Timer:
        """Call `action` once, in `delay` seconds."""

    def every(self, interval: float, action: Callable[[], object]) -> Timer:
        """Call `action` each `interval` seconds, the first time after one interval."""


class SystemClock:
    """The machine's monotonic clock and the running event loop's timers."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def later(self, delay: float, action: Callable[[], object]) -> Timer:
        """Call `action` once, in `delay` seconds."""
        return asyncio.get_running_loop().call_later(delay, action)

    def every(self, interval: float, action: Callable[[], object]) -> Timer:
        """Call `action` each `interval` seconds."""
        return _Every(self, interval, action)


class _Every:
    """A repeating timer that does not drift: each call is due one interval after the one before was."""

    def __init__(self, clock: SystemClock, interval: float, action: Callable[[], object]) -> None:
        self._clock, self._interval, self._action = clock, interval, action
        self._due = clock.now() + interval
        self._timer = clock.later(interval, self._run)

    def _run(self) -> None:
        now = self._clock.now()
        self._due = max(self._due + self._interval, now)
        self._timer = self._clock.later(self._due - now, self._run)
        self._action()

    def cancel(self) -> None:
        """Stop repeating."""
        self._timer.cancel()


async def pause(clock: Clock, seconds: float) -> None:
    """Wait until so much time has passed."""
    over = asyncio.get_running_loop().create_future()
    timer = clock.later(seconds, lambda: over.set_result(None))
    try:
        await over
    finally:
        timer.cancel()


def begin(work: Coroutine[Any, Any, None]) -> Timer:
    """Start a coroutine that lives beside the queries, until it is done or cancelled; what it raises is a bug."""
    return _Begun(work)


class _Begun:
    """A coroutine that was started; the event loop itself only keeps weak references to its tasks."""

    running: ClassVar[set[asyncio.Task[None]]] = set()

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self.running.add(self._task)
        self._task.add_done_callback(self.running.discard)

    def cancel(self) -> None:
        """End it where it waits; harmless when it is over."""
        self._task.cancel()


SYSTEM: Clock = SystemClock()
