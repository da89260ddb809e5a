"""What a transfer is made of: where it ends, and the zone that comes of it (RFC 5936 2.2, RFC 1995 4).

A zone as a whole begins and ends with its SOA record. Differences begin with the new SOA record, too; then for each
version the old SOA record, what is removed, the SOA record of the next one, what is added; and the new one at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records import EncodedRecord, decode
from corepy.zone import Builder, Difference, Zone, applied, is_newer, serial_of, succeed


class Reading:
    """Follows the messages of a transfer; `known` is the serial that we have, where differences were asked for."""

    def __init__(self, known: int | None = None) -> None:
        self._known = known
        self._owner = b""
        self._first: int | None = None
        self._count = 0
        self._removes = False
        self._current: int | None = None
        self.incremental = False
        """Whether there are differences, and not the whole zone."""
        self.ended = False
        """Whether the last record was there; or something that no transfer has, which `build` will find."""

    def take(self, wire: bytes) -> bool:
        """Look at the next message; whether it is the last one. Any octets with a header may be given."""
        if wire[3] & w.RCODE or wire[6:8] == b"\0\0":
            self.ended = True
            return True
        try:
            for record in w.records(wire):
                if record.section == w.ANSWER:
                    self._next(self._serial(wire, record) if record.rtype == codes.SOA else None)
        except Malformed:
            self.ended = True
        return self.ended

    def _serial(self, wire: bytes, soa: w.Record) -> int | None:
        """The serial of a SOA record; None where it is not that of the zone, which comes first."""
        owner = w.read_name(wire, soa.start)[0].lower()
        if not self._count:
            self._owner = owner
        return int.from_bytes(wire[soa.end - 20 : soa.end - 16], "big") if owner == self._owner else None

    def _next(self, serial: int | None) -> None:
        """The next record: the serial of a SOA record of the zone, None for all others."""
        self._count += 1
        if self._count == 1:
            self._first = serial
            current = serial is not None and self._known is not None and not is_newer(serial, self._known)
            self.ended = serial is None or current
        elif self._count == 2 and serial is not None and serial == self._known:
            self.incremental = self._removes = True
        elif serial is None:
            pass
        elif self._removes:
            self._removes, self._current = False, serial
        elif self.incremental and serial == self._current != self._first:
            self._removes = True
        else:   # of a whole zone, of the last differences, or out of place
            self.ended = True


def build(origin: bytes, wires: Sequence[bytes], old: Zone | None, *, incremental: bool) -> Zone:
    """The zone of a transfer; `old` is the version that we have. Raises ValueError and Malformed where it is none."""
    records: list[EncodedRecord] = []
    for wire in wires:
        if rcode := wire[3] & w.RCODE:
            raise ValueError(codes.rcode_name(rcode))
        records += decode(wire)[0]
    if not records or records[0].rtype != codes.SOA or records[-1].rtype != codes.SOA:
        raise ValueError("no zone that begins and ends with its SOA record")
    if old is not None and incremental:
        return applied(old, list(_differences(records)))
    if len(records) == 1:
        if old is None or is_newer(serial_of(records[0]), old.serial):
            raise ValueError("no more than a SOA record")
        return old
    soa, *rest = records[:-1]
    others = [serial_of(record) for record in (*rest, records[-1]) if _is_soa_of(record, soa.owner)]
    if others != [serial_of(soa)]:
        raise ValueError("SOA records of several versions")
    builder = Builder(origin)
    for record in (soa, *rest):
        builder.add(record)
    new = builder.build()
    succeed(old, new)
    return new


def _differences(records: list[EncodedRecord]) -> Iterator[Difference]:
    """The steps of an incremental transfer. Raises ValueError where it is none."""
    places = [at for at, record in enumerate(records) if _is_soa_of(record, records[0].owner)]
    if len(places) < 4 or len(places) % 2 or records[-1] != records[0]:
        raise ValueError("differences that do not lead to the new SOA record")
    serial = None
    for before, after, end in zip(places[1:-1:2], places[2::2], places[3::2], strict=False):
        if serial not in (None, serial_of(records[before])):
            raise ValueError("differences between other versions")
        serial = serial_of(records[after])
        removed, added = tuple(records[before + 1 : after]), tuple(records[after + 1 : end])
        yield Difference(records[before], records[after], removed, added)
    if serial != serial_of(records[0]):
        raise ValueError("differences that lead to another version")


def _is_soa_of(record: EncodedRecord, owner: bytes) -> bool:
    """Whether it is the SOA record of the zone; there are primaries that hand out those of others along with it."""
    return record.rtype == codes.SOA and record.owner.lower() == owner.lower()
