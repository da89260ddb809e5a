"""What an upstream is, for those who ask and for those who build a new kind."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias

from corepy.address import Address
from corepy.clock import Clock
from corepy.errors import Failure


class Waiter(Protocol):
    """Somebody who has asked and waits. Exactly one of `take`, with success, and `failed` ends the waiting."""

    due: float
    """When the waiting is over, on the clock of the upstream; set before asking."""

    def take(self, wire: bytes) -> bool:
        """A message with the right id came from the right address: whether it was the reply. Never raises.

        False goes on waiting: a forged or garbled message must not end the wait for the true one.
        """

    def failed(self, error: Failure) -> None:
        """There will be no reply. Never called before `Ask` has returned."""


Ask: TypeAlias = Callable[[bytes, Waiter], None]
"""Send a query, under an id of its own, and see to it that the waiter hears of the outcome."""


class Upstream(Protocol):
    """A server that answers questions, over whatever transport."""

    name: str
    """Its address as CoreDNS shows it: `192.0.2.1:53`."""
    over_udp: Ask
    """Ask over the transport that fits a client on UDP."""
    over_tcp: Ask
    """Ask over the transport that fits a client on TCP; encrypted kinds have one transport for both."""

    def close(self) -> None:
        """Close all sockets; who still waits is told of a failure."""


class Target(NamedTuple):
    """Where an upstream is and what it speaks; `kind` is `dns`, `tls`, `https` or `grpc`."""

    address: Address
    kind: str = "dns"
    server_name: str = ""
    """The name in its certificate; the address where empty."""

    def __str__(self) -> str:
        return str(self.address)


RESOLUTION: Final = 0.04
"""Seconds between two looks for waiters whose time is over: not worth a thousandth of the CPU, and not felt."""


@dataclass(frozen=True, slots=True)
class Options:
    """How sockets towards an upstream are kept. Times in seconds."""

    expire: float = 10.0
    """After so long without use a socket is closed; 0: after each use."""
    max_age: float = 0.0
    """After so long it is closed whatever its use; 0 for never."""
    max_idle: int = 0
    """Unused sockets that are kept, for UDP and TCP each; 0 for any number."""
    resolution: float = RESOLUTION
    """How late a waiter may learn that its time is over."""
    source: Address | None = None
    """Our own address, port 0; the system's choice where None."""
    owner: str = ""
    """The plugin that asks; a label of metrics."""
    tls: ssl.SSLContext | None = None
    """For targets of kind `tls`."""
    https: ssl.SSLContext | None = None
    """For targets of kind `https`; it offers `h2`."""
    grpc: ssl.SSLContext | None = None
    """For targets of kind `grpc`; it offers `h2`. Without it they are asked in plain text."""
    doh_method: str = "POST"
    """How targets of kind `https` are asked: POST or GET."""


Connect: TypeAlias = Callable[[Target, Options, Clock], Upstream]
"""What makes an upstream; tests put a fake in its place (`replaced`)."""

MAX_PENDING: Final = 16384
"""Queries that one upstream may owe us replies for, on each transport. An upstream with a round trip of 100 ms gets
there at 160,000 queries a second; with one that is dead, a query of 1.5 KiB for 2 s each, it means 24 MiB."""
CLOSED: Final = "use of closed network connection"
"""Why a question fails whose upstream has been closed (Go's words for it)."""


_EXPIRED: Final = "certificate has expired or is not yet valid"
_UNKNOWN: Final = "certificate signed by unknown authority"
_VERIFICATION: Final = {9: _EXPIRED, 10: _EXPIRED, 18: _UNKNOWN, 19: _UNKNOWN, 20: _UNKNOWN, 21: _UNKNOWN}
"""Go's words for what OpenSSL finds wrong with a certificate (X509_V_ERR_*): expressions of `errors` look for them."""


def reason(error: OSError) -> str:
    """What an error of the system or of TLS says, as Go writes it: without its number, in lower case."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _VERIFICATION.get(error.verify_code, error.verify_message)
        return f"tls: failed to verify certificate: x509: {why}"
    if isinstance(error, ssl.SSLError):
        return f"tls: {(error.reason or 'no handshake').replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError) and not error.errno:   # closed during the handshake
        return "EOF"
    text = os.strerror(error.errno) if error.errno else str(error) or error.__class__.__name__
    return text[:1].lower() + text[1:]
