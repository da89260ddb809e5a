"""Outcomes of every kind, over each other."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from corepy.deferred import Deferred, after, settle
from corepy.errors import Failure
from corepy.reply import Outcome, Reply
from corepy.testing import make_query

QUERY = make_query()
ONE = Reply.refused(QUERY)
TWO = Reply.failed(QUERY)


def run(make: Callable[[], Awaitable[Reply]]) -> Reply:
    async def wait() -> Reply:
        return await make()

    return asyncio.run(wait())


async def soon(reply: Reply) -> Reply:
    await asyncio.sleep(0)
    return reply


async def fails() -> Reply:
    await asyncio.sleep(0)
    raise Failure("late")


def settled_soon(result: Reply | Exception) -> Deferred:
    deferred = Deferred()
    asyncio.get_running_loop().call_soon(deferred.settle, result)
    return deferred


OUTCOMES: list[Callable[[], Outcome]] = [lambda: ONE, lambda: soon(ONE), lambda: settled_soon(ONE)]


@pytest.mark.parametrize("make", OUTCOMES, ids=["reply", "coroutine", "deferred"])
def test_every_outcome_can_be_awaited_wrapped_and_settled(make: Callable[[], Outcome]) -> None:
    async def wrapper() -> Reply:
        assert await make() is ONE
        assert await after(make(), lambda _: TWO) is TWO
        return await settle(make())

    assert run(wrapper) is ONE


@pytest.mark.parametrize("make", [fails, lambda: settled_soon(Failure("late"))], ids=["coroutine", "deferred"])
def test_failures_go_the_same_way(make: Callable[[], Outcome]) -> None:
    async def wrapper() -> Reply:
        with pytest.raises(Failure):
            await make()
        with pytest.raises(Failure):
            await after(make(), lambda reply: reply)
        with pytest.raises(ValueError, match="other"):
            await after(make(), lambda reply: reply, lambda _: ValueError("other"))
        with pytest.raises(Failure):
            await settle(make())
        return await after(make(), lambda reply: reply, lambda _: TWO)

    assert run(wrapper) is TWO


def test_steps_run_in_order_each_with_what_the_one_before_made() -> None:
    deferred = Deferred()
    seen: list[Reply] = []

    def to(next_one: Reply) -> Callable[[Reply], Reply]:
        def step(reply: Reply) -> Reply:
            seen.append(reply)
            return next_one

        return step

    deferred.then(to(TWO)).then(to(TWO))
    deferred.settle(ONE)
    deferred.settle(Failure("too late"))
    assert seen == [ONE, TWO]
    assert deferred.result is TWO
    deferred.then(to(ONE))
    assert seen == [ONE, TWO, TWO]
    assert deferred.result is ONE


def test_a_step_that_raises_fails_the_reply() -> None:
    def bug(_reply: Reply) -> Reply:
        raise KeyError("bug")

    deferred = Deferred().then(bug).then(lambda _: TWO, lambda error: Failure(repr(error)))
    deferred.settle(ONE)
    assert isinstance(deferred.result, Failure)
    assert "bug" in str(deferred.result)


def test_timeouts_of_asyncio_work_in_a_query() -> None:
    async def serve() -> Reply:
        try:
            async with asyncio.timeout(0):
                await Deferred()
        except TimeoutError:
            return TWO
        raise AssertionError

    async def wrapper() -> Reply:
        return await settle(serve())

    assert run(wrapper) is TWO
