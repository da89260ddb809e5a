"""Messages under other names: another question, other owners, other names in the data.

A name in a message may end in a pointer to another one (RFC 1035 4.1.4), and most owners are nothing but a pointer to
the question. So a question of another length moves what everything points to. Where all that points does so to its
beginning, as in nearly every answer of addresses, octets are exchanged and the rest stays (`with_question`, as long as
`asked_alone`); else all records are written anew (`rebuild`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records import EncodedRecord, decode, encode

_ASKED: Final = b"\xc0\x0c"
"""A pointer to the name in the question."""
_OPT: Final = b"\0" + codes.OPT.to_bytes(2, "big")
_NAMELESS: Final = frozenset((codes.A, codes.AAAA, codes.TXT, codes.DS, codes.RRSIG, 48, 52, 64, 65, 257))
"""Types of those that are asked for often, DNSKEY, TLSA, SVCB, HTTPS and CAA among them, whose data hold no name that
may be compressed, nor one that `data_name` knows."""
_fixed = struct.Struct("!H6xH").unpack_from
"""Type and length of the data, from the fixed part of a record."""

_NAME_IN_DATA: Final = {
    codes.NS: 0, codes.CNAME: 0, codes.SOA: 0, codes.PTR: 0, codes.MX: 2, codes.SRV: 6, codes.DNAME: 0,
}  # fmt: skip
"""Types whose data begin with a host or a domain, and the octets before its name; of the SOA's two names the first."""
_NAPTR: Final = 35
"""The type whose name stands behind texts (RFC 3403 4.1)."""


def asked_alone(wire: bytes, at: int) -> bool:
    """Whether each record from `at`, the end of the question, belongs to the name asked for and has no other name.

    An OPT record does not count. False, too, where the records are not whole.
    """
    size = len(wire)
    try:
        while at < size:
            if wire.startswith(_ASKED, at):
                rtype, length = _fixed(wire, at + 2)
                if rtype not in _NAMELESS:
                    return False
                at += 12 + length
            elif wire.startswith(_OPT, at):
                at += 11 + _fixed(wire, at + 1)[1]
            else:
                return False
    except struct.error:
        return False
    return at == size


def with_question(wire: bytes, question: bytes) -> bytes:
    """The message under another question section of one question; its records keep their names. Raises Malformed.

    Where all belong to the name asked for (`asked_alone`) and that stays the same, that is an exchange of octets.
    """
    check_header(wire)
    end = w.question_end(wire)
    if end > len(wire):
        raise Malformed("question cut short", codes.FORMERR)
    same_name = wire[12 : end - 4] == question[:-4]
    if same_name or end == len(wire) or not _points(wire, end):
        return wire[:4] + b"\0\1" + wire[6:12] + question + wire[end:]
    return rebuild(wire, question, *decode(wire))


def _points(wire: bytes, end: int) -> bool:
    """Whether there are records which may point somewhere: any but a lone OPT record."""
    return wire[6:12] != b"\0\0\0\0\0\1" or not wire.startswith(_OPT, end)


def rebuild(wire: bytes, question: bytes, *sections: Iterable[EncodedRecord]) -> bytes:
    """The message with another question section and with these records: answer, authority, additional section.

    Of the message itself only id and flags are taken.
    """
    answer, authority, additional = (list(section) for section in sections)
    counts = struct.pack("!4H", 1, len(answer), len(authority), len(additional))
    return wire[:4] + counts + question + encode(question[:-4], answer, authority, additional)


def data_name(record: EncodedRecord) -> bytes | None:
    """The name that the data of a record lead to, of NS, CNAME, SOA, PTR, MX, SRV, DNAME and NAPTR; None for others."""
    found = _place(record)
    return record.rdata[slice(*found)] if found else None


def with_data_name(record: EncodedRecord, name: bytes) -> EncodedRecord:
    """The record with another name in the place of `data_name`; one that has none is left as it is."""
    found = _place(record)
    if found is None:
        return record
    start, end = found
    return record._replace(rdata=record.rdata[:start] + name + record.rdata[end:])


def _place(record: EncodedRecord) -> tuple[int, int] | None:
    """Where the name in the data begins and ends. Raises Malformed where the data are too short for one."""
    data = record.rdata
    start = _NAME_IN_DATA.get(record.rtype)
    if start is None:
        if record.rtype != _NAPTR:
            return None
        start = _behind_naptr_texts(data)
    return start, w.skip_name(data, start)


def _behind_naptr_texts(data: bytes) -> int:
    """Where the replacement of a NAPTR begins: behind order, preference and three texts (RFC 3403 4.1)."""
    at = 4
    try:
        for _ in range(3):
            at += 1 + data[at]
    except IndexError:
        raise Malformed("NAPTR cut short", codes.FORMERR) from None
    return at


def check_header(wire: bytes) -> None:
    """Raise Malformed for what is too short to be a message."""
    if len(wire) < 12:
        raise Malformed("shorter than a header")


__all__ = ["asked_alone", "check_header", "data_name", "rebuild", "with_data_name", "with_question"]
