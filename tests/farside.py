"""The far side of an upstream, in the hands of a test, and who waits on the near side."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from corepy import wire as w
from corepy.address import Address
from corepy.errors import Failure
from corepy.testing import FakeClock, message
from corepy.upstream import match

PATIENCE = 20.0
QUERY = message("www.example.org.")
QUESTION = QUERY[12:]
RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def reply(query: bytes, *, flags: int = w.QR | w.RD | w.RA, question: bytes = b"", tail: bytes = RECORD) -> bytes:
    """The reply to a query as an honest upstream would make it, or not quite so."""
    counts = (1, 1, 0, 0)
    return query[:2] + w.HEADER.pack(0, flags, *counts)[2:] + (question or query[12:]) + tail


class Waiting:
    """A waiter that writes down what it hears."""

    def __init__(self, due: float = float("inf")) -> None:
        self.due = due
        self.heard: list[bytes] = []
        self.error: Failure | None = None
        self.done = asyncio.Event()

    def take(self, wire: bytes) -> bool:
        self.heard.append(wire)
        if match(QUESTION, wire) is None:
            return False
        self.done.set()
        return True

    def failed(self, error: Failure) -> None:
        assert self.error is None
        self.error = error
        self.done.set()


class Far:
    """The far side of an upstream: a UDP socket, and a TCP listener on the same port, in the hands of the test."""

    def __init__(self) -> None:
        while True:
            self.tcp = socket.create_server(("127.0.0.1", 0))
            self.address = Address.from_tuple(self.tcp.getsockname())
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(self.address.to_tuple())
                break
            except OSError:  # somebody else has the number for UDP: another one
                self.close()
        for sock in (self.tcp, self.udp):
            sock.setblocking(False)

    async def receive(self) -> tuple[bytes, Any]:
        return await asyncio.get_running_loop().sock_recvfrom(self.udp, 65535)

    async def accept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock, _ = await asyncio.get_running_loop().sock_accept(self.tcp)
        return await asyncio.open_connection(sock=sock)

    def close(self) -> None:
        self.tcp.close()
        self.udp.close()


def drive(test: Callable[[Far, FakeClock], Coroutine[Any, Any, None]]) -> None:
    """Run a dialogue between an upstream and its far side."""

    async def run() -> None:
        far = Far()
        try:
            async with asyncio.timeout(PATIENCE):
                await test(far, FakeClock())
        finally:
            far.close()

    asyncio.run(run())


async def read_message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


def write_message(writer: asyncio.StreamWriter, wire: bytes) -> None:
    writer.write(len(wire).to_bytes(2, "big") + wire)
