"""Upstreams over TCP: connections that are kept, shared, replaced and given up, on loopback under a fake clock."""

from __future__ import annotations

import asyncio

import pytest

from corepy.testing import FakeClock
from corepy.upstream import Options, Target
from corepy.upstream.budget import Budget
from corepy.upstream.connections import ConnectionPool
from corepy.upstream.framed import FramedConnection
from tests.farside import QUERY, Far, Waiting, drive, read_message, reply, write_message


def test_a_connection_is_kept() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(9), FramedConnection)
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        reader, writer = await far.accept()
        for _ in range(3):
            asked = await read_message(reader)
            assert asked[2:] == QUERY[2:]
            write_message(writer, reply(asked))
            await waiting.done.wait()
            waiting = Waiting()
            pool.ask(QUERY, waiting)
        await read_message(reader)
        assert len(pool.connections) == 1
        pool.close()
        assert await reader.read() == b""
        writer.close()

    drive(test)


def test_many_questions_share_a_connection_in_any_order() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(1), FramedConnection)
        waiters = [Waiting() for _ in range(20)]
        for waiting in waiters:
            pool.ask(QUERY, waiting)
        reader, writer = await far.accept()
        asked = [await read_message(reader) for _ in waiters]
        assert len({wire[:2] for wire in asked}) == 20
        for wire in reversed(asked):
            write_message(writer, reply(wire))
        for waiting in waiters:
            await waiting.done.wait()
            assert waiting.error is None
        pool.close()
        writer.close()

    drive(test)


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(9), FramedConnection)
        first, second = Waiting(), Waiting()
        pool.ask(QUERY, first)
        reader, writer = await far.accept()
        write_message(writer, reply(await read_message(reader)))
        await first.done.wait()
        pool.ask(QUERY, second)
        asked = await read_message(reader)
        writer.write((200).to_bytes(2, "big") + reply(asked))  # and so it ends in mid-message
        writer.close()
        reader, writer = await far.accept()
        write_message(writer, reply(await read_message(reader)))
        await second.done.wait()
        assert second.error is None
        pool.close()
        writer.close()

    drive(test)


def test_a_fresh_connection_that_is_closed_is_a_failure() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(9), FramedConnection)
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        reader, writer = await far.accept()
        await read_message(reader)
        writer.close()
        await waiting.done.wait()
        assert str(waiting.error).endswith(f"->{far.address}: EOF")
        assert not pool.connections
        pool.close()

    drive(test)


def test_a_refused_connection() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        far.tcp.close()
        budget = Budget(9)
        pool = ConnectionPool(Target(far.address), Options(), clock, budget, FramedConnection)
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        await waiting.done.wait()
        assert str(waiting.error) == f"dial tcp {far.address}: connect: connection refused"
        assert budget.used == 0
        pool.close()

    drive(test)


def test_a_silent_connection_is_asked_no_more() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(9), FramedConnection)
        waiting = Waiting(clock.now() + 2)
        pool.ask(QUERY, waiting)
        reader, writer = await far.accept()
        await read_message(reader)
        clock.advance(2.1)
        assert str(waiting.error).endswith("i/o timeout")
        assert await reader.read() == b""
        assert not pool.connections
        pool.close()
        writer.close()

    drive(test)


def test_an_upstream_that_does_not_read() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(1), FramedConnection)
        large = QUERY + bytes(60_000)
        pool.ask(QUERY, waiting := Waiting())
        _, writer = await far.accept()
        while waiting.error is None:
            pool.ask(large, waiting := Waiting())
            await asyncio.sleep(0)
        assert str(waiting.error) == f"dial tcp {far.address}: no connection is free"
        pool.close()
        writer.close()

    drive(test)


def test_connecting_may_outlast_a_question() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), Options(), clock, Budget(1), FramedConnection)
        first, second = Waiting(clock.now() + 0.1), Waiting()
        pool.ask(QUERY, first)
        clock.advance(0.2)
        assert str(first.error) == f"read tcp ->{far.address}: i/o timeout"
        pool.ask(QUERY, second)
        reader, writer = await far.accept()
        await read_message(reader)
        write_message(writer, reply(await read_message(reader)))
        await second.done.wait()
        assert second.error is None
        pool.close()
        writer.close()

    drive(test)


def test_connecting_does_not_last_forever() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        budget = Budget(1)
        pool = ConnectionPool(Target(far.address), Options(), clock, budget, FramedConnection)
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        await asyncio.sleep(0)  # until it tries
        clock.advance(5)
        await waiting.done.wait()
        assert str(waiting.error) == f"dial tcp {far.address}: i/o timeout"
        assert budget.used == 0
        pool.close()

    drive(test)


@pytest.mark.parametrize(
    ("options", "pause", "same"),
    [
        (Options(), 9.0, True),
        (Options(), 10.1, False),
        (Options(expire=0), 0.0, False),
        (Options(expire=20, max_age=20), 19.0, True),
        (Options(expire=20, max_age=20), 21.0, False),
    ],
)
def test_connections_expire(options: Options, pause: float, same: bool) -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = ConnectionPool(Target(far.address), options, clock, Budget(9), FramedConnection)
        first, second = Waiting(), Waiting()
        pool.ask(QUERY, first)
        reader, writer = await far.accept()
        write_message(writer, reply(await read_message(reader)))
        await first.done.wait()
        clock.advance(pause)
        pool.ask(QUERY, second)
        if not same:
            assert await reader.read() == b""
            writer.close()
            reader, writer = await far.accept()
        write_message(writer, reply(await read_message(reader)))
        await second.done.wait()
        pool.close()
        writer.close()

    drive(test)
