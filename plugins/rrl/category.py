"""What a reply is like, for those who send it in masses: kinds as BIND's, and what tells them apart."""

from __future__ import annotations

from enum import IntEnum

from corepy import codes
from corepy import wire as w
from corepy.classify import extended_rcode
from corepy.errors import Malformed
from corepy.plugin import Query, Reply


class Category(IntEnum):
    """Replies that have a rate of their own."""

    RESPONSE = 0
    NODATA = 1
    NXDOMAIN = 2
    REFERRAL = 3
    ERROR = 4


def categorise(reply: Reply, query: Query) -> tuple[Category, bytes]:
    """The category of a reply, and what tells it from others in that category for the same client.

    Answers are told apart by name and type, NODATA by the name. NXDOMAIN and referrals are by the zone that says so:
    names that do not exist are without number. Errors are all the same. A name that a wildcard has made counts as the
    wildcard, where `metadata` tells of it.
    """
    wire = reply.wire
    rcode = reply.rcode if reply.plain else extended_rcode(wire)
    answers, authorities = wire[6:8] != b"\0\0", wire[8:10] != b"\0\0"
    if answers:
        return Category.RESPONSE, wire[query.qend - 4 : query.qend - 2] + _name(query)
    if rcode == codes.NXDOMAIN:
        return Category.NXDOMAIN, _authority(wire)[0] if authorities else b""
    if rcode != codes.NOERROR:
        return Category.ERROR, b""
    if authorities:
        owner, rtype = _authority(wire)
        if rtype == codes.NS:
            return Category.REFERRAL, wire[query.qend - 4 : query.qend - 2] + owner
    return Category.NODATA, _name(query)


def _name(query: Query) -> bytes:
    """The name asked for, or the wildcard that it was made of, as text in that case."""
    wildcard = query.metadata.get("zone/wildcard") if query.metadata else None
    if wildcard is None:
        return query.key
    return (wildcard if isinstance(wildcard, str) else wildcard()).encode()


def _authority(wire: bytes) -> tuple[bytes, int]:
    """Owner (key) and type of the first record behind the question; nothing of what cannot be read."""
    try:
        owner, at = w.read_name(wire, w.question_end(wire))
        return owner.lower(), int.from_bytes(wire[at : at + 2], "big")
    except Malformed:
        return b"", 0
