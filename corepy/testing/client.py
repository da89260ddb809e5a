"""A small DNS client that says every octet a test wants said, over UDP or TCP."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self

from corepy.address import Address
from corepy.reply import Reply
from corepy.stream import Framer, frame
from corepy.testing.messages import message
from corepy.upstream.tls import client_context

PATIENCE: Final = 20.0
"""Seconds until a client gives up: far more than any answer takes on a busy machine, since giving up fails a test."""


class Client:
    """One socket to a server, `transport` "udp" or "tcp", from the address `source`; close it, or use it in a `with`.

    Raises TimeoutError where nothing comes, and EOFError where a TCP connection has ended.
    """

    def __init__(
        self, host: str, port: int, transport: str = "udp", *, timeout: float = PATIENCE, source: str = ""
    ) -> None:
        self._stream = transport == "tcp"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM)
        self.socket.settimeout(timeout)
        self._framer = Framer()
        self._messages: list[bytes] = []
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect((host, port))
        except OSError:
            self.socket.close()
            raise

    @property
    def address(self) -> Address:
        """Where the server sees us, if nothing stands between."""
        return Address.from_tuple(self.socket.getsockname())

    def encrypt(self, name: str = "", authorities: str | None = None) -> None:
        """Speak TLS from here on (RFC 7858).

        The server has to have a certificate for `name`, or else for its address, from `authorities`: a file, or those
        of the system where it is empty. Any certificate will do where neither is given. Raises OSError where the server
        is not trusted, ValueError for a file that cannot be used.
        """
        context = client_context([authorities] if authorities else [], ["dot"])
        if authorities is None and not name:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=name or self.socket.getpeername()[0])

    def send(self, octets: bytes) -> None:
        """One datagram, or octets of the stream, as they are."""
        self.socket.sendall(octets)

    def send_message(self, wire: bytes) -> None:
        """One message, behind its length where this is TCP."""
        self.send(frame(wire) if self._stream else wire)

    def send_messages(self, wires: Iterable[bytes]) -> None:
        """Several messages: one behind the other, without waiting for replies."""
        for wire in wires:
            self.send_message(wire)

    def receive(self) -> Reply:
        """The next message from the server."""
        while not self._messages:
            data = self.socket.recv(65536)
            if self._stream and not data:
                raise EOFError("the server has closed the connection")
            self._messages += self._framer.feed(data) if self._stream else [data]
        return Reply(self._messages.pop(0))

    def ask(self, name: str = "example.org.", qtype: str = "A", *, proxy: bytes = b"", **more: Any) -> Reply:
        """Ask one question, behind a PROXY header if one is given, and wait; `more` is for `testing.message`."""
        wire = message(name, qtype, **more)
        self.send(proxy + (frame(wire) if self._stream else wire))
        return self.receive()

    def ended(self) -> bool:
        """Wait for the server to end the TCP connection; False where it says something instead."""
        try:
            return not self._messages and not self.socket.recv(1)
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def ask(
    host: str, port: int, name: str = "example.org.", qtype: str = "A", transport: str = "udp", **how: Any
) -> Reply:
    """Ask one question on a socket of its own; `how` is for `Client.ask`."""
    with Client(host, port, transport) as client:
        return client.ask(name, qtype, **how)


__all__ = ["PATIENCE", "Client", "ask"]
