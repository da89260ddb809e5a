"""Zones with everything that a zone may have, and all questions that could be asked about them; both from a seed.

    zone = generate(b"\\7example\\3org\\0", seed=7, signed=True)
    path.write_text(zone.text())
    for question in zone.questions(): ...

Signatures are no real ones: what is compared is which of them go along. The chain of NSEC records is made by the letter
of RFC 4034, without what the server itself has for it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import pairwise
from random import Random
from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w

Labels = tuple[bytes, ...]
"""A name in the zone, less its origin; the first label first."""

_LABELS: Final = (
    b"a", b"b", b"c", b"www", b"mail", b"z", b"0", b"10", b"9", b"-", b"_tcp", b"A", b"MiXed", b"x*", b"**", b"a.b",
    b'q"uote', b"back\\slash", b"\0", b"\0\1", b"\x7f", b"\xff", b"\xc3\xbcber", b"xn--ber-goa", b"@", b"-x", b"(",
    b";", b"l" * 63, b"L" * 62, b"ns", b"sub",
)  # fmt: skip
PLAIN: Final = tuple(label for label in _LABELS if re.fullmatch(rb"[\w*-]+", label))
"""Labels that are the same as text and as octets: CoreDNS orders others by their escapes."""
_DATA: Final = (
    ("A", r"192.0.2.{n}"), ("A", r"192.0.2.{n}"), ("AAAA", "2001:db8::{n:x}"), ("TXT", r'"text {n}" "\"q\" \\ \007;("'),
    ("MX", "{n} {name}"), ("SRV", "{n} 0 53 {name}"), ("CAA", '0 issue "ca{n}.example.net"'), ("PTR", "{name}"),
    ("TLSA", "3 1 1 {n:064x}"), ("SSHFP", "4 2 {n:064x}"), ("NAPTR", '{n} 1 "s" "SIP+D2U" "" {name}'),
    ("RP", "{name} ."),
    ("LOC", "{n} 21 54.123 N 71 06 18 W -24m 30m"), ("URI", '{n} 1 "https://a/{n}"'), ("HINFO", '"a{n}" "b c"'),
    ("SVCB", "1 {name} alpn=h2 port={n}"), ("HTTPS", "1 . alpn=h2,h3 ipv4hint=192.0.2.{n}"), ("HTTPS", "0 {name}"),
    ("TYPE65280", r"\# 2 00{n:02x}"), ("TYPE65281", r"\# 0"), ("AFSDB", "1 {name}"),
    ("EUI48", "00-00-5e-00-53-{n:02x}"),
    ("CERT", "1 {n} 8 AQID"), ("OPENPGPKEY", "AQID"), ("SPF", '"v=spf1 -all"'), ("NID", "{n} 0014:4fff:ff20:ee64"),
)  # fmt: skip
"""Types and what their data may be."""
_ASKED: Final = (
    "A", "AAAA", "TXT", "MX", "SRV", "NS", "SOA", "CNAME", "DNAME", "DS", "PTR", "CAA", "HTTPS", "SVCB", "NSEC",
    "RRSIG", "DNSKEY", "TYPE65280", "TYPE1234",
)  # fmt: skip
_ELSEWHERE: Final = "host.example.net."
_SIGNATURE: Final = "13 {labels} {ttl} 20500101000000 20240101000000 7 {origin} {data}"


class Question(NamedTuple):
    """What is asked."""

    name: bytes
    """In wire form, spelled as it is asked."""
    qtype: int
    do: bool


class Row(NamedTuple):
    """A record: type and data as text."""

    rtype: str
    data: str
    ttl: int = 300


@dataclass
class Generated:
    """The records of a zone by their owners; what is below a cut or a DNAME is in `hidden`."""

    origin: bytes
    random: Random
    labels: tuple[bytes, ...] = _LABELS
    rows: dict[Labels, list[Row]] = field(default_factory=dict)
    hidden: dict[Labels, list[Row]] = field(default_factory=dict)
    cuts: set[Labels] = field(default_factory=set)
    """Delegations and DNAMEs: nothing below them is the zone's."""

    def written(self, labels: Labels) -> str:
        """A name as it stands in the file."""
        return w.decode_name(self.wire(labels))

    def wire(self, labels: Labels) -> bytes:
        """A name in wire form."""
        return b"".join([bytes((len(label),)) + label for label in labels]) + self.origin

    def text(self) -> str:
        """The zone file."""
        lines = [
            f"{self.written(labels)} {row.ttl} IN {row.rtype} {row.data}"
            for rows in (self.rows, self.hidden)
            for labels, found in rows.items()
            for row in found
        ]
        first = next(line for line in lines if " IN SOA " in line)
        return "\n".join([first, *(line for line in lines if line is not first)]) + "\n"

    def is_hidden(self, labels: Labels) -> bool:
        """Whether a name is below a delegation or a DNAME."""
        return any(labels[at:] in self.cuts for at in range(1, len(labels) + 1))

    # --- questions ---

    def names(self) -> list[bytes]:
        """Names that are there, above, below and beside these, covered by wildcards, hidden, and of other zones."""
        found: dict[Labels, None] = {}
        for labels in [*self.rows, *self.hidden]:
            for at in range(len(labels) + 1):
                found[labels[at:]] = None
        for labels in list(found):
            for front in (b"new", b"*", *self.random.choices(self.labels, k=2)):
                found[(front, *labels)] = None
            found[(b"deep", b"new", *labels)] = None
            if labels:
                first = labels[0]
                found[(first + b"-" if len(first) < 63 else first[:-1], *labels[1:])] = None
        names = [self.wire(labels) for labels in found]
        return [name for name in names if len(name) <= w.MAX_NAME]

    def questions(self) -> Iterator[Question]:
        """Each name with each type, without and with DO; now and then spelled otherwise."""
        for name in self.names():
            for rtype in _ASKED:
                for do in (False, True):
                    spelled = name.swapcase() if self.random.random() < 0.1 else name
                    yield Question(spelled, codes.TYPES.get(rtype) or int(rtype[4:]), do)


