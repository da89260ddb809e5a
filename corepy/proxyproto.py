"""The PROXY protocol on the wire: whom a load balancer speaks for.

From bytes to addresses (`parse_datagram`, `StreamHeader`) and back (`encode_v1`, `encode_v2`). Who is believed, and
what is remembered of it, is the business of `door`.

References are to haproxy's "The PROXY protocol, versions 1 & 2" (2.1: version 1, 2.2: version 2) and to CoreDNS
1.14.7.
"""

from __future__ import annotations

import re
from enum import StrEnum
from struct import Struct
from typing import Final, NamedTuple

from corepy.address import MAPPED, Address
from corepy.errors import Malformed

# --- what can be wrong ------------------------------------------------------------------------


class Drop(StrEnum):
    """Why a datagram or a connection is not served: the name is for counters, the value for people."""

    SHORT = "the header is longer than the datagram"
    VERSION = "the version of the header is not 2"
    COMMAND = "the command is neither LOCAL nor PROXY"
    UNASSIGNED = "the address family or the transport is unassigned"
    UNSPEC = "the PROXY command comes without addresses"
    UNIX = "the client has a UNIX address"
    TRANSPORT = "the addresses of a stream stand in a datagram"
    LENGTH = "the header is too short for its addresses"
    TEXT = "the version 1 header is not well-formed"
    TEXT_OVER_UDP = "a version 1 header stands in a datagram"
    REJECTED = "no header is accepted from there"
    REQUIRED = "a header is required from there"


class ProxyError(Malformed):
    """A PROXY header that cannot be accepted; only silence answers it. `reason` says why."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason.value)
        self.reason: Final = reason


# --- headers ----------------------------------------------------------------------------------


class Header(NamedTuple):
    """What a header says; without addresses it stands for the proxy itself: LOCAL, or version 1's UNKNOWN."""

    source: Address | None = None
    """The client."""
    destination: Address | None = None
    """What the client believes to talk to."""


SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
"""The first octets of every version 2 header (2.2)."""

_V1: Final = b"PROXY"
_STARTS: Final = (SIGNATURE, _V1)
_V1_LONGEST: Final = 107
"""Octets of the longest version 1 header, its CRLF included (2.1)."""
_V1_ADDRESSES: Final = re.compile(
    rb"PROXY TCP(?:4 ([\d.]+) ([\d.]+)|6 ([\dA-Fa-f]*:[\dA-Fa-f:.]*) ([\dA-Fa-f]*:[\dA-Fa-f:.]*))"
    rb" (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n"
)
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\n]*)?\r\n")

_FIXED: Final = 16
"""Signature, version and command, family and transport, length: what every version 2 header has (2.2)."""
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_UNSPEC, _TCP4, _UDP4, _TCP6, _UDP6, _UNIX_STREAM, _UNIX_DATAGRAM = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
_IPV4_END: Final = _FIXED + 12
_IPV6_END: Final = _FIXED + 36
_PORTS: Final = Struct("!HH")

_OVER_UDP: Final = frozenset((_UDP4, _UDP6))
_OVER_TCP: Final = frozenset((_TCP4, _TCP6, _UDP4, _UDP6))
"""CoreDNS believes a header for UDP at the start of a connection: the addresses are as good."""

_OWN: Final = Header()


def parse_datagram(wire: bytes) -> tuple[Header, bytes] | None:
    """Take the header off a datagram: the header and the payload, which may be empty; None where there is no header.

    A header is what starts with the whole signature of version 2 or with the letters PROXY; less is the beginning
    of a query. Everything the length covers beyond the addresses (TLVs, 2.2.7) is skipped over. Raises `ProxyError`
    where a header cannot be accepted: the specification forbids to guess what was meant.
    """
    if not wire.startswith(_STARTS):
        return None
    if wire.startswith(_V1):
        raise ProxyError(Drop.TEXT_OVER_UDP)
    found = _read_v2(wire, _OVER_UDP)
    if found is None or found[1] > len(wire):
        raise ProxyError(Drop.SHORT)
    return found[0], wire[found[1] :]


class StreamHeader:
    """Reads the header at the start of a connection, from bytes that come in any pieces.

    Holds at most 106 octets, whatever length a header announces: beyond the addresses it only counts.
    """

    __slots__ = ("_header", "_held", "_skip")

    def __init__(self) -> None:
        self._held = b""
        self._header: Header | None = None
        self._skip = 0

    def feed(self, data: bytes) -> tuple[Header | None, bytes] | None:
        """Take the next bytes; None while more are needed.

        Then, once, the header and the bytes behind it; or no header and all bytes so far, where the connection does
        not start with one. Raises `ProxyError` where a header cannot be accepted: the connection is to be closed.
        """
        if self._header is None:
            data = self._held + data
            found = _read_stream(data)
            if found is None:
                self._held = data
                return None
            self._header, self._skip = found
        if self._skip > len(data):
            self._skip -= len(data)
            return None
        return self._header, data[self._skip :]


