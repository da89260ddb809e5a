"""DNS messages as bytes: what can be learned and changed without building objects.

Nothing here keeps state, knows a socket or imports the rest of corepy but its errors and codes. Offsets count from the
start of the message. Functions on whole messages raise `Malformed` (FORMERR) where the bytes are not a message;
those on names given as text raise ValueError. Names in wire form are uncompressed and end in a zero byte; the
identity of a name is `key(name)`, its labels in lower case (RFC 4343).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from corepy import codes
from corepy.errors import Malformed

HEADER: Final = struct.Struct("!6H")
QUESTION: Final = struct.Struct("!2H")
RECORD: Final = struct.Struct("!HHIH")
"""Type, class, TTL and length of the data: the fixed part of a record behind its owner name (RFC 1035 3.2.1)."""

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
Z: Final = 0x0040
AD: Final = 0x0020
CD: Final = 0x0010
OPCODE: Final = 0x7800
RCODE: Final = 0x000F
DO: Final = 0x8000
"""DNSSEC OK in the flags of an OPT record (RFC 3225 3)."""

MAX_NAME: Final = 255
"""Octets of a name in wire form (RFC 1035 2.3.4)."""
MAX_MESSAGE: Final = 65535
MIN_UDP_SIZE: Final = 512
"""What every client takes over UDP (RFC 1035 2.3.4); an EDNS size below counts as this (RFC 6891 6.2.3)."""

ANSWER: Final = 0
AUTHORITY: Final = 1
ADDITIONAL: Final = 2


# --- names -----------------------------------------------------------------------------------

_ESCAPED: Final = re.compile(rb"\\(\d{3})|\\(.)", re.DOTALL)
_SPECIAL = frozenset(b".'@;()\" \\")
_TEXT: Final = tuple(
    f"\\{chr(octet)}" if octet in _SPECIAL else chr(octet) if 0x20 < octet < 0x7F else f"\\{octet:03d}"
    for octet in range(256)
)
"""How each octet of a label is written (RFC 1035 5.1): `.` and what zone files give a meaning to with a backslash."""

_HOST_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The octets of most names, which are written as they are."""


def encode_name(text: str) -> bytes:
    r"""The wire form of a name in presentation form, with `\.` and `\DDD` escapes (RFC 1035 5.1).

    A final dot makes no difference, "." and "" are the root. Raises ValueError where the text is no name.
    """
    if text in ("", "."):
        return b"\0"
    raw = text.encode("utf-8", "surrogateescape")
    labels = _labels(text, raw) if b"\\" in raw else raw.split(b".")
    if not labels[-1]:
        labels.pop()
    if not all(labels):
        raise ValueError(f"{text!r} has an empty label")
    if max(map(len, labels)) > 63:
        raise ValueError(f"{text!r} has a label of more than 63 octets")
    name = b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"
    if len(name) > MAX_NAME:
        raise ValueError(f"{text!r} has more than {MAX_NAME} octets")
    return name


def _labels(text: str, raw: bytes) -> list[bytes]:
    """The labels of a name with escapes."""
    labels = [bytearray()]
    at = 0
    while at < len(raw):
        octet = raw[at]
        if octet == 0x5C:
            match = _ESCAPED.match(raw, at)
            if match is None or (match[1] and int(match[1]) > 255):
                raise ValueError(f"{text!r} has a backslash that escapes nothing")
            labels[-1].append(int(match[1]) if match[1] else match[2][0])
            at = match.end()
            continue
        at += 1
        if octet == 0x2E:
            labels.append(bytearray())
        else:
            labels[-1].append(octet)
    return [bytes(label) for label in labels]


def decode_name(name: bytes) -> str:
    """The presentation form of an uncompressed name, with the final dot; safe to print and log."""
    parts = []
    at = 0
    while length := name[at]:
        at += length + 1
        parts.append(name[at - length : at])
    if b"".join(parts).translate(None, _HOST_LETTERS):
        return ".".join(["".join([_TEXT[octet] for octet in part]) for part in parts]) + "."
    return b".".join(parts).decode() + "."


def key(name: bytes) -> bytes:
    """What two equal names have in common: the wire form in lower case (RFC 4343 3). Length octets stay."""
    return name.lower()


def suffixes(name: bytes) -> Iterator[bytes]:
    """The name itself, then each of its parents, the root last."""
    at = 0
    while name[at]:
        yield name[at:]
        at += name[at] + 1
    yield b"\0"