def generate(origin: bytes, seed: int, *, proofs: str = "", labels: tuple[bytes, ...] = _LABELS) -> Generated:
    """A zone of some sixty names, made of these labels; `origin` is in wire form and lower case.

    `proofs` says whether and how it is signed: `nsec`, `nsec3`, or `optout` for NSEC3 without insecure delegations.
    """
    zone = Generated(origin, Random(seed), labels)
    _grow(zone)
    if proofs:
        zone.rows[()].append(Row("DNSKEY", "257 3 13 " + "A" * 86 + "=="))
        if proofs == "nsec":
            _chain(zone)
        else:
            _chain_hashes(zone, optout=proofs == "optout")
        _sign(zone)
    return zone


def _grow(zone: Generated) -> None:
    random = zone.random
    server = zone.written((b"ns",))
    apex = [Row("SOA", f"{server} root.example.net. {random.randrange(1, 1000)} 7200 3600 1209600 60")]
    apex += [Row("NS", _ELSEWHERE), Row("NS", zone.written((b"NS", b"a")))]
    zone.rows[()] = [*apex, Row("MX", f"1 {zone.written((b'mail',))}"), Row("CAA", '0 issue ";"'), Row("TXT", '"apex"')]
    zone.rows[b"mail",] = [Row("A", "192.0.2.25"), Row("AAAA", "2001:db8::25")]
    for _ in range(60):
        above = random.choice([labels for labels in zone.rows if labels not in zone.cuts])
        labels = (*random.choices(zone.labels, k=random.choice((1, 1, 1, 2, 3))), *above)
        if random.random() < 0.2:
            labels = (b"*", *labels[:])
        labels = tuple(_folded(zone, labels))
        if len(zone.wire(labels)) > 200 or labels in zone.rows or zone.is_hidden(labels):
            continue
        _add(zone, labels)
    for labels in random.sample(list(zone.rows), 3):   # the names that are targets have addresses, often
        if not any(row.rtype in ("CNAME", "A", "NS") for row in zone.rows[labels]):
            zone.rows[labels].append(Row("A", "192.0.2.200"))


def _folded(zone: Generated, labels: Labels) -> Iterator[bytes]:
    """A name that is spelled as those above it that are there, since names in any case are the same."""
    above = [found[at:] for found in zone.rows for at in range(len(found) + 1)]
    known = {tuple(label.lower() for label in found): found for found in above}
    for at in range(len(labels)):
        found = known.get(tuple(label.lower() for label in labels[at:]))
        if found is not None:
            yield from found
            return
        yield labels[at]


def _target(zone: Generated) -> str:
    """A name that data lead to: in the zone, below something there, or elsewhere."""
    random = zone.random
    if random.random() < 0.15:
        return _ELSEWHERE
    labels = random.choice(list(zone.rows))
    if random.random() < 0.3:
        labels = (random.choice((b"new", b"a", b"www")), *labels)
    return zone.written(tuple(label for label in labels if label != b"*" or random.random() < 0.2))


