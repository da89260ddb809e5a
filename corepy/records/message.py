"""Records into messages and out of them: name compression and its reverse (RFC 1035 4.1.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records.record import EncodedRecord

_QUESTION_NAME: Final = 12
"""Where the name of the question is."""
_FARTHEST: Final = 0x3FFF
"""What the fourteen bits of a pointer reach."""
_AT_QUESTION: Final = b"\xc0\x0c"
_pack = w.RECORD.pack

_NAMES: Final = {
    codes.NS: (0, 1), 3: (0, 1), 4: (0, 1), codes.CNAME: (0, 1), codes.SOA: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1),
    codes.PTR: (0, 1), 14: (0, 2), codes.MX: (2, 1),
}  # fmt: skip
"""The types of RFC 1035 with names in their data: octets before them, and how many. Only these are compressed
(RFC 3597 4)."""
_OTHER_NAMES: Final = {
    17: (0, 2), 18: (2, 1), 21: (2, 1), 24: (18, 1), 26: (2, 2), 30: (0, 1), codes.SRV: (6, 1), 36: (2, 1),
    codes.DNAME: (0, 1),
}  # fmt: skip
"""Types whose names may have been compressed by old servers: read, but not written so (RFC 3597 4)."""


def encode(qname: bytes, *sections: Iterable[EncodedRecord]) -> bytes:
    """The records behind a question for `qname`, section after section, names compressed.

    A name is only replaced by one that is spelled alike, so that every record keeps its case.
    """
    out = bytearray()
    names: _Names | None = None
    for section in sections:
        for owner, rtype, rclass, ttl, rdata in section:
            if owner == qname and len(owner) > 1:
                out += _AT_QUESTION
            else:
                names = names or _Names(qname, out)
                names.write(owner)
            if rdata and rtype in _NAMES:
                names = names or _Names(qname, out)
                out += _pack(rtype, rclass, ttl, 0)
                start = len(out)
                names.write_data(rtype, rdata)
                out[start - 2 : start] = (len(out) - start).to_bytes(2, "big")
            else:
                out += _pack(rtype, rclass, ttl, len(rdata)) + rdata
    return bytes(out)


class _Names:
    """Where the names of a message are: `out` is what stands behind its question."""

    def __init__(self, qname: bytes, out: bytearray) -> None:
        self._out = out
        self._base = _QUESTION_NAME + len(qname) + 4
        self._known: dict[bytes, int] = {}
        at = 0
        while length := qname[at]:
            self._known[qname[at:]] = _QUESTION_NAME + at
            at += length + 1

    def write(self, name: bytes) -> None:
        """A name: labels up to a tail that stands somewhere before, and a pointer to it."""
        known, out = self._known, self._out
        at = 0
        while length := name[at]:
            pointer = known.get(name[at:])
            if pointer is not None:
                out += (0xC000 | pointer).to_bytes(2, "big")
                return
            here = self._base + len(out)
            if here <= _FARTHEST:
                known[name[at:]] = here
            out += name[at : at + length + 1]
            at += length + 1
        out += b"\0"

    def write_data(self, rtype: int, rdata: bytes) -> None:
        """Data with names."""
        at, names = _NAMES[rtype]
        self._out += rdata[:at]
        for _ in range(names):
            end = w.skip_name(rdata, at)
            self.write(rdata[at:end])
            at = end
        self._out += rdata[at:]


def decode(wire: bytes) -> tuple[list[EncodedRecord], list[EncodedRecord], list[EncodedRecord]]:
    """Answer, authority and additional section of a message, OPT included, names uncompressed. Raises Malformed."""
    if len(wire) < w.HEADER.size:
        raise Malformed("shorter than a header", codes.FORMERR)
    sections: tuple[list[EncodedRecord], ...] = ([], [], [])
    for found in w.records(wire):
        owner, _ = w.read_name(wire, found.start)
        data = _uncompressed(wire, found)
        sections[found.section].append(EncodedRecord(owner, found.rtype, found.rclass, found.ttl, data))
    return sections[0], sections[1], sections[2]


def _uncompressed(wire: bytes, record: w.Record) -> bytes:
    before, names = _NAMES.get(record.rtype) or _OTHER_NAMES.get(record.rtype, (0, 0))
    if not names or record.data == record.end:
        return wire[record.data : record.end]
    at = record.data + before
    parts = [wire[record.data : at]]
    for _ in range(names):
        name, at = w.read_name(wire, at)
        parts.append(name)
    if at > record.end:
        raise Malformed("name behind the record data", codes.FORMERR)
    return b"".join(parts) + wire[at : record.end]
