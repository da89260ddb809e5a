"""The records of a message in another order, as octets.

Names may point to where they stood before in the message (RFC 1035 4.1.4), so records cannot just change places. Most
answers only point into the question, and then they can; otherwise the records are written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from corepy import codes
from corepy import wire as w

_COMPRESSED: Final = frozenset((codes.NS, codes.CNAME, codes.SOA, codes.PTR, codes.MX))
"""Types in whose data names may be pointers; those that came later than RFC 1035 may not (RFC 3597 4)."""
_POINTED_TO: Final = 0x4000
"""A pointer has 14 bits."""


def reorder(wire: bytes, before: Sequence[w.Record], after: Sequence[w.Record]) -> bytes:
    """The message whose records are `before`, with them in the order of `after`, each in its own section.

    The message itself where the order is the same. Raises Malformed where names cannot be read.
    """
    moved = next((at for at, record in enumerate(before) if record is not after[at]), None)
    if moved is None:
        return wire
    fixed = before[moved].start
    if all(target < fixed for record in before[moved:] for target in _targets(wire, record)):
        return wire[:fixed] + b"".join([wire[record.start : record.end] for record in after[moved:]])
    return _written_anew(wire, before[0].start, after)


def addresses_alone(wire: bytes, at: int, number: int) -> list[bytes]:
    """The answer section, `number` records at `at`, of a message that has nothing else behind it, or no more than OPT.

    Only if all of them are A, or all AAAA records of the name asked for: then they can change places as they are,
    without a closer look. That is how most answers with several records look. Empty for any other message.
    """
    for head, length, size in _ADDRESSES:
        end = at + number * size
        if wire.startswith(head, at) and (len(wire) == end or wire.startswith(_OPT, end)):
            records = [wire[start : start + size] for start in range(at, end, size)]
            if all(record.startswith(head) and record[10:12] == length for record in records):
                return records
    return []


_OPT: Final = b"\0" + codes.OPT.to_bytes(2, "big")
_ADDRESSES: Final = (
    (b"\xc0\x0c\0\1\0\1", b"\0\x04", 16),
    (b"\xc0\x0c\0\x1c\0\1", b"\0\x10", 28),
)
"""Pointer to the name in the question, type and class; length of the data; length of the record."""


def _targets(wire: bytes, record: w.Record) -> Iterator[int]:
    """Where the pointers in a record point to."""
    yield _target(wire, record.start)
    for at in _names(wire, record):
        yield _target(wire, at)


def _target(wire: bytes, at: int) -> int:
    """Where the pointer at the end of a name points to; 0 where the name has none."""
    while length := wire[at]:
        if length >= 0xC0:
            return (length & 0x3F) << 8 | wire[at + 1]
        at += length + 1
    return 0


def _names(wire: bytes, record: w.Record) -> Iterator[int]:
    """Where the names in a record's data begin."""
    before, names = w.NAMES_IN_DATA.get(record.rtype, (0, 0))
    at = record.data + before
    for _ in range(names if record.end > record.data else 0):
        yield at
        at = w.skip_name(wire, at)


def _written_anew(wire: bytes, start: int, records: Sequence[w.Record]) -> bytes:
    """The message up to `start`, and then the records with names that point to earlier ones."""
    out = _Writer(wire[:start])
    for record in records:
        out.name(w.read_name(wire, record.start)[0])
        out.octets += wire[record.data - w.RECORD.size : record.data - 2]
        length, at = len(out.octets), record.data
        out.octets += b"\0\0"
        for name in list(_names(wire, record)):
            out.octets += wire[at:name]
            text, at = w.read_name(wire, name)
            out.name(text, compress=record.rtype in _COMPRESSED)
        out.octets += wire[at : record.end]
        out.octets[length : length + 2] = (len(out.octets) - length - 2).to_bytes(2, "big")
    return bytes(out.octets)


class _Writer:
    """Octets of a message that grow, and the names in them that later ones may point to."""

    def __init__(self, octets: bytes) -> None:
        self.octets = bytearray(octets)
        self._places: dict[bytes, int] = {}
        if octets[4:6] != b"\0\0":
            name, _ = w.read_name(octets, 12)
            at = 12
            for suffix in w.suffixes(name):
                self._places[suffix] = at
                at += suffix[0] + 1

    def name(self, name: bytes, *, compress: bool = True) -> None:
        """Write a name, with a pointer for as much of its end as stands somewhere before."""
        for suffix in w.suffixes(name):
            place = self._places.get(suffix) if compress and suffix != b"\0" else None
            if place is not None:
                self.octets += (0xC000 | place).to_bytes(2, "big")
                return
            if len(self.octets) < _POINTED_TO:
                self._places.setdefault(suffix, len(self.octets))
            self.octets += suffix[: suffix[0] + 1]
