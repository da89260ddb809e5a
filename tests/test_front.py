"""corepy.front: workers behind the supervisor's endpoints, all in one process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from corepy import front, http
from corepy.clock import SYSTEM
from corepy.control import Channel, Message
from corepy.front import Endpoints, Front


class Side:
    """A worker's side."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock, self._answer, lambda: None)
        self.front = Front(self.channel)

    async def _answer(self, message: Message, _sockets: list[socket.socket]) -> Message:
        return await self.front.answer(message)


class Stage:
    """A supervisor with two workers, each end of a channel in this loop. `asked` are those that are asked."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.fronts: list[Front] = []
        self.endpoints = Endpoints(self._ask_all)
        self.silent = asyncio.Event()
        for _ in range(2):
            ours, theirs = socket.socketpair()
            here = Channel(ours, lambda message, _: self.endpoints.answer("owner", message), lambda: None)
            there = Side(theirs)
            self.channels += [here, there.channel]
            self.fronts.append(there.front)
        http._openers.clear()   # which is for the workers; here they share a loop with the supervisor

    async def _ask_all(self, message: Message) -> list[Message]:
        return await asyncio.gather(*(channel.ask(message) for channel in self.channels[::2]))

    def close(self) -> None:
        self.endpoints.close()
        for channel in self.channels:
            channel.close()


def play(dialogue: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        stage = Stage()
        try:
            await dialogue(stage)
        finally:
            stage.close()

    asyncio.run(asyncio.wait_for(run(), 20))


async def get(port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


def saying(*responses: http.Response | Exception) -> list[http.Handler]:
    """Handlers, one for each worker."""

    def handler(response: http.Response | Exception) -> http.Handler:
        async def answer(_request: http.Request) -> http.Response:
            if isinstance(response, Exception):
                raise response
            return response

        return answer

    return [handler(response) for response in responses]


OK = http.Response(b"OK")
METRICS = "text/plain; version=0.0.4; charset=utf-8"


def counted(number: int) -> http.Response:
    return http.Response(f"# HELP x_total X\n# TYPE x_total counter\nx_total {number}\n".encode(), 200, METRICS)


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ((OK, OK), (200, b"OK")),
        ((OK, http.Response(b"forward", 503)), (503, b"forward")),
        ((http.Response(b"one"), http.Response(b"two")), (200, b"one")),
        ((counted(2), counted(5)), (200, counted(7).body)),
        ((OK, LookupError("a bug")), (503, b"a worker does not answer\n")),
    ],
)
def test_the_responses_of_all_become_one(
    responses: tuple[http.Response | Exception, ...], expected: tuple[int, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corepy.exposition.FAMILIES", {})

    async def dialogue(stage: Stage) -> None:
        leases = [
            await worker.listen("127.0.0.1", 0, {"/it": handler})
            for worker, handler in zip(stage.fronts, saying(*responses), strict=True)
        ]
        assert leases[0].port == leases[1].port
        assert await get(leases[0].port, "/it") == expected
        assert (await get(leases[0].port, "/other"))[0] == 404

    play(dialogue)


def test_an_endpoint_lives_as_long_as_somebody_has_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_PATIENCE", 10)

    async def dialogue(stage: Stage) -> None:
        [handler] = saying(OK)
        one, two = [await worker.listen("127.0.0.1", 0, {"/it": handler}) for worker in stage.fronts]
        one.close()
        one.close()
        assert (await get(two.port, "/it"))[0] == 404   # one worker has nothing to say any more
        stage.endpoints.forget("owner")
        with pytest.raises(ConnectionRefusedError):
            await get(two.port, "/it")

    play(dialogue)


def test_an_address_that_cannot_be_had() -> None:
    async def dialogue(stage: Stage) -> None:
        with pytest.raises(OSError, match="requested address"):
            await stage.fronts[0].listen("192.0.2.1", 1, {})

    play(dialogue)


def test_a_worker_that_hangs_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_PATIENCE", 0)

    async def dialogue(stage: Stage) -> None:
        [handler] = saying(OK)
        lease = await stage.fronts[0].listen("127.0.0.1", 0, {"/it": handler})
        assert await get(lease.port, "/it") == (503, b"a worker does not answer\n")

    play(dialogue)


def test_without_workers_the_loop_opens_its_own() -> None:
    async def run() -> None:
        lease = await http.listen("127.0.0.1", 0, {"/it": lambda _: OK}, SYSTEM)
        assert await get(lease.port, "/it") == (200, b"OK")
        lease.close()

    asyncio.run(run())
