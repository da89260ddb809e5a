"""What goes along with answers of a signed zone to prove what is not there.

NSEC records are those of RFC 4035 3.1.3, NSEC3 records those of RFC 5155 7.2. All names are in wire form and
lower case. In a zone that is not signed nothing is proved, and all lists are empty.
"""

from __future__ import annotations

from typing import Final

from corepy import codes
from corepy.records import EncodedRecord
from corepy.zone.hashed import NSEC3, Chain
from corepy.zone.names import WILDCARD, parent
from corepy.zone.store import NSEC, Node, Zone

_COVERED: Final = tuple(rtype.to_bytes(2, "big") for rtype in (NSEC, NSEC3))
"""How the data of signatures begin that are for proofs."""


def is_proof(record: EncodedRecord) -> bool:
    """Whether a record is one of these, or the signature of one."""
    return record.rtype in (NSEC, NSEC3) or (record.rtype == codes.RRSIG and record.rdata.startswith(_COVERED))


def no_data(zone: Zone, name: bytes, node: Node | None) -> list[EncodedRecord]:
    """A name does not have the type; it is an empty non-terminal where it has no node."""
    if zone.chain is None:
        return _covering(zone, name) if node is None else zone.rrset(name, node, NSEC, do=True)
    if zone.chain.matching(name) is None:   # below an opt-out: nothing is said of this name (RFC 5155 7.2.4)
        return _encloser(zone, zone.chain, name)[0]
    return _hashed(zone, zone.chain.matching(name))


def no_name(zone: Zone, name: bytes) -> list[EncodedRecord]:
    """A name does not exist, and no wildcard makes it."""
    if zone.chain is not None:
        records, encloser = _encloser(zone, zone.chain, name)
        return _both(records, _hashed(zone, zone.chain.covering(WILDCARD + encloser)))
    records = _covering(zone, name)
    if not records:
        return records
    encloser = parent(name)
    while encloser != zone.origin and not _exists(zone, encloser):
        encloser = parent(encloser)
    return _both(records, _covering(zone, WILDCARD + encloser))


def from_wildcard(zone: Zone, name: bytes, source: bytes) -> list[EncodedRecord]:
    """A name that an answer was made for from a wildcard does not exist itself."""
    if zone.chain is None:
        return _covering(zone, name)
    return _hashed(zone, zone.chain.covering(_next_closer(name, parent(source))))


def no_data_from_wildcard(zone: Zone, name: bytes, source: bytes, node: Node) -> list[EncodedRecord]:
    """A name does not exist, and the wildcard that it would be made from does not have the type."""
    if zone.chain is None:
        return _both(zone.rrset(source, node, NSEC, do=True), _covering(zone, name))
    return _both(_encloser(zone, zone.chain, name)[0], _hashed(zone, zone.chain.matching(source)))


def _covering(zone: Zone, name: bytes) -> list[EncodedRecord]:
    """The NSEC record that matches or covers a name, with its signatures."""
    owner = zone.denial(name)
    return [] if owner is None else zone.rrset(owner, zone.nodes.get(owner) or zone.below[owner], NSEC, do=True)


def _hashed(zone: Zone, owner: bytes | None) -> list[EncodedRecord]:
    """The NSEC3 record of an owner likewise."""
    return [] if owner is None else zone.rrset(owner, zone.hashed[owner], NSEC3, do=True)


def _encloser(zone: Zone, chain: Chain, name: bytes) -> tuple[list[EncodedRecord], bytes]:
    """The closest encloser that has an NSEC3 record, with the proof that it is (RFC 5155 7.2.1)."""
    encloser = parent(name)
    while encloser != zone.origin and not (_exists(zone, encloser) and chain.matching(encloser)):
        encloser = parent(encloser)
    closer = chain.covering(_next_closer(name, encloser))
    return _both(_hashed(zone, chain.matching(encloser)), _hashed(zone, closer)), encloser


def _next_closer(name: bytes, encloser: bytes) -> bytes:
    """The name that is one label longer than an encloser."""
    while len(above := parent(name)) > len(encloser):
        name = above
    return name


def _exists(zone: Zone, name: bytes) -> bool:
    return bool(zone.find(name)) or zone.is_empty_non_terminal(name)


def _both(one: list[EncodedRecord], other: list[EncodedRecord]) -> list[EncodedRecord]:
    """The records of both, each once."""
    return one + [record for record in other if record not in one]


__all__ = ["from_wildcard", "is_proof", "no_data", "no_data_from_wildcard", "no_name"]
