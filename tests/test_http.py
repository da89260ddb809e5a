"""Endpoints: paths, connections, bounds, and addresses that go from one owner to the next."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corepy import http
from corepy.http import MAX_CONNECTIONS, TIMEOUT, Handler, Request, Response
from corepy.testing import FakeClock

HOST = "127.0.0.1"


def say(text: str) -> Handler:
    return lambda _: Response(text.encode())


class Peer:
    """A client that writes octets and reads responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, port: int, host: str = HOST) -> Peer:
        return cls(*await asyncio.open_connection(host, port))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def ask(self, path: str, method: str = "GET", headers: str = "") -> None:
        self.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())

    async def response(self, *, head: bool = False) -> tuple[int, str]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = int(next(line.split()[1] for line in lines if line.startswith("Content-Length")))
        body = b"" if head else await self.reader.readexactly(length)
        return int(lines[0].split()[1]), body.decode()

    async def get(self, path: str, method: str = "GET", headers: str = "") -> tuple[int, str]:
        self.ask(path, method, headers)
        return await self.response(head=method == "HEAD")

    async def at_end(self) -> bool:
        """Whether the server has closed the connection."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True
        finally:
            self.writer.close()


def run(scenario: Callable[[FakeClock], Coroutine[Any, Any, None]]) -> None:
    """Run a dialogue; no wait of it may be longer than a test may take."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario(FakeClock())

    asyncio.run(bounded())


async def fetch(port: int, path: str, host: str = HOST) -> tuple[int, str]:
    peer = await Peer.of(port, host)
    try:
        return await peer.get(path)
    finally:
        peer.writer.close()


# --- requests ---


def test_paths_methods_and_connections_that_are_kept() -> None:
    async def scenario(clock: FakeClock) -> None:
        seen: list[Request] = []

        def note(request: Request) -> Response:
            seen.append(request)
            return Response(b"noted", 503)

        lease = await http.listen(HOST, 0, {"/ok": say("OK"), "/note": note}, clock)
        peer = await Peer.of(lease.port)
        assert await peer.get("/ok") == (200, "OK")
        assert await peer.get("/ok?x=1") == (200, "OK")
        assert await peer.get("/ok", "HEAD") == (200, "")
        assert await peer.get("/note?seconds=3", "POST", "Content-Length: 0\r\n") == (503, "noted")
        assert seen == [Request("POST", "/note", "seconds=3")]
        for path in ("/", "/ok/", "//ok", "/other"):
            assert await peer.get(path) == (404, "404 page not found\n")
        peer.write(b"POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
        peer.write(b"dyGET /note HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert await peer.response() == (200, "OK")
        assert await peer.response() == (503, "noted")
        assert await peer.at_end()
        lease.close()

    run(scenario)


def test_a_bad_request_is_told_so_and_closed() -> None:
    async def scenario(clock: FakeClock) -> None:
        lease = await http.listen(HOST, 0, {"/": say("OK")}, clock)
        for data, status in (
            (b"what\r\n\r\n", 400),
            (b"\x16\x03\x01", 400),
            (b"X" * 9000, 431),
            (b"GET / HTTP/3.0\r\n\r\n", 505),
        ):
            peer = await Peer.of(lease.port)
            peer.write(data)
            assert (await peer.response())[0] == status
            assert await peer.at_end()
        lease.close()

    run(scenario)


def test_handlers_that_wait_and_handlers_that_fail(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(clock: FakeClock) -> None:
        go = asyncio.Event()

        async def late(_: Request) -> Response:
            await go.wait()
            return Response(b"late")

        def fail(_: Request) -> Response:
            raise RuntimeError("a bug")

        async def fail_late(_: Request) -> Response:
            raise RuntimeError("another bug")

        routes: dict[str, Handler] = {"/late": late, "/fail": fail, "/fail-late": fail_late, "/ok": say("OK")}
        lease = await http.listen(HOST, 0, routes, clock)
        peer = await Peer.of(lease.port)
        peer.ask("/late")
        peer.ask("/ok")
        assert await fetch(lease.port, "/ok") == (200, "OK")
        clock.advance(10 * TIMEOUT)   # who waits for us is not late
        go.set()
        assert await peer.response() == (200, "late")
        assert await peer.response() == (200, "OK")
        for path in ("/fail", "/fail-late") * 2:
            assert await peer.get(path) == (500, "500 Internal Server Error\n")
        lease.close()
        assert await peer.at_end()

    run(scenario)
    assert capsys.readouterr().out.count("Traceback") == 2


def test_a_client_that_leaves_ends_its_handler() -> None:
    async def scenario(clock: FakeClock) -> None:
        started, ended = asyncio.Event(), asyncio.Event()

        async def endless(_: Request) -> Response:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return Response()

        lease = await http.listen(HOST, 0, {"/": endless}, clock)
        peer = await Peer.of(lease.port)
        peer.ask("/")
        await started.wait()
        peer.writer.transport.abort()
        await ended.wait()
        lease.close()

    run(scenario)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=200), max_size=4))