def is_subdomain(name: bytes, zone: bytes) -> bool:
    """Whether `name` is `zone` or below it; both as keys."""
    if not name.endswith(zone):
        return False
    at, end = 0, len(name) - len(zone)
    while at < end:
        at += name[at] + 1
    return at == end


def in_zones(name: bytes, zones: Iterable[bytes]) -> bool:
    """Whether `name` is in one of the zones; all as keys."""
    for zone in zones:  # noqa: SIM110 - any() with a generator costs twice as much
        if zone == b"\0" or is_subdomain(name, zone):
            return True
    return False


def labels(name: bytes) -> int:
    """How many labels a name has, the root's none."""
    at = count = 0
    while name[at]:
        at += name[at] + 1
        count += 1
    return count


def skip_name(wire: bytes, at: int) -> int:
    """The offset behind the name at `at`, which may end in a compression pointer (RFC 1035 4.1.4)."""
    try:
        while length := wire[at]:
            if length >= 0xC0:
                return at + 2
            if length > 63:
                raise Malformed("label type", codes.FORMERR)
            at += length + 1
    except IndexError:
        raise Malformed("name without end", codes.FORMERR) from None
    return at + 1


def read_name(wire: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at`, uncompressed, and the offset behind it.

    A pointer has to point before itself, so that reading always ends (RFC 9267 3).
    """
    parts: list[bytes] = []
    size, behind, limit = 1, 0, at
    try:
        while length := wire[at]:
            if length >= 0xC0:
                target = (length & 0x3F) << 8 | wire[at + 1]
                if target >= limit:
                    raise Malformed("compression pointer forward", codes.FORMERR)
                behind = behind or at + 2
                at = limit = target
                continue
            if length > 63:
                raise Malformed("label type", codes.FORMERR)
            size += length + 1
            if size > MAX_NAME:
                raise Malformed("name too long", codes.FORMERR)
            parts.append(wire[at : at + length + 1])
            at += length + 1
    except IndexError:
        raise Malformed("name without end", codes.FORMERR) from None
    return b"".join(parts) + b"\0", behind or at + 1


# --- records ---------------------------------------------------------------------------------


class Record(NamedTuple):
    """Where a resource record of a message is: offsets, and the numbers of its fixed part."""

    section: int
    start: int
    rtype: int
    rclass: int
    ttl: int
    data: int
    end: int


def question_end(wire: bytes) -> int:
    """The offset behind the question section; 12 where there is none."""
    at = 12
    for _ in range(HEADER.unpack_from(wire)[2]):
        at = skip_name(wire, at) + 4
    return at


def records(wire: bytes, at: int = 0) -> Iterator[Record]:
    """All records of a message, in its order; `at` is the end of the question where that is known."""
    _, _, _, *counts = HEADER.unpack_from(wire)
    at = at or question_end(wire)
    for section, count in enumerate(counts):
        for _ in range(count):
            start, at = at, skip_name(wire, at)
            try:
                rtype, rclass, ttl, length = RECORD.unpack_from(wire, at)
            except struct.error:
                raise Malformed("record cut short", codes.FORMERR) from None
            data, at = at + 10, at + 10 + length
            if at > len(wire):
                raise Malformed("record data cut short", codes.FORMERR)
            yield Record(section, start, rtype, rclass, ttl, data, at)


def find_opt(wire: bytes, at: int = 0) -> Record | None:
    """The OPT record of a message (RFC 6891 6.1.1); None where there is none."""
    if wire[10:12] == b"\0\0":
        return None
    found = None
    for record in records(wire, at):
        if record.rtype == codes.OPT and record.section == ADDITIONAL:
            found = record
    return found


def rcode(wire: bytes, opt: Record | None) -> int:
    """The rcode of a message, with the upper bits that its OPT record has (RFC 6891 6.1.3)."""
    return wire[3] & RCODE | (opt.ttl >> 24 << 4 if opt else 0)


def options(wire: bytes, opt: Record) -> Iterator[tuple[int, bytes]]:
    """The EDNS options of an OPT record: code and data (RFC 6891 6.1.2)."""
    at = opt.data
    while at < opt.end:
        if at + 4 > opt.end:
            raise Malformed("EDNS option cut short", codes.FORMERR)
        code, length = QUESTION.unpack_from(wire, at)
        at += 4 + length
        if at > opt.end:
            raise Malformed("EDNS option data cut short", codes.FORMERR)
        yield code, wire[at - length : at]


def option(code: int, data: bytes) -> bytes:
    """One EDNS option, encoded."""
    return QUESTION.pack(code, len(data)) + data


def opt_record(size: int, extended_rcode: int = 0, flags: int = 0, options: bytes = b"") -> bytes:
    """An OPT record of version 0; `extended_rcode` holds the upper eight bits (RFC 6891 6.1.3)."""
    return b"\0" + RECORD.pack(codes.OPT, size, extended_rcode << 24 | flags, len(options)) + options


# --- what compression saves ------------------------------------------------------------------

NAMES_IN_DATA: Final = {
    codes.NS: (0, 1),
    3: (0, 1),
    4: (0, 1),
    codes.CNAME: (0, 1),
    codes.SOA: (0, 2),
    7: (0, 1),
    8: (0, 1),
    9: (0, 1),
    codes.PTR: (0, 1),
    14: (0, 2),
    codes.MX: (2, 1),
    17: (0, 2),
    18: (2, 1),
    21: (2, 1),
    26: (2, 2),
    codes.SRV: (6, 1),
    36: (2, 1),
    codes.DNAME: (0, 1),
}
"""Types whose data may hold compressed names: octets before the names, and how many names (RFC 1035, RFC 3597 4)."""


_ASKED: Final = b"\xc0\x0c"
"""A pointer to the name in the question."""


def _span(wire: bytes, at: int) -> tuple[int, int]:
    """Octets of the name at `at` without compression, and the offset behind it."""
    size, behind, limit = 1, 0, at
    while length := wire[at]:
        if length < 64:
            size += length + 1
            at += length + 1
            continue
        behind = behind or at + 2
        at = (length & 0x3F) << 8 | wire[at + 1]
        if length < 0xC0 or at >= limit:
            raise Malformed("label type, or a compression pointer forward", codes.FORMERR)
        limit = at
    return size, behind or at + 1


def size_uncompressed(wire: bytes) -> int:
    """How large a message would be without name compression: the size that CoreDNS logs and measures."""
    _, _, questions, *counts = HEADER.unpack_from(wire)
    at = size = question_end(wire)
    asked = at - 16 if questions == 1 else 0
    try:
        for _ in range(sum(counts)):
            if asked and wire.startswith(_ASKED, at):   # most owners are the name in the question
                size += asked
                at += 2
            else:
                owner, at = _span(wire, at)
                size += owner
            rtype, _, _, length = RECORD.unpack_from(wire, at)
            at += 10 + length
            size += 10 + length
            if at > len(wire):
                raise Malformed("record data cut short", codes.FORMERR)
            if length and rtype in NAMES_IN_DATA:
                size += _saved_in_data(wire, rtype, at - length)
    except (IndexError, struct.error):
        raise Malformed("record cut short", codes.FORMERR) from None
    return size


def _saved_in_data(wire: bytes, rtype: int, at: int) -> int:
    """What compression saves in the data of one record."""
    before, names = NAMES_IN_DATA[rtype]
    at += before
    saved = 0
    for _ in range(names):
        size, behind = _span(wire, at)
        saved += size - (behind - at)
        at = behind
    return saved


# --- changing a message ----------------------------------------------------------------------


def without(wire: bytes, record: Record) -> bytes:
    """The message less one record; only for one that no later name points into, as OPT."""
    counts = list(HEADER.unpack_from(wire))
    counts[3 + record.section] -= 1
    return HEADER.pack(*counts) + wire[12 : record.start] + wire[record.end :]


def with_additional(wire: bytes, encoded: bytes) -> bytes:
    """The message with one more record at its end."""
    count = int.from_bytes(wire[10:12], "big") + 1
    return wire[:10] + count.to_bytes(2, "big") + wire[12:] + encoded


def truncate(wire: bytes, limit: int) -> bytes:
    """The message cut down to `limit` octets at a record, with TC where anything but OPT is missing (RFC 2181 9).

    OPT stays whatever is cut (RFC 6891 7), without options where these alone are too long. What is kept stays readable.
    """
    if len(wire) <= limit:
        return wire
    end = at = question_end(wire)
    opt = find_opt(wire, at)
    tail = wire[opt.start : opt.end] if opt else b""
    if opt and at + len(tail) > limit:
        tail = wire[opt.start : opt.data - 2] + bytes(2)
    room, kept = limit - len(tail), [0, 0, int(opt is not None)]
    for record in records(wire, at):
        if record.end > room or record.rtype == codes.OPT:
            break
        kept[record.section] += 1
        end = record.end
    message_id, flags, questions, *_ = HEADER.unpack_from(wire)
    return HEADER.pack(message_id, flags | TC, questions, *kept) + wire[12:end] + tail
