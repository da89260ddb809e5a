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
        return await (self.front.admit(message) if message["do"] == "admit" else self.front.answer(message))


class Worker:
    """A worker, as the supervisor sees it; `asked` is what it has been asked."""

    def __init__(self, index: int, endpoints: Endpoints, sock: socket.socket) -> None:
        self.index = index
        self.asked: list[Message] = []
        self.channel = Channel(sock, lambda message, _: endpoints.answer(self, message), lambda: None)

    async def ask(self, message: Message) -> Message:
        self.asked.append(message)
        return await self.channel.ask(message)


class Stage:
    """A supervisor with two workers, each end of a channel in this loop."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.fronts: list[Front] = []
        self.workers: dict[int, Worker] = {}
        self.endpoints = Endpoints(lambda: self.workers)
        for index in range(2):
            ours, theirs = socket.socketpair()
            self.workers[index] = Worker(index, self.endpoints, ours)
            there = Side(theirs)
            self.channels += [self.workers[index].channel, there.channel]
            self.fronts.append(there.front)
        http._openers.clear()   # which is for the workers; here they share a loop with the supervisor

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
        stage.endpoints.forget(stage.workers[0])
        stage.endpoints.forget(stage.workers[1])
        with pytest.raises(ConnectionRefusedError):
            await get(two.port, "/it")

    play(dialogue)


def test_one_answers_where_one_is_asked() -> None:
    async def dialogue(stage: Stage) -> None:
        for worker, handler in zip(stage.fronts, saying(OK, http.Response(b"other")), strict=True):
            lease = await worker.listen("127.0.0.1", 0, {"/it": handler}, one=True)
        assert await get(lease.port, "/it") == (200, b"OK")
        assert await get(lease.port, "/it?seconds=1&worker=1") == (200, b"other")
        assert [len(worker.asked) for worker in stage.workers.values()] == [1, 1]
        for bad in ("7", "0.5"):
            said = f"there is no worker {bad}, there are 0, 1\n".encode()
            assert await get(lease.port, f"/it?worker={bad}") == (404, said)
        assert await get(lease.port, "/it?worker=x") == (200, b"OK")
        stage.workers.clear()
        assert (await get(lease.port, "/it"))[0] == 404

    play(dialogue)


def test_a_worker_that_reaches_for_its_endpoint_is_asked_alone() -> None:
    async def dialogue(stage: Stage) -> None:
        [good, bad] = saying(OK, http.Response(b"no", 503))
        leases = [
            await worker.listen("127.0.0.1", 0, {"/it": handler})
            for worker, handler in zip(stage.fronts, (good, bad), strict=True)
        ]
        await leases[0].reach("/it")
        with pytest.raises(ConnectionError, match="answered 503"):
            await leases[1].reach("/it")
        assert [len(worker.asked) for worker in stage.workers.values()] == [1, 1]

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
