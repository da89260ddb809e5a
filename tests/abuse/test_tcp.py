"""Clients on TCP that are slow, silent, greedy or gone; and those beside them, who are served as ever.

Framing and one connection's life are shown by tests/test_stream.py; who makes room, and that a fast answer overtakes a
slow one, by tests/test_ports.py.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.ports import CLOSED, StreamPort
from corepy.proxyproto import SIGNATURE
from corepy.stream import MAX_UNREAD, WRITE_BUFFER, frame
from corepy.testing import Client, FakeClock, Running, message

if TYPE_CHECKING:
    from tests.conftest import Serve, Start

WHOAMI = ". {\n proxyproto {\n allow 127.0.0.0/8\n }\n whoami\n}\n"
MANY = 150
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


def until_none_is_open(running: Running) -> None:
    """Wait until the server has closed all connections, or seen that they are closed."""
    while running.call(lambda: StreamPort.open_connections):
        pass


def until_so_many_are_open(running: Running, count: int) -> None:
    """Wait until the server has taken so many connections."""
    while running.call(lambda: len(StreamPort._by_use)) < count:
        pass


@pytest.fixture
def crowd() -> Iterator[Callable[[Running], list[Client]]]:
    """Many connections, closed with the test."""
    with ExitStack() as stack:

        def come(running: Running) -> list[Client]:
            return [stack.enter_context(running.client("tcp")) for _ in range(MANY)]

        yield come


BEGINNINGS = {
    "nothing": b"",
    "half of a length": b"\0",
    "a length": b"\xff\xff",
    "half of a message": frame(message())[:9],
    "half of a header": SIGNATURE[:7],
    "a header's length": SIGNATURE + b"\x21\x11\xff\xff",
    "half of a header in text": b"PROXY TCP4 ",
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_who_says_too_little_is_closed_and_others_are_served(
    serve: Serve, crowd: Callable[[Running], list[Client]], beginning: bytes
) -> None:
    clock = FakeClock()
    running = serve(WHOAMI, clock=clock)
    clients = crowd(running)
    before = CLOSED.values.get(("time",), 0)
    for client in clients:
        client.send(beginning)
    until_so_many_are_open(running, MANY)
    assert running.ask().rcode == running.ask(transport="tcp").rcode == codes.NOERROR
    running.call(lambda: clock.advance(3.3))  # the time for a first message, and a sweep
    assert all(client.ended() for client in clients)
    until_none_is_open(running)
    assert CLOSED.values["time",] - before == MANY


def test_a_drip_of_octets_buys_no_time(serve: Serve) -> None:
    clock = FakeClock()
    running = serve(WHOAMI, clock=clock)
    with running.client("tcp") as client:
        until_so_many_are_open(running, 1)
        for octet in frame(message())[:3]:
            client.send(bytes((octet,)))
            running.call(lambda: clock.advance(0.9))
        running.call(lambda: clock.advance(0.6))
        assert client.ended()


@pytest.mark.parametrize(
    "junk",
    [
        b"\0\0" * 4000,
        b"\0\1x" * 4000,
        b"\x16\3\1\2\0\1\0\1\xfc\3\3" + bytes(500),  # TLS
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        bytes(range(256)) * 64,
    ],
    ids=["empty frames", "frames of one octet", "tls", "http", "http/2", "noise"],
)
def test_junk_disturbs_nobody(serve: Serve, junk: bytes) -> None:
    running = serve(WHOAMI)
    with running.client("tcp") as client, running.client("tcp") as bystander:
        client.send(junk)
        assert bystander.ask().rcode == codes.NOERROR
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert running.ask(transport="tcp").rcode == codes.NOERROR
    until_none_is_open(running)


def test_clients_that_ask_and_vanish(serve: Serve) -> None:
    running = serve(WHOAMI)
    for _ in range(300):
        with running.client("tcp") as client:
            client.send_messages([message()] * 3)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert running.ask(transport="tcp").rcode == codes.NOERROR
    until_none_is_open(running)


def test_a_flood_of_queries_on_one_connection_is_answered_each_once(serve: Serve) -> None:
    running = serve(WHOAMI)
    with running.client("tcp") as client:
        client.send_messages(message(message_id=number) for number in range(2000))
        heard = {client.receive().wire[:2] for _ in range(2000)}
        assert len(heard) == 2000


def test_half_closed_connections_get_their_replies_and_end(serve: Serve) -> None:
    running = serve(WHOAMI)
    for _ in range(50):
        with running.client("tcp") as client:
            client.send_message(message())
            client.socket.shutdown(socket.SHUT_WR)
            assert client.receive().rcode == codes.NOERROR
            assert client.ended()
    until_none_is_open(running)


# --- clients that never read ---


@pytest.fixture
def large(serve: Serve, tmp_path: Path) -> tuple[Running, FakeClock]:
    """A server whose answer to `large.example` has 60 KiB."""
    records = "".join(f'@ IN TXT "{number:03d}{"x" * 240}"\n' for number in range(240))
    (tmp_path / "zone").write_text(f"$ORIGIN large.example.\n@ 60 IN SOA ns admin 1 2 3 4 5\n@ IN NS ns\n{records}")
    clock = FakeClock()
    return serve(f". {{\n file {tmp_path}/zone large.example\n}}\n", clock=clock), clock


def greedy(running: Running) -> Client:
    """Asks for 30 MiB in one write, and reads nothing."""
    client = running.client("tcp")
    client.send_messages([message("large.example.", "TXT")] * 500)
    return client


def unread() -> list[int]:
    """The octets that wait for each connection."""
    return [connection.transport.get_write_buffer_size() for connection in StreamPort._by_use]


def test_replies_that_nobody_reads_are_not_made(large: tuple[Running, FakeClock]) -> None:
    running, clock = large
    with ExitStack() as stack:
        clients = [stack.enter_context(greedy(running)) for _ in range(8)]
        while running.call(lambda: sum(one.clogged for one in StreamPort._by_use)) < len(clients):
            pass
        assert max(running.call(unread)) <= WRITE_BUFFER + 2 * 65537 < MAX_UNREAD
        assert running.ask("large.example.", "SOA").rcode == codes.NOERROR
        assert running.ask("large.example.", "SOA", "tcp").rcode == codes.NOERROR
        for _ in range(500):  # whoever begins to read after all gets everything
            assert clients[0].receive().rcode == codes.NOERROR
        before = CLOSED.values.get(("unread",), 0)
        running.call(lambda: clock.advance(5.3))
        assert CLOSED.values["unread",] - before == len(clients) - 1
        assert clients[0].ask("large.example.", "SOA").rcode == codes.NOERROR


def test_the_first_of_too_many_that_do_not_read_is_closed(
    large: tuple[Running, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corepy.ports._CLOGGED", 2)
    running, _ = large
    before = CLOSED.values.get(("unread",), 0)
    with ExitStack() as stack:
        for count in (1, 2, 3, 4):
            stack.enter_context(greedy(running))
            while running.call(lambda: len(StreamPort._unread)) < min(count, 2):
                pass
        while running.call(lambda: CLOSED.values.get(("unread",), 0)) - before < 2:
            pass
        assert running.call(lambda: (StreamPort.open_connections, len(StreamPort._unread))) == (2, 2)


# --- descriptors ---


def test_without_descriptors_udp_goes_on_and_tcp_comes_back(
    command: Start, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(f".:{port} {{\n bind 127.0.0.1\n whoami\n}}\n")
    program = command("/bin/sh", "-c", 'ulimit -n 64; exec "$0" -m corepy', sys.executable)
    program.until("linux/")
    with ExitStack() as stack:
        crowd = [stack.enter_context(Client("127.0.0.1", port, "tcp")) for _ in range(150)]
        for _ in range(20):
            with Client("127.0.0.1", port) as client:
                assert client.ask().rcode == codes.NOERROR
        assert crowd
    for _ in range(20):
        with Client("127.0.0.1", port, "tcp") as client:
            assert client.ask().rcode == codes.NOERROR
    program.process.terminate()
    code, lines, errors = program.end()
    assert (code, errors) == (0, [])
    assert len(lines) < 5

