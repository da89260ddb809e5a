"""DNS messages as gRPC carries them: a packet of protobuf behind a prefix of five octets.

The service is CoreDNS's: `coredns.dns.DnsService` has one method, `Query`, which takes a `DnsPacket` and returns one;
a `DnsPacket` has one field, number 1, the octets of a message. That is little enough to read and write by hand, and
every length is looked at before anything is copied.
"""

from __future__ import annotations

import struct
from typing import Final

from corepy import wire as w

PATH: Final = b"/coredns.dns.DnsService/Query"
"""The method, as the path of a request."""
CONTENT_TYPE: Final = b"application/grpc"
"""The type of a request and a response."""
PREFIX: Final = struct.Struct("!BI")
"""Whether what follows is compressed, and how long it is."""
MAX_BODY: Final = PREFIX.size + 4 + w.MAX_MESSAGE
"""Octets of a request or a response: prefix, the field's tag and length, and the largest message there is. CoreDNS has
the same bound, so fields that nobody knows may only come with a smaller message."""
NOT_FOUND: Final = 5   # the status of a call about something that does not exist
STATUS: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The names of gRPC's status codes, by their numbers."""

_MESSAGE: Final = 1   # the number of the field
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
"""Protobuf's wire types; the other two, groups, are of a time before proto3."""
_TAG: Final = bytes([_MESSAGE << 3 | _LENGTH])
_MAX_VARINT: Final = 10
"""Octets of the longest varint: 64 bits, seven in each."""


def is_grpc(content_type: bytes) -> bool:
    """Whether a type is gRPC's; `+proto` and parameters may follow its name, which is not that of gRPC-Web."""
    return content_type.startswith(CONTENT_TYPE) and content_type[len(CONTENT_TYPE) :][:1] in (b"", b"+", b";")


def pack(wire: bytes) -> bytes:
    """A DNS message as the body of a request or a response."""
    packet = _TAG + _varint(len(wire)) + wire
    return PREFIX.pack(0, len(packet)) + packet


def unpack(body: bytes) -> bytes:
    """The DNS message in the body of a request or a response that has come to its end.

    Raises ValueError where the body is not one whole packet, or compressed, or the message is too large for the DNS.
    Any bytes may be given.
    """
    if len(body) < PREFIX.size:
        raise ValueError("no message" if not body else "a message cut short")
    compressed, size = PREFIX.unpack_from(body)
    if compressed:
        raise ValueError("a compressed message, which nobody has asked for")
    if size != len(body) - PREFIX.size:
        raise ValueError(f"a message of {size} octets in {len(body) - PREFIX.size}")
    return _message(body, PREFIX.size)


def _message(body: bytes, at: int) -> bytes:
    """The field `msg` of the packet at `at`, empty where it is left out; the last one counts where there are several.

    Other fields, which a later version of the packet may have, are skipped.
    """
    start = end = at
    while at < len(body):
        tag, at = _read_varint(body, at)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _read_varint(body, at)
            if length > len(body) - at:
                raise ValueError(f"a field of {length} octets where {len(body) - at} are left")
            if tag >> 3 == _MESSAGE:
                start, end = at, at + length
            at += length
        elif kind == _VARINT:
            _, at = _read_varint(body, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
            if at > len(body):
                raise ValueError("a field cut short")
        else:
            raise ValueError(f"a field of wire type {kind}")
        if not tag >> 3:
            raise ValueError("a field without number")
    if end - start > w.MAX_MESSAGE:
        raise ValueError(f"a DNS message of {end - start} octets")
    return body[start:end]


def _varint(value: int) -> bytes:
    """A whole number, seven bits in an octet, the lowest ones first; all octets but the last have their highest bit."""
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and the offset behind it."""
    value = 0
    for place, octet in enumerate(body[at : at + _MAX_VARINT]):
        value |= (octet & 0x7F) << 7 * place
        if octet < 0x80:
            if value >> 64:
                break
            return value, at + place + 1
    raise ValueError("a number without end")
