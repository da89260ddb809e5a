"""What the cache has to know about a reply, learned in one walk through it."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyType, typify
from corepy.errors import Malformed
from corepy.plugins.cache.aliases import answers
from corepy.query import Query

NO_TTL: Final = 1 << 32
"""More than any TTL."""
DENIALS: Final = (ReplyType.NXDOMAIN, ReplyType.NODATA, ReplyType.SERVERERROR)
"""What goes into the cache of denials; SERVFAIL and NOTIMP do, too."""
_OPT_TYPE: Final = codes.OPT.to_bytes(2, "big")
_POINTER: Final = 0xC0
_ASKED: Final = b"\xc0\x0c"
"""A pointer to the name in the question, which most records of an answer have for an owner."""
_ONE_QUESTION: Final = b"\0\1"
_NOTHING: Final = b"\0\0"
_SHARED: Final[dict[bytes, bytes]] = {}
"""Octets that most messages have, once for all: counts, and the part of the first record before its TTL."""
_MAX_SHARED: Final = 256
"""More than there are types that many names have."""
_header = w.HEADER.unpack_from
_record = w.RECORD.unpack_from


class Message:
    """A reply, taken apart at its TTLs, less its OPT record, which is between two hops (RFC 6891 6.2.1).

    `query` is what was asked. Raises Malformed for octets that are no message, or one that cannot do without its OPT
    record.
    """

    __slots__ = ("answering", "counts", "end", "fits", "flags", "kind", "least", "most", "pieces", "rcode", "soa")

    def __init__(self, wire: bytes, query: Query) -> None:
        if len(wire) < 12:
            raise Malformed("shorter than a header")
        self.flags = flags = int.from_bytes(wire[2:4], "big")
        self.rcode = flags & w.RCODE
        """With the upper bits, which an OPT record has."""
        self.soa = NO_TTL
        """The minimum of the SOA record in the authority section, NO_TTL where there is none."""
        whole = wire
        if _OPT_TYPE in wire and (opt := w.find_opt(wire)) is not None:
            self.rcode |= opt.ttl >> 24 << 4
            wire = _without(wire, opt)
        self.counts = _shared(wire[4:12])
        """How many questions and records there are, as in a header."""
        self.end = query.qend
        """Where the question ends."""
        self.fits = wire.startswith(query.question, 12) and wire.startswith(_ONE_QUESTION, 4) and flags & w.QR != 0
        """Whether it is a reply to the query: it says so, and has its question, whatever the case."""
        if not self.fits:
            self.end = w.question_end(wire)
            self.fits = self._fits_otherwise(wire, query)
        plain = self._walk(wire, self.end)
        denied = self.rcode or flags & w.OPCODE or self.counts.startswith(_NOTHING, 2)
        self.answering = not denied and (plain or answers(wire, self.end))
        """Whether there is what was asked for, where the aliases end."""
        self.kind = ReplyType.NOERROR
        """The type of reply that counts for the cache."""
        if denied or wire is not whole:
            self.kind = typify(whole)
        if not denied and not self.answering and self.soa != NO_TTL and self.kind is ReplyType.NOERROR:
            self.kind = ReplyType.NODATA   # an alias to a name without such records (RFC 2308 2.2)

    def _fits_otherwise(self, wire: bytes, query: Query) -> bool:
        """As `fits`, for a question in another spelling."""
        mine, asked = wire[12 : self.end], query.question
        return (
            self.flags & w.QR != 0
            and self.counts.startswith(_ONE_QUESTION)
            and mine[-4:] == asked[-4:]
            and w.key(mine[:-4]) == query.key
        )

    def _walk(self, wire: bytes, at: int) -> bool:
        """Find the TTLs; whether the answer is plain to see: of the type and class, by the name, without aliases."""
        pieces: list[bytes] = []
        begun, asked = at, _ASKED + wire[at - 4 : at]
        least, most = NO_TTL, 0
        found = aliased = False
        _, _, _, answer, authority, additional = _header(wire)
        try:
            for number in range(answer + authority + additional):
                plain = wire.startswith(asked, at)   # by the name, of the type and class
                at = at + 2 if plain or wire.startswith(_ASKED, at) else w.skip_name(wire, at)
                rtype, _, ttl, length = _record(wire, at)
                pieces.append(wire[begun : at + 4])
                begun = at + 8
                at += 10 + length
                if ttl < least:  # noqa: PLR1730 - a call would cost as much as the rest of this loop
                    least = ttl
                if ttl > most:  # noqa: PLR1730 - likewise
                    most = ttl
                if number < answer:
                    found = found or plain
                    aliased = aliased or rtype == codes.CNAME
                elif rtype == codes.SOA and number < answer + authority:
                    self.soa = int.from_bytes(wire[at - 4 : at], "big")
        except struct.error:
            raise Malformed("record cut short", codes.FORMERR) from None
        if at > len(wire):
            raise Malformed("record data cut short", codes.FORMERR)
        pieces.append(wire[begun:at])
        pieces[0] = _shared(pieces[0])
        self.pieces = tuple(pieces)
        """What is behind the question, between one TTL and the next."""
        self.least, self.most = least, most
        """The lowest TTL in seconds, NO_TTL where there is none; and the highest."""
        return found and not aliased

    @property
    def lasting(self) -> bool:
        """Whether it may be kept at all, by what it says.

        Not where it is truncated; nor where it denies something and no SOA says for how long (RFC 2308 5): a name
        without one, or an alias that leads nowhere.
        """
        if self.flags & w.TC:
            return False
        if self.kind is ReplyType.NOERROR:
            return self.answering or self.counts.startswith(_NOTHING, 2)
        if self.kind is ReplyType.NXDOMAIN:
            return self.soa != NO_TTL
        return self.kind in DENIALS or self.kind is ReplyType.DELEGATION

    @property
    def usable(self) -> bool:
        """Whether it is an answer to what was asked, good for the one client at least."""
        return self.answering and self.kind is ReplyType.NOERROR and not self.flags & w.TC


def _shared(octets: bytes) -> bytes:
    """The same octets, in an object that other messages have, too."""
    if (known := _SHARED.get(octets)) is not None:
        return known
    if len(octets) < 9 and len(_SHARED) < _MAX_SHARED:
        _SHARED[octets] = octets
    return octets


def _without(wire: bytes, opt: w.Record) -> bytes:
    """A message less its OPT record, if that is sure to leave all names in place."""
    behind = wire[opt.end :]
    for octet, following in pairwise(behind):
        if octet >= _POINTER and (octet & 0x3F) << 8 | following >= opt.end:
            raise Malformed("perhaps a pointer to something behind the OPT record")
    return w.without(wire, opt)
