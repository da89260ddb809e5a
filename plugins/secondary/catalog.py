"""Catalog zones: zones whose records are the names of other zones (RFC 9432, version 2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w
from corepy.zone import Zone

_VERSION: Final = b"\x012"
"""The text of the version record."""
_ZONES: Final = b"\5zones"
_COO: Final = b"\3coo"


class Member(NamedTuple):
    """A zone of a catalog."""

    label: bytes
    """What the catalog knows it by, with its length in front; a new one means that the zone begins anew."""
    successor: bytes
    """The catalog that may take it over (RFC 9432 4.3.1), a key; empty for none."""


def members(catalog: Zone) -> dict[bytes, Member]:
    """The zones of a catalog by their names, which are keys. Raises ValueError for what is no catalog zone."""
    origin = catalog.origin
    if not catalog.ns[False] or catalog.soa[False][0].owner != origin:
        raise ValueError("a catalog zone has SOA and NS records")
    texts = _data(catalog, b"\7version" + origin, codes.TXT)
    if texts != [_VERSION]:
        raise ValueError("a catalog zone has one version record, TXT 2")
    found: dict[bytes, Member] = {}
    above = _ZONES + origin
    for name in catalog.nodes:
        label, upper = name[: name[0] + 1], name[name[0] + 1 :]
        zones = _data(catalog, name, codes.PTR) if upper == above else []
        if not zones:
            continue
        successors = _data(catalog, _COO + name, codes.PTR)
        if len(zones) > 1 or len(successors) > 1:
            raise ValueError(f"catalog member {w.decode_name(name)} has more than one PTR record")
        zone = zones[0].lower()
        if zone in found:
            raise ValueError(f"catalog member zone {w.decode_name(zone)} is listed twice")
        found[zone] = Member(label, successors[0].lower() if successors else b"")
    return found


def _data(catalog: Zone, name: bytes, rtype: int) -> list[bytes]:
    """The data of the records of a name."""
    node = catalog.nodes.get(name, {})
    return [record.rdata for record in catalog.rrset(name, node, rtype, do=False)]
