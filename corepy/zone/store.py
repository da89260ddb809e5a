"""The store: RRsets as they go into messages, under their owners' names.

A record is kept as it stands behind a question for its owner: a pointer to the name there, type, class, TTL, length and
data, with the names in it uncompressed. So an answer is a look into a dict, and octets that are put together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records import EncodedRecord
from corepy.zone.hashed import NSEC3, NSEC3PARAM, Chain
from corepy.zone.names import canonical, parent

if TYPE_CHECKING:
    from corepy.zone.difference import Difference

Node = dict[int, bytes]
"""What a name has: for each type the octets of its records, one behind the other. The signatures of a type are under
`SIGNATURE | type`. Where there are several records, `COUNT` and that says how many, in two octets. Nothing in it is an
object that Python's garbage collector looks at: a collection that has a hundred thousand nodes to go through keeps
queries waiting."""

SIGNATURE: Final = 0x10000
"""Not of a type's sixteen bits: what is under it covers the type in the lower ones."""
COUNT: Final = 0x20000
"""Likewise: what is under it is a number of records."""
_MOST: Final = 0xFFFF
"""What a section's count in a message can say (RFC 1035 4.1.1); more records fit into no message either."""
OWNER: Final = b"\xc0\x0c"
"""A pointer to the name in the question."""
NSEC: Final = codes.TYPES["NSEC"]
_NAMES: Final[Mapping[int, tuple[int, int]]] = {
    codes.NS: (0, 1), codes.CNAME: (0, 1), codes.SOA: (0, 2), codes.PTR: (0, 1), codes.MX: (2, 1), codes.SRV: (6, 1),
    codes.DNAME: (0, 1), 64: (2, 1), 65: (2, 1),
}  # fmt: skip
"""Types whose names are looked at: octets before them in the data, and how many."""
_KEEP_CASE: Final = frozenset((codes.PTR, codes.SRV, codes.DNAME))
"""Those whose names stay as they are spelled; the others' become lower case (as CoreDNS)."""
_SIZES: Final = {codes.A: 4, codes.AAAA: 16}
_SOA_NUMBERS: Final = 20
"""Octets of the five numbers behind the names of a SOA record (RFC 1035 3.3.13)."""

_pack = w.RECORD.pack
_unpack = w.RECORD.unpack_from


