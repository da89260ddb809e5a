"""An upstream for `bench.soak`: `nNUMBER.anything` has the address 10.a.b.c that its number makes; over UDP and TCP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from corepy import wire as w
from corepy.stream import frame


def answer(asked: bytes) -> bytes:
    """The reply: one address, good for a second; none for what is no such name."""
    end = w.question_end(asked)
    digits = asked[14 : 13 + asked[12]]
    head = asked[:2] + b"\x81\x80\0\1"
    if not digits.isdigit() or asked[end - 4 : end - 2] != b"\0\1":
        return head + bytes(6) + asked[12:end]
    address = (10 << 24 | int(digits) % (1 << 24)).to_bytes(4, "big")
    return head + b"\0\1\0\0\0\0" + asked[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + address


class Datagrams(asyncio.DatagramProtocol):
    """Questions over UDP."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # it is one
        """The socket is open."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer, after a while."""
        asyncio.get_running_loop().call_later(self.delay, self.transport.sendto, answer(data), addr)


def streams(delay: float) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Questions over TCP."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                loop.call_later(delay, writer.write, frame(answer(await reader.readexactly(size))))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return serve


async def main(port: int, delay: float) -> None:
    """Serve to the end."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Datagrams(delay), ("127.0.0.1", port))
    async with await asyncio.start_server(streams(delay), "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
