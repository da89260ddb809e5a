"""One socket to a server, for a test that says whom it speaks for: questions, PROXY headers, and both in any order."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from corepy.address import Address
from corepy.proxyproto import encode_v2
from corepy.stream import frame
from corepy.testing.answer import Answer
from corepy.testing.client import PATIENCE, Client
from corepy.testing.loopback import Upstreams
from corepy.testing.messages import message

if TYPE_CHECKING:
    from corepy.testing.witness import Statement, Witness

Source: TypeAlias = "str | tuple[str, int] | bytes"
"""For whom a proxy speaks: an address, with a port or without, or the octets of a whole header."""
_PORT = 4242
"""The client's port where a test names none."""


class Session:
    """A UDP socket or a TCP connection; close it, or use it in a `with`.

    Raises TimeoutError where no reply comes, and EOFError where the server ends the connection.
    """

    def __init__(
        self, host: str, port: int, transport: str, upstreams: Upstreams, *, source: str = "",
        timeout: float = PATIENCE, witness: Witness | None = None,
    ) -> None:  # fmt: skip
        self.client = Client(host, port, transport, timeout=timeout, source=source)
        self.transport = transport
        self._upstreams = upstreams
        self._heard = 0
        self._witness = witness
        self._mark: object = None

    def ask(self, name: str, qtype: str = "A", *, proxy: Source = b"", **more: Any) -> Answer:
        """Ask one question, behind a PROXY header if one is given, and wait; `more` is for `testing.message`."""
        self.send(name, qtype, proxy=proxy, **more)
        return self.receive()

    def send(self, name: str, qtype: str = "A", *, proxy: Source = b"", **more: Any) -> None:
        """Ask one question and do not wait; `more` is for `testing.message`."""
        self._heard = len(self._upstreams.heard)
        self._mark = self._witness.mark() if self._witness else None
        wire = message(name, qtype, **more)
        self.client.send(self.header_for(proxy) + (frame(wire) if self.transport == "tcp" else wire))

    def receive(self) -> Answer:
        """The next reply."""
        reply = self.client.receive()
        asked = self._upstreams.heard[self._heard :]
        return Answer(reply, asked=asked, transport=self.transport, statement=self.statement())

    def statement(self) -> Statement | None:
        """What plugins have done since the last question; None where the server is in another process."""
        return self._witness.since(self._mark) if self._witness else None

    def header(self, source: Source = b"") -> None:
        """Send a PROXY header alone: over UDP it opens a session. Without a source it speaks for the proxy itself."""
        self.client.send(self.header_for(source) or encode_v2(stream=self.transport == "tcp"))

    @property
    def address(self) -> Address:
        """Where the server sees us, if nothing stands between."""
        return self.client.address

    def header_for(self, source: Source) -> bytes:
        """The PROXY header of version 2 that names a client; octets are taken as they are."""
        if isinstance(source, bytes):
            return source
        host, port = (source, _PORT) if isinstance(source, str) else source
        destination = Address.from_tuple(self.client.socket.getpeername())
        return encode_v2(Address.of(host, port), destination, stream=self.transport == "tcp")

    def close(self) -> None:
        """Hang up."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def is_own(host: str) -> bool:
    """Whether a socket of this machine can have the address without anybody's help: 127.0.0.0/8."""
    return host.startswith("127.") and host.count(".") == 3 and bool(socket.inet_aton(host))


__all__ = ["Session", "Source", "is_own"]
