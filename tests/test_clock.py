"""The system's clock on a loop whose time the test owns, and the fake one beside it."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable

import pytest

from corepy.clock import SYSTEM, Clock, SystemClock, begin, pause
from corepy.testing import FakeClock


class Time:
    """Seconds that pass when a loop waits for them."""

    now = 0.0


class Selector(selectors.SelectSelector):
    """Waits no time: it moves the clock instead."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        Time.now += timeout or 0.0
        return super().select(0)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Clock], object], float], None]:
    """Let something happen on the system's clock, and so many seconds pass."""

    def run(start: Callable[[Clock], object], seconds: float) -> None:
        Time.now = 0.0
        monkeypatch.setattr(SystemClock, "now", staticmethod(lambda: Time.now))
        loop = asyncio.SelectorEventLoop(Selector())
        monkeypatch.setattr(loop, "time", lambda: Time.now)

        async def main() -> None:
            start(SYSTEM)
            over = asyncio.Event()
            loop.call_later(seconds, over.set)
            await over.wait()

        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    return run


Play = Callable[[Callable[[Clock], object], float], None]


def test_later_happens_once(play: Play) -> None:
    moments: list[float] = []
    play(lambda clock: clock.later(2, lambda: moments.append(clock.now())), 10)
    assert moments == pytest.approx([2])


def test_every_happens_again_without_drifting(play: Play) -> None:
    moments: list[float] = []

    def slow() -> None:
        moments.append(Time.now)
        Time.now += 0.3  # what is done takes time

    play(lambda clock: clock.every(1, slow), 5.5)
    assert moments == pytest.approx([1, 2, 3, 4, 5])


def test_every_catches_up_with_nothing_that_it_missed(play: Play) -> None:
    moments: list[float] = []

    def very_slow() -> None:
        moments.append(Time.now)
        Time.now += 3.5 if len(moments) == 1 else 0

    play(lambda clock: clock.every(1, very_slow), 7)
    assert moments[0] == pytest.approx(1)
    assert len(moments) <= 5


@pytest.mark.parametrize("kind", ["later", "every"])
def test_what_is_cancelled_does_not_happen(play: Play, kind: str) -> None:
    moments: list[float] = []

    def start(clock: Clock) -> None:
        timer = getattr(clock, kind)(2, lambda: moments.append(clock.now()))
        clock.later(1, timer.cancel)
        clock.later(1.5, timer.cancel)

    play(start, 10)
    assert moments == []


def test_every_may_be_cancelled_by_what_it_does(play: Play) -> None:
    moments: list[float] = []

    def start(clock: Clock) -> None:
        def once() -> None:
            moments.append(clock.now())
            timer.cancel()

        timer = clock.every(1, once)

    play(start, 10)
    assert moments == pytest.approx([1])


def test_the_system_tells_the_time() -> None:
    assert SYSTEM.now() <= time.monotonic() <= SYSTEM.now()
    assert SYSTEM.wall() <= time.time() <= SYSTEM.wall()


def test_the_fake_one_is_a_clock() -> None:
    clock: Clock = FakeClock()
    assert clock.now() == clock.now()


def test_work_that_was_begun_goes_on_until_it_is_cancelled() -> None:
    clock, done = FakeClock(), list[str]()

    async def work(name: str) -> None:
        await pause(clock, 1)
        done.append(name)

    async def run() -> None:
        begin(work("one"))
        begin(work("two")).cancel()
        await asyncio.sleep(0)
        clock.advance(1)
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(run())
    assert done == ["one"]
