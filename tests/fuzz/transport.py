"""PROXY headers and TCP streams, in pieces."""

from __future__ import annotations

import asyncio
from typing import Any

from corepy.address import Address
from corepy.door import Door, ProxyPolicy, Sessions
from corepy.listener import PANICS, Listener
from corepy.proxyproto import encode_v1, encode_v2
from corepy.stream import Connection, frame
from corepy.testing import message
from tests.fuzz.server import chain
from tests.fuzz.target import ENDPOINTS, PEER, SERVER, target

HEADERS = (
    encode_v2(PEER, SERVER), encode_v2(PEER, SERVER, stream=True, tlvs=b"\4\0\3abc"), encode_v2(),
    encode_v1(PEER, SERVER), encode_v2(Address.of("2001:db8::1", 1), Address.of("2001:db8::53", 53)),
)  # fmt: skip


def pieces(data: bytes) -> list[bytes]:
    """Octets as a list of octets: each piece stands behind its length."""
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return found


def joined(*parts: bytes) -> bytes:
    """The inverse of `pieces`."""
    return b"".join(bytes((len(part),)) + part for part in parts)


@target(joined(HEADERS[0], message()), joined(HEADERS[0] + message(), message(), HEADERS[4]), joined(HEADERS[2], b"x"))
def datagrams(data: bytes) -> None:
    """A sequence of datagrams from a few proxies: the session table is as it should be."""
    door = Door(ProxyPolicy(), Sessions(28, 3), lambda _line: None)
    assert door.sessions is not None
    for now, piece in enumerate(pieces(data)):
        peer = Address.of("127.0.0.1", 1000 + (piece[0] if piece else 0) % 5).to_sockaddr()
        before = door.sessions.get(peer, now)
        found = door.datagram(piece, peer, now)
        assert len(door.sessions) <= 3
        if found is None:
            continue
        payload, client = found
        assert piece.endswith(payload)
        assert client is None or client == before or len(payload) < len(piece)


class Slot:
    """What a connection finds of the server."""

    def __init__(self, listener: Listener) -> None:
        self.listener, self.endpoint = listener, ENDPOINTS[1]

    def _nothing(self, *_: object) -> None:
        """Nobody counts."""

    opened = active = clogged = cleared = closed = refused = _nothing

    def now(self) -> float:
        """Time stands still."""
        return 0.0


class Wire(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.9", 4242), "sockname": ("192.0.2.53", 53)})
        self.octets, self.ended = b"", False

    def write(self, data: Any) -> None:
        assert not self.ended, "written after the end"
        self.octets += data

    def close(self) -> None:
        self.ended = True

    abort = close

    def is_closing(self) -> bool:
        return self.ended

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    pause_reading = resume_reading = lambda _self: None

    def get_write_buffer_size(self) -> int:
        return 0


STREAM = ". {\n proxyproto {\n allow 192.0.2.0/24\n }\n whoami\n}\n"


@target(
    joined(HEADERS[1], frame(message())), joined(HEADERS[3] + frame(message())[:5], frame(message())[5:]),
    joined(frame(message()) * 3, b"\0\0", frame(b"x")), joined(HEADERS[2]),
)  # fmt: skip
def streams(data: bytes) -> None:
    """A TCP connection, in pieces: however it is cut, the replies are the same."""
    cut, whole, before = Wire(), Wire(), PANICS.values[()]
    for transport, parts in (cut, pieces(data)), (whole, [b"".join(pieces(data))]):
        connection = Connection(Slot(chain(STREAM).listener))
        connection.connection_made(transport)
        for part in parts:
            if part and not transport.ended:
                connection.data_received(part)
    assert PANICS.values[()] == before
    assert (cut.octets, cut.ended) == (whole.octets, whole.ended) or cut.ended
