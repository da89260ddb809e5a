"""Files that are read again when they change."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corepy.testing import FakeClock
from corepy.watched import WatchedFile, in_thread


class Seen:
    """A file, its clock, and what was made of it."""

    def __init__(self, path: Path, parse: Callable[[bytes], Any] = bytes) -> None:
        self.clock = FakeClock()
        self.values: list[Any] = []
        self.errors: list[Exception] = []
        self.file = WatchedFile(path, parse, self.values.append)

    async def after(self, seconds: float) -> None:
        """Let time pass, and wait until the file has been looked at."""
        self.clock.advance(seconds)
        if self.file.reading is not None:
            await self.file.reading


def test_a_thread_gives_others_their_turn_soon() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        assert asyncio.run(in_thread(sys.getswitchinterval)) < 0.001
    finally:
        sys.setswitchinterval(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


def replace(path: Path, content: bytes) -> None:
    """Another file under the name, with another inode whatever its time and size."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def delete(path: Path) -> None:
    path.unlink()


def test_read_when_it_has_changed(path: Path) -> None:
    async def dialogue() -> None:
        seen = Seen(path)
        await seen.file.read()
        seen.file.watch(seen.clock, 5, seen.errors.append)
        await seen.after(4.9)
        assert seen.file.reading is None
        await seen.after(0.1)
        assert seen.values == [b"one"]
        replace(path, b"two")
        await seen.after(5)
        assert seen.values == [b"one", b"two"]
        delete(path)
        await seen.after(5)
        assert [type(error) for error in seen.errors] == [FileNotFoundError]
        replace(path, b"three")
        await seen.after(5)
        assert seen.values == [b"one", b"two", b"three"]
        os.utime(path, (1, 1))
        await seen.after(5)
        assert seen.values[3:] == [b"three"]
        seen.file.stop()
        replace(path, b"four")
        await seen.after(50)
        assert len(seen.values) == 4

    asyncio.run(dialogue())


def test_mistakes_are_told_once(path: Path) -> None:
    async def dialogue() -> None:
        seen = Seen(path, int)
        with pytest.raises(ValueError, match="one"):
            await seen.file.read()
        seen.file.watch(seen.clock, 1, seen.errors.append)
        await seen.after(1)
        assert not seen.errors
        replace(path, b"two")
        await seen.after(1)
        await seen.after(1)
        assert len(seen.errors) == 1
        replace(path, b"3")
        await seen.after(1)
        assert seen.values == [3]
        seen.file.stop()

    asyncio.run(dialogue())


def test_without_interval_nothing_is_watched(path: Path) -> None:
    async def dialogue() -> None:
        seen = Seen(path)
        seen.file.watch(seen.clock, 0, seen.errors.append)
        await seen.after(1000)
        assert seen.file.reading is None
        seen.file.stop()

    asyncio.run(dialogue())


def test_one_look_at_a_time(path: Path) -> None:
    async def dialogue() -> None:
        seen = Seen(path)
        seen.file.watch(seen.clock, 1, seen.errors.append)
        seen.clock.advance(1)
        first = seen.file.reading
        seen.clock.advance(5)
        assert seen.file.reading is first
        await seen.after(0)
        assert seen.values == [b"one"]
        seen.file.stop()

    asyncio.run(dialogue())