class Zone:
    """The records of a zone; made by a `Builder`, never changed.

    All names are in wire form, and in lower case where they are keys.
    """

    def __init__(
        self, origin: bytes, nodes: dict[bytes, Node], apex: Node, soa_owner: bytes, hashed: dict[bytes, Node]
    ) -> None:
        self.origin = origin
        self.labels = w.labels(origin)
        """How many labels the origin has."""
        self.nodes: dict[bytes, Node] = nodes
        """The names that the zone itself answers for, those of delegations and what is below them left out. SOA and
        NS of the apex are not among the origin's types."""
        self.below: dict[bytes, Node] = {}
        """The names of delegations, and what is below them or a DNAME."""
        self.spelled: dict[bytes, bytes] = {}
        """Owners of SRV records that are not written in lower case: they go out as they are written (as CoreDNS)."""
        self.soa = tuple(_apex(soa_owner, apex, codes.SOA, signed) for signed in (False, True))
        """The SOA record; its signatures behind it in the second one."""
        self.ns = tuple(_apex(origin, apex, codes.NS, signed) for signed in (False, True))
        """The NS records of the apex, likewise."""
        self.serial = int.from_bytes(apex[codes.SOA][-_SOA_NUMBERS : 4 - _SOA_NUMBERS], "big")
        self.history: tuple[Difference, ...] = ()
        """What has led to this version, the oldest first; set before it is published (`corepy.zone.difference`)."""
        self.hashed = hashed
        """The owners of NSEC3 records, which are no names of the zone (RFC 5155 7.2.8)."""
        self.chain = _chain(nodes.get(origin, {}), hashed)
        """Their order; None in a zone without."""
        self._inner = _inner_names(nodes)
        self._denials = sorted((canonical(name), name) for name in nodes if NSEC in nodes[name])
        self._hide_delegations()

    def find(self, name: bytes) -> Node | None:
        """What a name has, whether the zone answers for it or not."""
        return self.nodes.get(name) or self.below.get(name)

    def is_empty_non_terminal(self, name: bytes) -> bool:
        """Whether a name has no records but names below it that do (RFC 4592 2.2.2)."""
        return name in self._inner and name not in self.nodes and name not in self.below

    @property
    def signed(self) -> bool:
        """Whether there are NSEC or NSEC3 records."""
        return bool(self._denials) or self.chain is not None

    def denial(self, name: bytes) -> bytes | None:
        """The owner of the NSEC record that matches a name or covers it (RFC 4034 4); None in a zone without."""
        at = bisect_right(self._denials, (canonical(name), name)) - 1
        return self._denials[at][1] if at >= 0 else None

    def rrset(self, name: bytes, node: Node, rtype: int, *, do: bool, owner: bytes = b"") -> list[EncodedRecord]:
        """The records of one type, none where there are none; with signatures if `do`; for any owner if one is given.

        `name` is the key of the node.
        """
        found = node.get(rtype)
        if found is None:
            return []
        if not owner and rtype == codes.SRV:
            owner = self.spelled.get(name, b"")
        records = decode(owner or name, found)
        if do and (signatures := node.get(SIGNATURE | rtype)):
            records += decode(owner or name, signatures)
        return records

    def records(self) -> Iterator[EncodedRecord]:
        """All records of the zone: SOA and NS of the apex first, with their signatures, then the others."""
        yield from self.soa[True]
        yield from self.ns[True]
        for nodes in (self.nodes, self.below, self.hashed):
            for name, node in nodes.items():
                yield from self._records(name, node)

    def at(self, name: bytes) -> list[EncodedRecord]:
        """All records of a name, but SOA and NS of the apex."""
        return list(self._records(name, self.find(name) or {}))

    def _records(self, name: bytes, node: Node) -> Iterator[EncodedRecord]:
        for rtype, octets in node.items():
            if rtype & COUNT:
                continue
            owner = self.spelled.get(name, name) if rtype == codes.SRV else name
            yield from decode(owner, octets)

    def __len__(self) -> int:
        """How many names there are, the apex included if it has more than SOA and NS."""
        return len(self.nodes) + len(self.below)

    def _hide_delegations(self) -> None:
        """Move what the zone does not answer for: names with NS records, and names below those and below a DNAME."""
        cuts = {
            name for name, node in self.nodes.items()
            if (codes.NS in node or codes.DNAME in node) and w.in_zones(name, (self.origin,))
        }  # fmt: skip
        if not cuts:
            return
        for name, node in list(self.nodes.items()):
            if codes.NS in node or any(upper in cuts for upper in _ancestors(name)):
                self.below[name] = self.nodes.pop(name)


class Builder:
    """Takes records in any order, and makes a zone of them.

    As CoreDNS, it does not mind names outside of the zone, not even that of the SOA record.
    """

    def __init__(self, origin: bytes) -> None:
        self._origin = origin
        self._nodes: dict[bytes, Node] = {}
        self._hashed: dict[bytes, Node] = {}
        self._apex: Node = {}
        self._soa_owner = origin
        self._spelled: dict[bytes, bytes] = {}
        self._more: dict[tuple[int, int], tuple[Node, list[bytes]]] = {}

    @classmethod
    def beside(cls, zone: Zone, names: Container[bytes]) -> Self:
        """One that has the records of a zone, but those of these names, which are keys, and SOA and NS of the apex."""
        made = cls(zone.origin)
        for nodes in (zone.nodes, zone.below):
            made._nodes.update({name: node for name, node in nodes.items() if name not in names})
        made._spelled.update({name: owner for name, owner in zone.spelled.items() if name not in names})
        return made

    def add(self, record: EncodedRecord) -> None:
        """Take in a record, names in it uncompressed. Raises ValueError for one that cannot be served."""
        owner, rtype, rclass, ttl, rdata = record
        name = owner.lower()
        if rtype in _SIZES or rtype in _NAMES:
            rdata = _checked(rtype, rdata)
        octets = OWNER + _pack(rtype, rclass, ttl, len(rdata)) + rdata
        covered = rtype
        if rtype == codes.RRSIG:
            covered = _covered(rdata)
            rtype = SIGNATURE | covered
        if rtype == codes.SOA:
            self._take_soa(name, octets)
            return
        if covered == codes.SOA or (covered == codes.NS and name == self._origin):
            node = self._apex
        elif covered == NSEC3:
            node = self._hashed.setdefault(name, {})
        else:
            node = self._nodes.get(name) or self._nodes.setdefault(name, {})
        if rtype == codes.SRV and owner != name:
            self._spelled[name] = owner
        if rtype not in node:
            node[rtype] = octets
        else:
            self._more.setdefault((id(node), rtype), (node, []))[1].append(octets)

    def _take_soa(self, name: bytes, octets: bytes) -> None:
        """The SOA record is that of the zone's own name if there is one, else of any; of several the last one."""
        if name == self._origin or self._soa_owner != self._origin or codes.SOA not in self._apex:
            self._apex[codes.SOA] = octets
            self._soa_owner = name

    def build(self) -> Zone:
        """The zone. Nothing may be added afterwards.

        Raises ValueError where there is no SOA record, or something is denied by hashes and the chain is not whole.
        """
        if codes.SOA not in self._apex:
            raise ValueError(f"no SOA record for {w.decode_name(self._origin)}")
        for (_, rtype), (node, octets) in self._more.items():
            node[rtype] = b"".join([node[rtype], *octets])
            node[COUNT | rtype] = min(1 + len(octets), _MOST).to_bytes(2, "big")
        zone = Zone(self._origin, self._nodes, self._apex, self._soa_owner, self._hashed)
        zone.spelled = self._spelled
        return zone


