"""What kind of reply a message is: of interest to who logs replies, caches them or tells others about them.

The types and classes are CoreDNS's, since Corefiles name them (`class denial`) and metadata shows them. Everything is
read from the octets; messages that are not whole have a type, too, so nothing here raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from struct import error as StructError  # noqa: N812 - an error class under the name of one
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed


class ReplyType(Enum):
    """The type of a reply; the value is its name for people."""

    NOERROR = "NOERROR"
    """An answer, or nothing at all under NOERROR."""
    NXDOMAIN = "NXDOMAIN"
    SERVERERROR = "SERVERERROR"
    """SERVFAIL or NOTIMP: somebody did not manage, and perhaps will later."""
    NODATA = "NODATA"
    """The name exists, but not the type: NOERROR with a SOA and without an answer (RFC 2308 2.2)."""
    DELEGATION = "DELEGATION"
    """A pointer to other name servers: NOERROR with NS in the authority section alone."""
    META = "META"
    """NOTIFY or a zone transfer."""
    UPDATE = "UPDATE"
    OTHERERROR = "OTHERERROR"
    """Anything else, REFUSED for one; also silence, expired signatures and messages that cannot be read."""


class ReplyClass(Enum):
    """Types by what they mean for whoever asked; the value is the word of a Corefile."""

    SUCCESS = "success"
    DENIAL = "denial"
    ERROR = "error"


_CLASSES: Final = {
    ReplyType.NOERROR: ReplyClass.SUCCESS,
    ReplyType.DELEGATION: ReplyClass.SUCCESS,
    ReplyType.NXDOMAIN: ReplyClass.DENIAL,
    ReplyType.NODATA: ReplyClass.DENIAL,
}
_UPDATE: Final = 5 << 11
_NOTIFY: Final = codes.NOTIFY << 11
_OPT_TYPE: Final = codes.OPT.to_bytes(2, "big")


def classify(reply_type: ReplyType) -> ReplyClass:
    """The class of a type."""
    return _CLASSES.get(reply_type, ReplyClass.ERROR)


def typify(wire: bytes, *, do: bool = False, now: Callable[[], float] = time.time) -> ReplyType:
    """The type of a message; empty octets are a reply that was not sent.

    `do` is whether the client wants DNSSEC records; DO in an OPT record of the message itself says the same. Then a
    signature that is not valid at `now()`, in seconds since 1970, makes any reply OTHERERROR.
    """
    try:
        return _typify(wire, do, now) if wire else ReplyType.OTHERERROR
    except (Malformed, IndexError, StructError):
        return ReplyType.OTHERERROR


def _typify(wire: bytes, do: bool, now: Callable[[], float]) -> ReplyType:
    _, flags, questions, answers, authorities, _ = w.HEADER.unpack_from(wire)
    opcode = flags & w.OPCODE
    if opcode == _UPDATE:
        return ReplyType.UPDATE
    end = w.skip_name(wire, 12) if questions else 12
    if opcode == _NOTIFY or (questions and w.QUESTION.unpack_from(wire, end)[0] in (codes.AXFR, codes.IXFR)):
        return ReplyType.META
    opt = _find_opt(wire)
    rcode = w.rcode(wire, opt)
    if (do or (opt and opt.ttl & w.DO)) and _has_expired(wire, int(now())):
        return ReplyType.OTHERERROR
    authority = _authority(wire) if authorities and not answers and rcode == codes.NOERROR else frozenset()
    return of_sections(rcode, answers, soa=codes.SOA in authority, ns=codes.NS in authority)


def of_sections(rcode: int, answers: int, *, soa: bool, ns: bool) -> ReplyType:
    """The type of the reply to a query, of one whose signatures are good.

    By its rcode, extended if there is EDNS, how many answers there are, and what is in the authority section.
    """
    if rcode == codes.NXDOMAIN:
        return ReplyType.OTHERERROR if answers else ReplyType.NXDOMAIN
    if rcode in (codes.SERVFAIL, codes.NOTIMP):
        return ReplyType.SERVERERROR
    if rcode != codes.NOERROR:
        return ReplyType.OTHERERROR
    if answers or not (soa or ns):
        return ReplyType.NOERROR
    return ReplyType.NODATA if soa else ReplyType.DELEGATION


def _authority(wire: bytes) -> frozenset[int]:
    """The types of the records in the authority section."""
    return frozenset(record.rtype for record in w.records(wire) if record.section == w.AUTHORITY)


def _has_expired(wire: bytes, now: int) -> bool:
    """Whether any signature is outside its time; times are numbers on a circle of 136 years (RFC 4034 3.1.5)."""
    for record in w.records(wire):
        if record.rtype == codes.RRSIG:
            times = wire[record.data + 8 : min(record.data + 16, record.end)]
            if len(times) < 8:
                raise Malformed("signature cut short", codes.FORMERR)
            expiration, inception = int.from_bytes(times[:4], "big"), int.from_bytes(times[4:], "big")
            if (expiration - now | now - inception) & 0x8000_0000:
                return True
    return False


def extended_rcode(wire: bytes) -> int:
    """The rcode of a message with the upper bits from its OPT record (RFC 6891 6.1.3).

    That of the header alone where the rest of the message cannot be read.
    """
    try:
        opt = _find_opt(wire)
    except (Malformed, IndexError):
        opt = None
    return w.rcode(wire, opt)


def _find_opt(wire: bytes) -> w.Record | None:
    """The OPT record; the walk through the message is saved where its type is nowhere in the octets."""
    return w.find_opt(wire) if _OPT_TYPE in wire else None
