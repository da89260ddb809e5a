"""What the running process is doing: where its time goes, what fills its memory, what waits. For people who look.

Python's own tools, made to run inside of a server: they watch the thread of the event loop while it goes on to answer.
All of them are slow compared with a query; none of them costs anything when nobody asks.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import marshal
import pstats
import sys
import threading
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Final

from corepy.clock import Clock, Timer, pause

_SHOWN: Final = 50
"""Lines of a table: what is not among the first fifty is not what one looks for."""
_EVENTS: Final = 100_000
"""Calls and returns in a trace, some 20 MiB: a tenth of a second under load."""
_STACKS: Final = 1000
"""Different places of stalls that are kept; more are no longer read by anybody."""
_TICK: Final = 0.01
"""Seconds between two signs of life of the event loop: what is shorter is no stall, and 100 a second cost little."""


class Busy(Exception):  # noqa: N818 - says what is the case
    """Somebody else is profiling: there is only one profiler in a process."""


_profiling = threading.Lock()


@contextmanager
def _alone() -> Iterator[None]:
    if not _profiling.acquire(blocking=False):
        raise Busy("another profile is being made")
    try:
        yield
    finally:
        _profiling.release()


# --- time ---


async def cpu(clock: Clock, seconds: float, *, text: bool) -> bytes:
    """Where the time of so many seconds goes, function by function: a dump for `pstats`, or a text. Raises Busy."""
    profile = cProfile.Profile()
    with _alone():
        profile.enable()
        try:
            await pause(clock, seconds)
        finally:
            profile.disable()
    profile.create_stats()
    if not text:
        return marshal.dumps(profile.stats)   # made by the line above
    out = io.StringIO()
    pstats.Stats(profile, stream=out).sort_stats("tottime").print_stats(_SHOWN)
    return out.getvalue().encode()


async def trace(clock: Clock, seconds: float) -> bytes:
    """Each call and return within so many seconds, with its time in microseconds. Raises Busy."""
    events: list[tuple[float, str, Any]] = []
    now = time.perf_counter

    def note(frame: FrameType, event: str, called: Any) -> None:
        events.append((now(), event, called if event.startswith("c_") else frame.f_code))
        if len(events) >= _EVENTS:
            sys.setprofile(None)

    with _alone():
        sys.setprofile(note)
        try:
            await pause(clock, seconds)
        finally:
            sys.setprofile(None)
    start = events[0][0]
    lines = [f"{(at - start) * 1e6:12.1f} {event:<8} {_function(called)}" for at, event, called in events]
    return ("\n".join(lines) + "\n").encode()


def _function(called: Any) -> str:
    """A function of Python's by its code, or one of C's, for people."""
    if isinstance(called, CodeType):
        return f"{called.co_filename}:{called.co_firstlineno} {called.co_qualname}"
    return str(getattr(called, "__qualname__", called))


# --- memory ---


def heap() -> bytes:
    """The objects that the garbage collector looks at, by type: how many, and their own octets."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for each in gc.get_objects():
        name = f"{type(each).__module__}.{type(each).__qualname__}"
        counts[name] += 1
        sizes[name] += sys.getsizeof(each, 0)
    lines = [
        f"objects {sum(counts.values())}, octets {sum(sizes.values())}, blocks of memory {sys.getallocatedblocks()}",
        f"objects from before the start, not in the table: {gc.get_freeze_count()}",
        *[f"generation {number}: {stats}" for number, stats in enumerate(gc.get_stats())],
        f"{'octets':>12} {'objects':>10} type",
        *[f"{size:12} {counts[name]:10} {name}" for name, size in sizes.most_common(_SHOWN)],
    ]
    return ("\n".join(lines) + "\n").encode()


async def allocations(clock: Clock, seconds: float) -> bytes:
    """Where memory is taken within so many seconds and not given back, line by line. Raises Busy."""
    with _alone():
        tracemalloc.start()
        try:
            await pause(clock, seconds)
            found = tracemalloc.take_snapshot().statistics("lineno")
        finally:
            tracemalloc.stop()
    rows = [f"{each.size:12} {each.count:10} {each.traceback}" for each in found[:_SHOWN]]
    lines = [f"{'octets':>12} {'blocks':>10} line", *rows]
    return ("\n".join(lines) + "\n").encode()


# --- what waits ---


def tasks() -> bytes:
    """The tasks of the event loop, each with where it waits."""
    out = io.StringIO()
    every = asyncio.all_tasks()
    out.write(f"tasks {len(every)}\n")
    for task in every:
        out.write("\n")
        task.print_stack(file=out)
    return out.getvalue().encode()


def threads(*, waiting: bool = False) -> bytes:
    """The threads, each with where it is; only those that wait for a lock, if `waiting`."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    shown = [
        f"\n{names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - documented, for this
        if not waiting or frame.f_code.co_filename == threading.__file__
    ]
    return f"threads {len(shown)}\n{''.join(shown)}".encode()


class Stalls:
    """Watches the event loop from a thread of its own, and notes what it was doing when it held up everything.

    A stall of `shortest` seconds or more counts, and of a tick at least.
    """

    def __init__(self, clock: Clock, shortest: float) -> None:
        self._clock = clock
        self._shortest = max(shortest, _TICK)
        self._beat = time.monotonic()
        self._stop = threading.Event()
        self._timer: Timer | None = None
        self.found: dict[str, tuple[int, float]] = {}
        """How often, and how long at most, by the stack."""

    def start(self) -> None:
        """Begin to watch the thread that calls this."""
        self._timer = self._clock.every(_TICK, self._alive)
        self._alive()
        threading.Thread(target=self._watch, args=(threading.get_ident(),), name="stalls", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()

    def _alive(self) -> None:
        self._beat = time.monotonic()

    def _watch(self, ident: int) -> None:
        counted = 0.0
        while not self._stop.wait(_TICK):
            beat = self._beat
            late = time.monotonic() - beat - _TICK
            if late >= self._shortest:
                self._note(ident, late, again=counted == beat)
                counted = beat

    def _note(self, ident: int, late: float, *, again: bool) -> None:
        frame = sys._current_frames().get(ident)  # noqa: SLF001 - documented, for this
        stack = "".join(traceback.format_stack(frame))
        count, longest = self.found.get(stack, (0, 0.0))
        if stack in self.found or len(self.found) < _STACKS:
            self.found[stack] = count + (not again or not count), max(longest, late)

    def report(self) -> bytes:
        """What was found, the longest first."""
        lines = [f"stalls of {self._shortest:g}s and more, in {len(self.found)} places\n"]
        for stack, (count, longest) in sorted(self.found.items(), key=lambda item: -item[1][1]):
            lines.append(f"\n{count} times, {longest:.3f}s at most\n{stack}")
        return "".join(lines).encode()


def runtime() -> dict[str, float]:
    """A few numbers that grow when something does not end: by name."""
    return {
        "threads": threading.active_count(),
        "asyncio_tasks": len(asyncio.all_tasks()),
        "allocated_blocks": sys.getallocatedblocks(),
        "modules": len(sys.modules),
        "gc_frozen_objects": gc.get_freeze_count(),
    }
