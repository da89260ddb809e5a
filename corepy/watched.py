"""Files that are read again when they change, without keeping queries waiting.

A hosts file may have a million lines: reading and parsing happen in a thread, what came of it is used in the loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from corepy.clock import Clock, Timer

T = TypeVar("T")

_SHORTEST: Final = 0.01
"""Seconds between two looks at a file, at least: a look takes a thread's turn, and files do not change faster."""
_TURN: Final = 0.0005
"""Seconds that a thread goes on while another one waits. Python's own 5 ms are long for a query, which waits for
several turns between its datagram and its reply; where there is no other thread, it makes no difference."""


async def in_thread(work: Callable[[], T]) -> T:
    """What a function gives that takes its time, called where it keeps no query waiting."""
    sys.setswitchinterval(min(sys.getswitchinterval(), _TURN))
    return await asyncio.to_thread(work)


class Watched(Generic[T]):
    """Something outside that is looked at again and again: `use(found)` what `load()` has brought, in a tuple of one.

    `load` is called in a thread, `use` in the event loop, and not where `load` gave None: nothing has changed.
    """

    def __init__(self, load: Callable[[], tuple[T] | None], use: Callable[[T], None]) -> None:
        self._load = load
        self.use = use
        """What is done with what has been found; may be changed."""
        self._timer: Timer | None = None
        self.reading: asyncio.Task[None] | None = None
        """What the last look is, or was; a test may await it."""

    async def read(self) -> None:
        """Look now. Raises what `load` raises."""
        found = await in_thread(self._load)
        if found is not None:
            self.use(found[0])

    def watch(self, clock: Clock, interval: float, complain: Callable[[Exception], None]) -> None:
        """Look again every `interval` seconds; never if that is zero. `complain` hears what `read` would raise."""

        def look() -> None:
            if self.reading is None or self.reading.done():
                self.reading = asyncio.get_running_loop().create_task(self._read_again(complain))

        if interval > 0:
            self._timer = clock.every(max(interval, _SHORTEST), look)

    def stop(self) -> None:
        """Read no more; harmless where nothing is watched."""
        if self._timer is not None:
            self._timer.cancel()
        if self.reading is not None:
            self.reading.cancel()

    async def _read_again(self, complain: Callable[[Exception], None]) -> None:
        try:
            await self.read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may find better
            complain(error)


class WatchedFile(Watched[T]):
    """A file at `path` whose octets mean something: `use(parse(octets))`.

    A file has changed when its inode, its size or the time of its last modification has; nothing is read before that,
    and what could not be parsed is not tried again. `read` raises OSError where it cannot be read, and what `parse`
    raises.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], use: Callable[[T], None]) -> None:
        super().__init__(self._read_file, use)
        self.path = path
        self._parse = parse
        self._seen: tuple[int, int, int] | None = None
        self.modified = 0.0
        """When the file that was read last had been modified, in seconds since 1970."""

    def _read_file(self) -> tuple[T] | None:
        """What the file means now; None where it is the one that was read before."""
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            seen = status.st_ino, status.st_size, status.st_mtime_ns
            if seen == self._seen:
                return None
            self._seen, self.modified = seen, status.st_mtime
            return (self._parse(file.read()),)


__all__ = ["Watched", "WatchedFile", "in_thread"]
