"""What a zone says to a question: RFC 1034 4.3.2 with wildcards (RFC 4592), DNAME (RFC 6672) and DNSSEC (RFC 4035 3.1).

The answers are those of CoreDNS's file plugin, which are not always the RFCs' own: an answer has the zone's NS records
in its authority section, a CNAME whose target the zone does not have is followed by asking the server itself, and a
wildcard applies to an empty non-terminal beside it. ANY is a type like others, which no name has. Where CoreDNS leaves
out what a validator needs, this does not: see `_denial`, and the proof for a delegation without DS.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w
from corepy.records import EncodedRecord
from corepy.zone import proofs
from corepy.zone.names import WILDCARD, from_top, parent, wildcard
from corepy.zone.store import COUNT, SIGNATURE, Node, Zone, decode, target

Records = Sequence[EncodedRecord]

_LONGEST_CHAIN: Final = 8
"""CNAMEs that are followed behind the second one; what goes in circles is cut off there (CoreDNS's figure)."""
_HOSTS: Final = frozenset((codes.MX, codes.SRV, 64, 65))
"""Types whose targets' addresses go into the additional section: SVCB and HTTPS among them."""
_ADDRESSES: Final = (codes.A, codes.AAAA)


class Result(Enum):
    """What kind of answer it is."""

    SUCCESS = auto()
    NAME_ERROR = auto()
    NO_DATA = auto()
    DELEGATION = auto()
    TOO_LONG = auto()
    """A DNAME makes a name of more than 255 octets (RFC 6672 2.2)."""
    FAILURE = auto()


class Answer(NamedTuple):
    """The sections of a reply.

    With `target`, a name in wire form, the answer is not whole: the records of the type for that name are missing, and
    `completed` puts them there; `authority` only has proofs so far. `wildcard` is the name that the answer was made
    from, if it is one.
    """

    result: Result
    answer: Records = ()
    authority: Records = ()
    additional: Records = ()
    target: bytes = b""
    wildcard: bytes = b""


def lookup(zone: Zone, key: bytes, qtype: int, *, do: bool) -> Answer:
    """The answer for a name of the zone or below it, given as its key; with DNSSEC records if `do`."""
    if key == zone.origin and qtype in (codes.SOA, codes.NS):
        return _apex(zone, qtype, do=do)
    node = zone.nodes.get(key)
    if node is not None:
        return _existing(zone, key, node, qtype, do=do)
    source: bytes = b""
    for name in from_top(key, zone.labels - 1):
        node = zone.find(name)
        if node is None:
            if name != zone.origin:
                candidate = wildcard(name)
                exists = zone.find(candidate) or zone.is_empty_non_terminal(candidate)
                source = candidate if exists else source
        elif codes.DNAME in node and name != key:
            return _renamed(zone, name, node, key, qtype, do=do)
        elif codes.NS in node and not (qtype == codes.DS and name == key):
            return Answer(Result.DELEGATION, (), *_referral(zone, name, node, do=do))
    if node is not None:   # DS of a delegation, which is the parent's
        return _existing(zone, key, node, qtype, do=do)
    if source and not _closer(zone, key, source):
        return _synthesised(zone, key, source, qtype, do=do)
    return _denial(zone, key, do=do)


def completed(zone: Zone, given: Answer, qtype: int, found: Records, result: Result, *, do: bool) -> Answer:
    """An answer with a `target`, when the server itself was asked for that: `found` are the records of the answer."""
    answer = [*given.answer, *found]
    negative = result in (Result.NAME_ERROR, Result.NO_DATA)
    authority = [*(zone.soa if negative else zone.ns)[do], *given.authority]
    if do:
        authority += [record for record in _target_proof(zone, given.target, qtype) if record not in authority]
    return Answer(result, answer, authority, _hosts(zone, answer, do=do), wildcard=given.wildcard)


def _apex(zone: Zone, qtype: int, *, do: bool) -> Answer:
    """SOA and NS of the zone."""
    if qtype == codes.SOA:
        return Answer(Result.SUCCESS, zone.soa[do], zone.ns[do])
    return Answer(Result.SUCCESS, zone.ns[do], (), _glue(zone, zone.ns[False], do=do))


def _existing(zone: Zone, key: bytes, node: Node, qtype: int, *, do: bool) -> Answer:
    """The name is there."""
    if codes.CNAME in node and qtype != codes.CNAME:
        return _chased(zone, zone.rrset(key, node, codes.CNAME, do=do), qtype, do=do)
    answer = _of_type(zone, key, node, qtype, do=do)
    if not answer:
        denial = proofs.no_data(zone, key, node) if do else ()
        return Answer(Result.NO_DATA, (), [*zone.soa[do], *denial] if denial else zone.soa[do])
    return Answer(Result.SUCCESS, answer, zone.ns[do], _hosts(zone, answer, do=do))


def _of_type(zone: Zone, key: bytes, node: Node, qtype: int, *, do: bool, owner: bytes = b"") -> list[EncodedRecord]:
    """The records that are asked for; RRSIG records are those of all types (RFC 4035 3.1)."""
    if qtype != codes.RRSIG:
        return zone.rrset(key, node, qtype, do=do, owner=owner)
    kept = [octets for rtype, octets in node.items() if rtype & SIGNATURE and not rtype & COUNT]
    return [record for octets in kept for record in decode(owner or key, octets)]


def _synthesised(zone: Zone, key: bytes, source: bytes, qtype: int, *, do: bool) -> Answer:
    """The name is not there, and a wildcard is its source of synthesis (RFC 4592 3.3.1)."""
    node = zone.find(source)
    if node is None:
        return Answer(Result.NO_DATA, (), zone.soa[do])
    # That the name itself does not exist has to be proved as well (RFC 4035 3.1.3.3).
    proof = proofs.from_wildcard(zone, key, source) if do else []
    if codes.CNAME in node and qtype != codes.CNAME:
        records = zone.rrset(source, node, codes.CNAME, do=do, owner=key)
        chased = _chased(zone, records, qtype, do=do)
        return chased._replace(authority=[*chased.authority, *proof] if proof else chased.authority, wildcard=source)
    answer = _of_type(zone, source, node, qtype, do=do, owner=key)
    if not answer:
        denial = proofs.no_data_from_wildcard(zone, key, source, node) if do else []
        return Answer(Result.NO_DATA, (), [*zone.soa[do], *denial], wildcard=source)
    authority = [*zone.ns[do], *proof] if proof else zone.ns[do]
    return Answer(Result.SUCCESS, answer, authority, _hosts(zone, answer, do=do), wildcard=source)


def _closer(zone: Zone, key: bytes, source: bytes) -> bool:
    """Whether an empty non-terminal between a name and the wildcard's parent stands in the way (RFC 4592 2.2.1)."""
    above = source[len(WILDCARD) :]
    name = parent(key)
    while len(name) > len(above):
        if zone.is_empty_non_terminal(name):
            return True
        name = parent(name)
    return False


def _denial(zone: Zone, key: bytes, *, do: bool) -> Answer:
    """The name is not there, or has nothing but names below it; the apex always is there.

    CoreDNS looks for the NSEC records of both the name and the wildcard among all names, glue included, which have
    none, and does not take an empty non-terminal for an encloser; a validator could not follow.
    """
    empty = key == zone.origin or zone.is_empty_non_terminal(key)
    result = Result.SUCCESS if empty else Result.NAME_ERROR
    authority = zone.soa[do]
    if do and (proof := proofs.no_data(zone, key, None) if empty else proofs.no_name(zone, key)):
        authority = [*authority, *proof]
    return Answer(result, (), authority)


# --- other names ---


def _renamed(zone: Zone, name: bytes, node: Node, key: bytes, qtype: int, *, do: bool) -> Answer:
    """The name is below a DNAME: an alias is made for it (RFC 6672 3.2)."""
    dname = zone.rrset(name, node, codes.DNAME, do=do)
    new = key[: len(key) - len(name)] + target(dname[0])
    if len(new) > w.MAX_NAME:
        return Answer(Result.TOO_LONG, dname, zone.ns[do])
    if new.lower() == key:
        return Answer(Result.FAILURE)
    alias = EncodedRecord(key, codes.CNAME, codes.IN, dname[0].ttl, new)
    if qtype == codes.CNAME:
        return Answer(Result.SUCCESS, [*dname, alias], zone.ns[do])
    chased = _chased(zone, [alias], qtype, do=do)
    return chased._replace(answer=[*dname, *chased.answer])


def _chased(zone: Zone, answer: list[EncodedRecord], qtype: int, *, do: bool) -> Answer:
    """What follows a CNAME: in the zone as far as it goes, then `target` is what the server has to be asked for."""
    name = target(answer[0])
    followed = 0
    while True:
        key = name.lower()
        node = zone.find(key)
        if cut := _delegation(zone, key, qtype):
            return Answer(Result.DELEGATION, answer, *_referral(zone, *cut, do=do))
        if node is None or qtype == codes.NS or (qtype == codes.SOA and key == zone.origin):
            return Answer(Result.SUCCESS, answer, target=name)
        if followed > _LONGEST_CHAIN:
            break
        if codes.CNAME not in node:
            found = _of_type(zone, key, node, qtype, do=do)
            if not found and do and (denial := proofs.no_data(zone, key, node)):
                return Answer(Result.SUCCESS, answer, [*zone.soa[do], *denial])
            answer += found
            break
        alias = zone.rrset(key, node, codes.CNAME, do=do)
        answer += alias
        name = target(alias[0])
        followed += 1
    return Answer(Result.SUCCESS, answer, zone.ns[do], _hosts(zone, answer, do=do))


def _target_proof(zone: Zone, name: bytes, qtype: int) -> list[EncodedRecord]:
    """The proofs for what the server said about targets of the zone's own, which are left out of its answers.

    That a name does not exist, or came from a wildcard, needs a proof behind an alias too (RFC 4035 3.1.3).
    """
    records: list[EncodedRecord] = []
    for _ in range(_LONGEST_CHAIN):
        if not zone.signed or not w.in_zones(name, (zone.origin,)):
            break
        answer = lookup(zone, name.lower(), qtype, do=True)
        if answer.result is not Result.DELEGATION:
            records += [record for record in answer.authority if proofs.is_proof(record) and record not in records]
        name = answer.target
        if not name:
            break
    return records


def _delegation(zone: Zone, key: bytes, qtype: int) -> tuple[bytes, Node] | None:
    """The first delegation on the way to a target; the target itself counts, but not for DS, which is the parent's."""
    for name in from_top(key, zone.labels) if zone.below else ():
        node = zone.below.get(name)
        if node and codes.NS in node and not (name == key and qtype == codes.DS):
            return name, node
    return None


# --- what goes along ---


def _referral(zone: Zone, name: bytes, node: Node, *, do: bool) -> tuple[Records, Records]:
    """Authority and additional section of a delegation: NS, DS or the proof that there is none, and glue."""
    records = zone.rrset(name, node, codes.NS, do=False)
    glue = _glue(zone, records, do=do)
    if do:
        # Without DS it has to be proved that there is none (RFC 4035 3.1.4.1); CoreDNS does not.
        records += zone.rrset(name, node, codes.DS, do=True) or proofs.no_data(zone, name, node)
    return records, glue


def _glue(zone: Zone, servers: Records, *, do: bool) -> Records:
    """The addresses of name servers below the name that they serve."""
    records: list[EncodedRecord] = []
    for server in servers:
        host = server.rdata
        if server.rtype == codes.NS and w.in_zones(host, (server.owner,)) and (node := zone.find(host)):
            for rtype in _ADDRESSES:
                records += zone.rrset(host, node, rtype, do=do)
    return records


def _hosts(zone: Zone, answer: Records, *, do: bool) -> Records:
    """The addresses of the hosts that an answer names, as far as the zone has them."""
    records: list[EncodedRecord] = []
    seen: set[bytes] = set()
    for record in answer:
        if record.rtype not in _HOSTS:
            continue
        host = target(record).lower()
        if host in seen or not w.in_zones(host, (zone.origin,)):
            continue
        seen.add(host)
        if node := zone.find(host):
            for rtype in _ADDRESSES:
                records += zone.rrset(host, node, rtype, do=do)
    return records


__all__ = ["Answer", "Records", "Result", "completed", "lookup"]