def _add(zone: Generated, labels: Labels) -> None:
    """A new name, of some kind."""
    random = zone.random
    kind = random.random()
    leaf = not any(other[-len(labels) :] == labels for other in zone.rows)
    if kind < 0.2:
        zone.rows[labels] = [Row("CNAME", _target(zone))]
    elif kind < 0.27 and leaf and b"*" not in labels:
        zone.rows[labels] = [Row("DNAME", _target(zone))]
        zone.cuts.add(labels)
    elif kind < 0.42 and leaf and b"*" not in labels:
        _delegate(zone, labels)
    else:
        rows = []
        for _ in range(random.randrange(1, 5)):
            rtype, form = random.choice(_DATA)
            rows.append(Row(rtype, form.format(n=random.randrange(1, 90), name=_target(zone))))
        ttls = {row.rtype: random.choice((0, 60, 300, 86400)) for row in rows}
        zone.rows[labels] = list({row.rtype + row.data: row._replace(ttl=ttls[row.rtype]) for row in rows}.values())


def _delegate(zone: Generated, labels: Labels) -> None:
    """A delegation: servers below it, beside it, at another delegation, elsewhere; with DS or without."""
    random = zone.random
    servers = {(b"ns", *labels), (b"NS2", b"x", *labels), random.choice(list(zone.rows)), None}
    rows = []
    for server in random.sample(sorted(servers, key=repr), random.randrange(1, 4)):
        rows.append(Row("NS", _ELSEWHERE if server is None else zone.written(server)))
        if server and server[-len(labels) :] == labels and len(server) > len(labels) and random.random() < 0.9:
            zone.hidden[server] = [Row("A", "192.0.2.53"), Row("AAAA", "2001:db8::53")]
    if random.random() < 0.4:
        rows.append(Row("DS", f"{random.randrange(65536)} 13 2 {random.randbytes(32).hex()}"))
    if random.random() < 0.2:
        zone.hidden[b"hidden", *labels] = [Row("TXT", '"hidden"'), Row("A", "192.0.2.66")]
    zone.rows[labels] = rows
    zone.cuts.add(labels)


# --- signatures ---


def _chain(zone: Generated) -> None:
    """NSEC records (RFC 4035 2.3)."""
    owners = sorted(zone.rows, key=lambda labels: [label.lower() for label in reversed(labels)])
    for labels, after in pairwise([*owners, ()]):
        types = {row.rtype for row in zone.rows[labels]} | {"NSEC", "RRSIG"}
        zone.rows[labels].append(Row("NSEC", f"{zone.written(after)} {_bitmap(types)}", 60))


def _chain_hashes(zone: Generated, *, optout: bool) -> None:
    """NSEC3 records for all names, empty non-terminals too (RFC 5155 7.1)."""
    zone.rows[()].append(Row("NSEC3PARAM", "1 0 2 c0fe", 0))
    types: dict[Labels, set[str]] = {}
    for labels, rows in zone.rows.items():
        own = {row.rtype for row in rows}
        if optout and labels and "NS" in own and "DS" not in own:
            continue
        types[labels] = own | ({"RRSIG"} if not labels or own != {"NS"} else set())
        for at in range(1, len(labels)):
            types.setdefault(labels[at:], set())
    hashes = sorted((_hash(zone.wire(labels).lower()), labels) for labels in types)
    for (own_hash, labels), (after, _) in pairwise([*hashes, hashes[0]]):
        data = f"1 {int(optout)} 2 c0fe {after.decode()} {_bitmap(types[labels])}"
        zone.rows[own_hash,] = [Row("NSEC3", data, 60)]


def _bitmap(types: set[str]) -> str:
    """Types in the order of their numbers, in which not all servers put them themselves."""
    return " ".join(sorted(types, key=lambda name: codes.TYPES.get(name) or int(name[4:])))


def _hash(name: bytes) -> bytes:
    """A name as the first label of its NSEC3 record (RFC 5155 5), salt c0fe, twice more."""
    for _ in range(3):
        name = sha1(name + b"\xc0\xfe", usedforsecurity=False).digest()
    return base64.b32hexencode(name).lower()


def _sign(zone: Generated) -> None:
    """Signatures of all that is the zone's own (RFC 4035 2.2)."""
    for labels in zone.rows:
        delegation = labels and any(row.rtype == "NS" for row in zone.rows[labels])
        count = len(labels) - (labels[:1] == (b"*",)) + w.labels(zone.origin)
        for rtype, ttl in {row.rtype: row.ttl for row in zone.rows[labels]}.items():
            if delegation and rtype == "NS":
                continue
            values = {"labels": count, "ttl": ttl, "origin": w.decode_name(zone.origin)}
            data = _SIGNATURE.format(**values, data=_signature(zone.random))
            zone.rows[labels].append(Row("RRSIG", f"{rtype} {data}", ttl))


def _signature(random: Random) -> str:
    """Sixty-four octets in base64."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(random.choices(letters, k=85)) + "A=="