def test_any_octets_get_a_response_or_the_end(pieces: list[bytes]) -> None:
    async def scenario(clock: FakeClock) -> None:
        lease = await http.listen(HOST, 0, {"/": say("OK")}, clock)
        peer = await Peer.of(lease.port)
        for piece in pieces:
            peer.write(piece)
        peer.writer.write_eof()
        data = await peer.reader.read()
        assert data == b"" or data.startswith(b"HTTP/1.1 ")
        peer.writer.close()
        assert await fetch(lease.port, "/") == (200, "OK")
        lease.close()

    run(scenario)


# --- bounds ---


def test_silence_and_half_a_request_have_their_time() -> None:
    async def scenario(clock: FakeClock) -> None:
        lease = await http.listen(HOST, 0, {"/": say("OK")}, clock)
        silent, half, kept = [await Peer.of(lease.port) for _ in range(3)]
        half.write(b"GET / HT")
        assert await kept.get("/") == (200, "OK")
        clock.advance(TIMEOUT - 0.1)
        assert await kept.get("/") == (200, "OK")
        clock.advance(0.2)
        assert await silent.at_end()
        assert await half.at_end()
        assert await kept.get("/") == (200, "OK")
        clock.advance(TIMEOUT + 0.1)
        assert await kept.at_end()
        lease.close()

    run(scenario)


def test_the_connection_that_has_been_silent_longest_makes_room() -> None:
    async def scenario(clock: FakeClock) -> None:
        lease = await http.listen(HOST, 0, {"/": say("OK")}, clock)
        peers = [await Peer.of(lease.port) for _ in range(MAX_CONNECTIONS)]
        for peer in peers:
            assert await peer.get("/") == (200, "OK")
        assert await peers[0].get("/") == (200, "OK")
        assert await fetch(lease.port, "/") == (200, "OK")
        assert await peers[1].at_end()
        assert await peers[0].get("/") == (200, "OK")
        for peer in peers:
            peer.writer.close()
        lease.close()

    run(scenario)


def test_without_descriptors_clients_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(clock: FakeClock) -> None:
        lease = await http.listen(HOST, 0, {"/": say("OK")}, clock)
        refused = asyncio.Event()
        with monkeypatch.context() as patch:

            def none_left(_: socket.socket) -> Any:
                refused.set()
                raise OSError(24, "Too many open files")

            patch.setattr(socket.socket, "accept", none_left)
            peer = await Peer.of(lease.port)
            await refused.wait()
        clock.advance(1)
        assert await peer.get("/") == (200, "OK")
        peer.writer.close()
        lease.close()

    run(scenario)


# --- addresses ---


