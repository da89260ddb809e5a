"""Where queries come in: what a plugin may know of the listener and the transport."""

from __future__ import annotations

from collections.abc import Callable


class Endpoint:
    """The listening side that queries come in through; one for each listener and transport.

    `transport` is `udp` or `tcp`, `tls`, `https`, `https3`, `quic`, `grpc`; `proto` what carries it, `udp` or `tcp`.
    `server` is the listener as CoreDNS names it in logs and metrics: `dns://:53`, `tls://127.0.0.1:853`. `local` is
    the packed address that it is bound to, empty where it is bound to all.
    """

    __slots__ = ("local", "port", "proto", "server", "transport", "unsent", "waiting")

    def __init__(self, transport: str, server: str, port: int = 53, local: bytes = b"") -> None:
        self.transport = transport
        self.server = server
        self.port = port
        self.local = local
        self.proto = "udp" if transport in ("udp", "quic", "https3") else "tcp"
        self.unsent = 0
        """Replies over UDP that the kernel did not take, since the socket was opened."""
        self.waiting: Callable[[], tuple[int, int]] = _none
        """Octets of the kernel's memory that datagrams take up which nobody has read yet, and how many may be."""


def _none() -> tuple[int, int]:
    """Of a transport whose octets wait in its connections."""
    return 0, 0
