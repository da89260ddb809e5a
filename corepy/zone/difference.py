"""What changes from one version of a zone to the next: what IXFR hands on (RFC 1995).

A zone carries the differences that have led to it, as far as they are worth their memory: `since` finds those behind a
serial, `applied` makes the new version of an old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w
from corepy.records import EncodedRecord
from corepy.zone.store import Builder, Zone

SMALL: Final = 64
"""Names; smaller zones go from server to server as a whole (as all do in CoreDNS): they fit into one message, too."""
_SHARE: Final = 4
"""Differences together have a record for every fourth name at most: more would cost memory and save no time."""
_VERSIONS: Final = 100
"""Versions of which the differences are kept: who is further behind asks once a day, and may as well have the zone."""
_HALF: Final = 1 << 31   # serials less than this apart go up (RFC 1982 3.2)


class Difference(NamedTuple):
    """From one version to the next. SOA records are not among those that are removed and added."""

    before: EncodedRecord
    """The SOA record of the old version."""
    after: EncodedRecord
    removed: tuple[EncodedRecord, ...]
    added: tuple[EncodedRecord, ...]

    @property
    def size(self) -> int:
        """Records of which it is told with."""
        return 2 + len(self.removed) + len(self.added)


def is_newer(serial: int, other: int) -> bool:
    """Whether a serial comes after another one (RFC 1982 3.2)."""
    return 0 < (serial - other) % (2 * _HALF) < _HALF


def serial_of(soa: EncodedRecord) -> int:
    """The serial of a SOA record."""
    return int.from_bytes(soa.rdata[-20:-16], "big")


def succeed(old: Zone | None, new: Zone) -> None:
    """Let a version that has not been published yet know how it came from the one before; takes its time."""
    if old is not None and is_newer(new.serial, old.serial) and len(new) >= SMALL:
        new.history = _kept(new, (*old.history, difference(old, new)))


def since(zone: Zone, serial: int) -> Sequence[Difference]:
    """The differences from the version with this serial to the zone; none where they are not known."""
    for at, known in enumerate(zone.history):
        if serial_of(known.before) == serial:
            return zone.history[at:]
    return ()


def difference(old: Zone, new: Zone) -> Difference:
    """What is different between two versions."""
    before = [*old.soa[True], *old.ns[True]]
    after = [*new.soa[True], *new.ns[True]]
    for nodes in (old.nodes, old.below):
        for name, node in nodes.items():
            if new.find(name) != node:
                before += old.at(name)
                after += new.at(name)
    for nodes in (new.nodes, new.below):
        for name in nodes:
            if old.find(name) is None:
                after += new.at(name)
    gone, come = set(before), set(after)
    return Difference(
        old.soa[False][0], new.soa[False][0],
        tuple(record for record in before if record not in come and record.rtype != codes.SOA),
        tuple(record for record in after if record not in gone and record.rtype != codes.SOA),
    )  # fmt: skip


def applied(zone: Zone, differences: Sequence[Difference]) -> Zone:
    """The version that differences lead to; names that they do not touch are shared with the old one.

    Raises ValueError where they do not fit the zone, or lead to what is none.
    """
    soa = zone.soa[False][0]
    touched = {record.owner.lower() for step in differences for record in (*step.removed, *step.added)}
    found = [*zone.soa[True], *zone.ns[True], *chain.from_iterable(map(zone.at, touched | {zone.origin}))]
    records = {_identity(record): record for record in found if record.rtype != codes.SOA}
    for step in differences:
        if serial_of(step.before) != serial_of(soa):
            raise ValueError(f"differences from serial {serial_of(step.before)} for {serial_of(soa)}")
        for record in step.removed:
            if records.pop(_identity(record), None) is None:
                raise ValueError(f"a record of {w.decode_name(record.owner)} is removed that is not there")
        for record in step.added:
            if records.setdefault(_identity(record), record) is not record:
                raise ValueError(f"a record of {w.decode_name(record.owner)} is added that is there")
        soa = step.after
    builder = Builder.beside(zone, touched | {zone.origin})
    for record in (soa, *records.values()):
        builder.add(record)
    new = builder.build()
    new.history = _kept(new, (*zone.history, *differences))
    return new


def _identity(record: EncodedRecord) -> tuple[bytes, int, int, bytes]:
    """What no two records of a zone have in common (RFC 2181 5); names in any case."""
    data = record.rdata.lower() if record.rtype in w.NAMES_IN_DATA else record.rdata
    return record.owner.lower(), record.rtype, record.rclass, data


def _kept(zone: Zone, history: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """The newest differences, as many as are worth it; of a small zone none."""
    room = len(zone) // _SHARE if len(zone) >= SMALL else 0
    kept = 0
    for step in reversed(history[-_VERSIONS:]):
        room -= step.size
        if room < 0:
            break
        kept += 1
    return history[len(history) - kept :]


__all__ = ["SMALL", "Difference", "applied", "difference", "is_newer", "serial_of", "since", "succeed"]
