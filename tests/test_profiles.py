"""Profiles of a process: what they show, and that only one is made at a time."""

from __future__ import annotations

import asyncio
import marshal
import threading
from collections.abc import Awaitable, Callable

import pytest

from corepy import profiles
from corepy.testing import FakeClock


def busy_work() -> int:
    return sum(range(1000))


def profiled(make: Callable[[FakeClock], Awaitable[bytes]]) -> bytes:
    """A profile of ten seconds in which busy_work() is called."""

    async def scenario() -> bytes:
        clock = FakeClock()
        task = asyncio.ensure_future(make(clock))
        await asyncio.sleep(0)
        busy_work()
        clock.advance(10)
        return await task

    return asyncio.run(scenario())


def test_where_time_goes() -> None:
    assert b"busy_work" in profiled(lambda clock: profiles.cpu(clock, 10, text=True))
    dump = marshal.loads(profiled(lambda clock: profiles.cpu(clock, 10, text=False)))  # noqa: S302 - our own
    assert any(function == "busy_work" for _, _, function in dump)


def test_calls_and_returns() -> None:
    lines = profiled(lambda clock: profiles.trace(clock, 10)).decode().splitlines()
    mine = [line.split() for line in lines if line.endswith("busy_work")]
    assert [words[1] for words in mine] == ["call", "return"]
    assert float(mine[0][0]) <= float(mine[1][0])


def test_where_memory_goes() -> None:
    kept: list[bytearray] = []

    async def scenario() -> bytes:
        clock = FakeClock()
        task = asyncio.ensure_future(profiles.allocations(clock, 10))
        await asyncio.sleep(0)
        kept.append(bytearray(1_000_000))
        clock.advance(10)
        return await task

    first = asyncio.run(scenario()).decode().splitlines()[1]
    assert int(first.split()[0]) >= 1_000_000
    assert "test_profiles.py" in first


def test_one_at_a_time() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        task = asyncio.ensure_future(profiles.cpu(clock, 10, text=True))
        await asyncio.sleep(0)
        for other in (profiles.cpu(clock, 1, text=True), profiles.trace(clock, 1), profiles.allocations(clock, 1)):
            with pytest.raises(profiles.Busy):
                await other
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again = asyncio.ensure_future(profiles.cpu(clock, 1, text=True))
        await asyncio.sleep(0)
        clock.advance(1)
        assert b"function calls" in await again

    asyncio.run(scenario())


def test_objects_tasks_and_threads() -> None:
    class Odd:
        pass

    odd = [Odd() for _ in range(10_000)]
    assert b"Odd" in profiles.heap()
    assert len(odd) == 10_000

    async def scenario() -> bytes:
        return profiles.tasks()

    assert b"in scenario" in asyncio.run(scenario())
    go = threading.Event()
    waiter = threading.Thread(target=go.wait, name="somebody")
    waiter.start()
    assert b"somebody" in profiles.threads()
    assert b"test_objects" in profiles.threads()
    assert b"test_objects" not in profiles.threads(waiting=True)
    go.set()
    waiter.join()


def test_stalls_are_noted_with_where_they_were() -> None:
    stalls = profiles.Stalls(FakeClock(), 0.02)

    def hold_up() -> None:
        for _ in range(2_000_000):   # until the watcher has seen it, however busy the machine is
            if stalls.found:
                return
            busy_work()

    stalls.start()
    hold_up()
    stalls.stop()
    report = stalls.report().decode()
    assert report.startswith("stalls of 0.02s and more, in 1 places")
    assert "1 times" in report
    assert "hold_up" in report


def test_numbers_of_the_runtime() -> None:
    async def scenario() -> dict[str, float]:
        return profiles.runtime()

    numbers = asyncio.run(scenario())
    assert numbers["asyncio_tasks"] == 1
    assert numbers["threads"] >= 1