def _read_stream(data: bytes) -> tuple[Header | None, int] | None:
    """The header (or none) and its length, which may go beyond `data`; None where more bytes are needed to tell."""
    if data.startswith(SIGNATURE):
        return _read_v2(data, _OVER_TCP)
    if data.startswith(_V1):
        return _read_v1(data)
    if SIGNATURE.startswith(data) or _V1.startswith(data):
        return None
    return None, 0


def _read_v1(data: bytes) -> tuple[Header, int] | None:
    """The header of version 1 at the start of `data`, and its length; None while the line has no end.

    CoreDNS closes where the line comes in more than one piece. 2.1 recommends to be tolerant, and so we are.
    """
    end = data.find(b"\n", 0, _V1_LONGEST) + 1
    if not end:
        if len(data) >= _V1_LONGEST:
            raise ProxyError(Drop.TEXT)
        return None
    if _V1_UNKNOWN.fullmatch(data, 0, end):
        return _OWN, end
    line = _V1_ADDRESSES.fullmatch(data, 0, end)
    if line is None:
        raise ProxyError(Drop.TEXT)
    source, destination, source6, destination6, source_port, destination_port = line.groups()
    try:
        return Header(
            Address.of((source or source6).decode("ascii"), int(source_port)),
            Address.of((destination or destination6).decode("ascii"), int(destination_port)),
        ), end
    except ValueError:
        raise ProxyError(Drop.TEXT) from None


def _read_v2(wire: bytes, families: frozenset[int]) -> tuple[Header, int] | None:
    """The header of version 2 at the start of `wire`, and its length; None where its addresses are incomplete."""
    if len(wire) < _FIXED:
        return None
    end = _FIXED + (wire[14] << 8 | wire[15])
    if wire[12] != _PROXY:
        if wire[12] == _LOCAL:
            return _OWN, end  # whatever family and addresses it carries: they are to be ignored (2.2)
        raise ProxyError(Drop.COMMAND if wire[12] >> 4 == 2 else Drop.VERSION)
    family = wire[13]
    if family not in families:
        raise ProxyError(_why_not(family))
    if family < 0x20:
        if end < _IPV4_END:
            raise ProxyError(Drop.LENGTH)
        if len(wire) < _IPV4_END:
            return None
        source, destination = _PORTS.unpack_from(wire, 24)
        return Header(Address(wire[16:20], source), Address(wire[20:24], destination)), end
    if end < _IPV6_END:
        raise ProxyError(Drop.LENGTH)
    if len(wire) < _IPV6_END:
        return None
    source, destination = _PORTS.unpack_from(wire, 48)
    return Header(Address.of_ipv6(wire[16:32], source), Address.of_ipv6(wire[32:48], destination)), end


def _why_not(family: int) -> Drop:
    """What is wrong with a family and transport that is not accepted with the PROXY command."""
    if family == _UNSPEC:
        return Drop.UNSPEC
    if family in (_UNIX_STREAM, _UNIX_DATAGRAM):
        return Drop.UNIX
    return Drop.TRANSPORT if family in _OVER_TCP else Drop.UNASSIGNED


def encode_v1(source: Address | None = None, destination: Address | None = None) -> bytes:
    """A version 1 header, for TCP: both addresses, or neither for UNKNOWN.

    An IPv4 address beside an IPv6 one is written as IPv4-mapped. Raises ValueError for one address without the other.
    """
    pair = _alike(source, destination)
    if pair is None:
        return b"PROXY UNKNOWN\r\n"
    source, destination = pair
    line = f"PROXY TCP{source.family} {source.host} {destination.host} {source.port} {destination.port}\r\n"
    return line.encode("ascii")


def encode_v2(
    source: Address | None = None, destination: Address | None = None, *, stream: bool = False, tlvs: bytes = b""
) -> bytes:
    """A version 2 header: PROXY with both addresses, or LOCAL with neither; `stream` says TCP instead of UDP.

    `tlvs` are encoded TLVs (2.2.7). An IPv4 address beside an IPv6 one is written as IPv4-mapped. Raises ValueError
    for one address without the other, and where the length cannot say how many TLVs there are (65,535 octets, less
    the addresses).
    """
    pair = _alike(source, destination)
    command, family, block = _LOCAL, _UNSPEC, tlvs
    if pair is not None:
        source, destination = pair
        command = _PROXY
        family = (0x10 if source.family == 4 else 0x20) | (1 if stream else 2)
        block = source.packed + destination.packed + _PORTS.pack(source.port, destination.port) + tlvs
    if len(block) > 0xFFFF:
        raise ValueError(f"{len(tlvs)} octets of TLVs do not fit into a header")
    return SIGNATURE + bytes((command, family)) + len(block).to_bytes(2, "big") + block


def _alike(source: Address | None, destination: Address | None) -> tuple[Address, Address] | None:
    """Both addresses in one family and without scope, as a header has them; None where there are none."""
    if source is None and destination is None:
        return None
    if source is None or destination is None:
        raise ValueError("a header has both addresses or none")
    if source.family == destination.family:
        return Address(source.packed, source.port), Address(destination.packed, destination.port)
    return _widened(source), _widened(destination)


def _widened(address: Address) -> Address:
    return Address(address.packed if address.family == 6 else MAPPED + address.packed, address.port)