def count(node: Node, rtype: int) -> int:
    """How many records of a type, or signatures of one, a node has that has some; 65,535 where there are more."""
    several = node.get(COUNT | rtype)
    return 1 if several is None else int.from_bytes(several, "big")


def decode(owner: bytes, octets: bytes) -> list[EncodedRecord]:
    """The records of a type, under a name."""
    at, records = 2, []
    while at < len(octets):
        rtype, rclass, ttl, length = _unpack(octets, at)
        at += 10 + length
        records.append(EncodedRecord(owner, rtype, rclass, ttl, octets[at - length : at]))
        at += 2
    return records


def target(record: EncodedRecord) -> bytes:
    """The name that the data of a record ends in or points to, as it is spelled; only for types that have one."""
    before, _ = _NAMES[record.rtype]
    return record.rdata[before : w.skip_name(record.rdata, before)]


def _apex(owner: bytes, apex: Node, rtype: int, signed: bool) -> list[EncodedRecord]:
    records = decode(owner, apex.get(rtype, b""))
    return records + decode(owner, apex.get(SIGNATURE | rtype, b"")) if signed else records


def _chain(apex: Node, hashed: Mapping[bytes, Node]) -> Chain | None:
    """The chain of NSEC3 records. Raises ValueError for less than a whole one."""
    parameters = apex.get(NSEC3PARAM)
    if parameters is None:
        if hashed:
            raise ValueError("a zone with NSEC3 records, but without NSEC3PARAM, is not supported")
        return None
    [first, *_] = decode(b"\0", parameters)
    lone = [owner for owner, node in hashed.items() if NSEC3 not in node]
    if lone:
        raise ValueError(f"{w.decode_name(lone[0])} has a signature, but no NSEC3 record")
    return Chain(first.rdata, {owner: decode(owner, node[NSEC3])[0].rdata for owner, node in hashed.items()})


def _ancestors(name: bytes) -> Iterable[bytes]:
    suffixes = w.suffixes(name)
    next(suffixes)
    return suffixes


def _inner_names(nodes: Iterable[bytes]) -> set[bytes]:
    """All names that have others below them."""
    inner: set[bytes] = set()
    for name in nodes:
        upper = parent(name)
        while upper and upper not in inner:
            inner.add(upper)
            upper = parent(upper)
    return inner


def _checked(rtype: int, rdata: bytes) -> bytes:
    """Data that has what it should have, its names in lower case. Raises ValueError."""
    if rtype in _SIZES:
        if len(rdata) != _SIZES[rtype]:
            raise ValueError(f"{codes.type_name(rtype)} data of {len(rdata)} octets")
        return rdata
    before, names = _NAMES[rtype]
    try:
        at = before
        for _ in range(names):
            name, end = w.read_name(rdata, at)
            if len(name) != end - at:
                raise ValueError(f"{codes.type_name(rtype)} data with a compressed name")
            at = end
    except Malformed as error:
        raise ValueError(f"{codes.type_name(rtype)} data: {error}") from None
    rest = len(rdata) - at
    if rest != (_SOA_NUMBERS if rtype == codes.SOA else 0) and rtype not in (64, 65):
        raise ValueError(f"{codes.type_name(rtype)} data of a wrong length")
    return rdata if rtype in _KEEP_CASE else rdata[:before] + rdata[before:at].lower() + rdata[at:]


def _covered(rdata: bytes) -> int:
    """The type that a signature is for. Raises ValueError for data that is no signature."""
    if len(rdata) < 19:
        raise ValueError(f"RRSIG data of {len(rdata)} octets")
    return int.from_bytes(rdata[:2], "big")
