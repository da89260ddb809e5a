"""corepy.control: two sides of a channel, in one loop."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest

from corepy import control
from corepy.control import Channel, Message, Refused


class Side:
    """What one side is asked, and what it answers."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.lost = 0
        self.held = asyncio.Event()

    async def answer(self, message: Message, sockets: list[socket.socket]) -> Message:
        self.sockets += sockets
        if message.get("do") == "wait":
            await self.held.wait()
        if message.get("do") == "refuse":
            raise Refused("not today")
        if message.get("do") == "fail":
            raise LookupError("a bug")
        return {"heard": message}

    def gone(self) -> None:
        self.lost += 1


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair()
    yield pair
    for each in pair:
        each.close()


Ends = tuple[socket.socket, socket.socket]
Dialogue = Callable[[Channel, Side, Channel], Awaitable[None]]


def talk(ends: Ends, dialogue: Dialogue) -> None:
    """Run a dialogue between a channel and another side, whose channel comes third."""

    async def run() -> None:
        here, there = Side(), Side()
        one, other = Channel(ends[0], here.answer, here.gone), Channel(ends[1], there.answer, there.gone)
        try:
            await dialogue(one, there, other)
        finally:
            one.close()
            other.close()
            for sock in there.sockets:
                sock.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_both_sides_ask_and_replies_overtake_each_other(ends: Ends) -> None:
    async def dialogue(one: Channel, there: Side, other: Channel) -> None:
        slow = asyncio.ensure_future(one.ask({"do": "wait"}))
        assert await one.ask({"do": "x"}) == {"heard": {"do": "x"}}
        assert await other.ask({"ä": ["\u2028", None, 1.5]}) == {"heard": {"ä": ["\u2028", None, 1.5]}}
        assert not slow.done()
        there.held.set()
        assert await slow == {"heard": {"do": "wait"}}

    talk(ends, dialogue)


def test_what_is_large_comes_in_pieces(ends: Ends) -> None:
    async def dialogue(one: Channel, _there: Side, _other: Channel) -> None:
        large = {"text": "x" * 5_000_000}
        replies = await asyncio.gather(*(one.ask({**large, "number": number}) for number in range(3)))
        assert [reply["heard"]["number"] for reply in replies] == [0, 1, 2]
        assert replies[0]["heard"]["text"] == large["text"]

    talk(ends, dialogue)


def test_sockets_come_along_each_with_its_message(ends: Ends) -> None:
    async def dialogue(one: Channel, there: Side, _other: Channel) -> None:
        sent = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM) * 20]
        for sock in sent:
            sock.bind(("127.0.0.1", 0))
        await asyncio.gather(one.ask({"pad": "x" * 300_000}, sent[:3]), one.ask({}), one.ask({}, sent[3:]))
        assert [sock.getsockname() for sock in there.sockets] == [sock.getsockname() for sock in sent]
        for sock in sent:
            sock.close()

    talk(ends, dialogue)


@pytest.mark.parametrize(("do", "words"), [("refuse", "not today"), ("fail", r"LookupError\('a bug'\)")])
def test_what_cannot_be_done_is_said(ends: Ends, do: str, words: str) -> None:
    async def dialogue(one: Channel, _there: Side, _other: Channel) -> None:
        with pytest.raises(Refused, match=f"^{words}$"):
            await one.ask({"do": do})

    talk(ends, dialogue)


def test_who_waits_hears_of_the_end(ends: Ends) -> None:
    async def dialogue(one: Channel, there: Side, other: Channel) -> None:
        waiting = asyncio.ensure_future(other.ask({"do": "wait"}))
        waiting_too = asyncio.ensure_future(one.ask({"do": "wait"}))
        await asyncio.sleep(0)
        one.close()
        for each in waiting, waiting_too:
            with pytest.raises(ConnectionError):
                await each
        assert there.lost == 1
        for channel in one, other:
            with pytest.raises(ConnectionError):
                await channel.ask({})

    talk(ends, dialogue)


def test_bounds(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_MESSAGE", 100)

    async def dialogue(one: Channel, there: Side, other: Channel) -> None:
        with pytest.raises(ValueError, match="octets"):
            await one.ask({"text": "x" * 100})
        with pytest.raises(ValueError, match="sockets"):
            await one.ask({}, [ends[0]] * 251)
        data = json.dumps({"number": 1, "ask": {"text": "x" * 100}}).encode()
        ends[0].send(len(data).to_bytes(4, "big") + b"\0" + data)
        with pytest.raises(ConnectionError):
            await other.ask({})
        assert there.lost == 1

    talk(ends, dialogue)