def test_an_address_is_shared_and_the_newest_answers_a_path() -> None:
    async def scenario(clock: FakeClock) -> None:
        first = await http.listen(HOST, 0, {"/a": say("1"), "/b": say("1")}, clock)
        second = await http.listen(HOST, 0, {"/a": say("2")}, clock)
        assert first.port == second.port
        peer = await Peer.of(first.port)
        assert [await peer.get(path) for path in ("/a", "/b")] == [(200, "2"), (200, "1")]
        first.close()
        first.close()
        assert [await peer.get(path) for path in ("/a", "/b")] == [(200, "2"), (404, "404 page not found\n")]
        second.close()
        assert await peer.at_end()
        with pytest.raises(ConnectionRefusedError):
            await Peer.of(first.port)

    run(scenario)


def test_who_goes_on_loses_no_request() -> None:
    async def scenario(clock: FakeClock) -> None:
        lease = await http.listen(HOST, 0, {"/": say("OK")}, clock)
        peer = await Peer.of(lease.port)
        for _ in range(20):
            asked: Awaitable[tuple[int, str]] = asyncio.ensure_future(fetch(lease.port, "/"))
            peer.ask("/")
            follower = await http.listen(HOST, 0, {"/": say("OK")}, clock)
            lease.close()
            lease = follower
            assert await asked == (200, "OK")
            assert await peer.response() == (200, "OK")
        peer.writer.close()
        lease.close()

    run(scenario)


def test_a_response_in_the_making_is_sent_when_the_endpoint_closes() -> None:
    async def scenario(clock: FakeClock) -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def late(_: Request) -> Response:
            started.set()
            await go.wait()
            return Response(b"late")

        lease = await http.listen(HOST, 0, {"/": late}, clock)
        peer = await Peer.of(lease.port)
        peer.ask("/")
        await started.wait()
        lease.close()
        go.set()
        assert await peer.response() == (200, "late")
        assert await peer.at_end()

    run(scenario)


def test_all_addresses_take_the_place_of_one_and_names_are_looked_up(free_port: Callable[[], int]) -> None:
    async def scenario(clock: FakeClock) -> None:
        port = free_port()
        one = await http.listen("localhost", port, {"/": say("one")}, clock)
        assert await fetch(port, "/") == (200, "one")
        everywhere = await http.listen("", port, {"/": say("all")}, clock)
        one.close()
        assert await fetch(port, "/") == (200, "all")
        assert await fetch(port, "/", "127.0.0.2") == (200, "all")
        everywhere.close()

    run(scenario)


def test_an_address_that_cannot_be_had() -> None:
    async def scenario(clock: FakeClock) -> None:
        for host in ("192.0.2.1", "no.such.name.invalid"):
            with pytest.raises(OSError):  # noqa: PT011 - each system has its own
                await http.listen(host, 0, {}, clock)
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            with pytest.raises(OSError):  # noqa: PT011 - each system has its own
                await http.listen(HOST, taken.getsockname()[1], {}, clock)

    run(scenario)


# --- the other side ---


def test_an_owner_reaches_its_own_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(clock: FakeClock) -> None:
        async def never(_request: Request) -> Response:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        routes = {"/ok": say("OK"), "/bad": lambda _: http.error(503), "/never": never}
        lease = await http.listen(HOST, 0, routes, clock)
        await lease.reach("/ok")
        with pytest.raises(ConnectionError, match="503"):
            await lease.reach("/bad")
        monkeypatch.setattr(http, "_CHECK", 0)
        with pytest.raises(TimeoutError, match="no answer within 0s"):
            await lease.reach("/never")
        monkeypatch.undo()
        lease.close()
        with pytest.raises(ConnectionRefusedError):
            await lease.reach("/ok")
        for host in ("", "0.0.0.0", "::"):
            everywhere = await http.listen(host, 0, {"/ok": say("OK")}, clock)
            await everywhere.reach("/ok")
            peer = await Peer.of(everywhere.port)   # over IPv4, whatever the family
            assert await peer.get("/ok") == (200, "OK")
            everywhere.close()
            assert await peer.at_end()

    run(scenario)
