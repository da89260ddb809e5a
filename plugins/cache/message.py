"""What the cache has to know about a reply, learned in one walk through it."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyType, of_sections, typify
from corepy.errors import Malformed
from corepy.plugins.cache.aliases import answers as is_answered
from corepy.plugins.cache.entry import MARK
from corepy.query import Query

NO_TTL: Final = 1 << 32
"""More than any TTL."""
DENIALS: Final = (ReplyType.NXDOMAIN, ReplyType.NODATA, ReplyType.SERVERERROR)
"""What goes into the cache of denials; SERVFAIL and NOTIMP do, too."""
_POINTER: Final = 0xC0
_ASKED: Final = b"\xc0\x0c"
"""A pointer to the name in the question, which most records of an answer have for an owner."""
_NOTHING: Final = b"\0\0"
_header = struct.Struct("!2x5H").unpack_from
_record = w.RECORD.unpack_from


class Message:
    """A reply, taken apart at its TTLs, less its OPT record, which is between two hops (RFC 6891 6.2.1).

    `query` is what was asked. Raises Malformed for octets that are no message, or one that cannot do without its OPT
    record.
    """

    __slots__ = (
        "answering", "counts", "delegating", "end", "fits", "flags", "kind", "least", "most", "rcode", "records", "soa",
        "typified",
    )  # fmt: skip

    def __init__(self, wire: bytes, query: Query) -> None:
        try:
            self.flags, questions, answers, authorities, additionals = _header(wire)
        except struct.error:
            raise Malformed("shorter than a header") from None
        self.rcode = self.flags & w.RCODE
        """With the upper bits, which an OPT record has."""
        self.soa = NO_TTL
        """The minimum of the SOA record in the authority section, NO_TTL where there is none."""
        self.end = query.qend
        """Where the question ends."""
        self.fits = questions == 1 and self.flags & w.QR != 0 and wire.startswith(query.wire[12 : self.end], 12)
        """Whether it is a reply to the query: it says so, and has its question, whatever the case."""
        if not self.fits:
            self.end = w.question_end(wire)
            self.fits = questions == 1 and self._fits_otherwise(wire, query)
        self.kind = ReplyType.NOERROR
        """The type of reply that counts for the cache."""
        self.typified = self.delegating = False
        """Whether the type is known already, and whether there are NS records in the authority section."""
        found = self._walk(wire, answers, authorities, additionals)
        denied = self.rcode or self.flags & w.OPCODE or not answers
        self.answering = not denied and (found or is_answered(wire, self.end))
        """Whether there is what was asked for, where the aliases end."""
        if denied:
            if not self.typified:
                self.kind = self._type_of_denial(wire, answers)
        elif not self.answering and self.soa != NO_TTL and self.kind is ReplyType.NOERROR:
            self.kind = ReplyType.NODATA   # an alias to a name without such records (RFC 2308 2.2)

    def _type_of_denial(self, wire: bytes, answers: int) -> ReplyType:
        """The type of what is no answer; of the reply to a query it is plain from what has been seen on the walk."""
        if self.flags & w.OPCODE or not self.fits:
            return typify(wire)
        return of_sections(self.rcode, answers, soa=self.soa != NO_TTL, ns=self.delegating)

    def _fits_otherwise(self, wire: bytes, query: Query) -> bool:
        """As `fits`, for a question in another spelling."""
        mine, asked = wire[12 : self.end], query.question
        return self.flags & w.QR != 0 and mine[-4:] == asked[-4:] and w.key(mine[:-4]) == query.key

    def _walk(self, wire: bytes, answers: int, authorities: int, additionals: int) -> bool:
        """Find the TTLs; whether the answer is plain to see: of the type and class, by the name, without aliases."""
        pieces: list[bytes] = []
        self.counts = wire[4:12]
        """How many questions and records there are, as in a header."""
        begun = at = self.end
        asked = _ASKED + wire[at - 4 : at]
        least, most = NO_TTL, 0
        found = aliased = False
        try:
            for number in range(answers + authorities + additionals):
                start = at
                plain = wire.startswith(asked, at)   # by the name, of the type and class
                at = at + 2 if plain or wire.startswith(_ASKED, at) else w.skip_name(wire, at)
                rtype, _, ttl, length = _record(wire, at)
                if rtype == codes.OPT and number >= answers + authorities:
                    self._see_opt(wire, ttl, at + 10 + length)
                    wire, at = wire[:start] + wire[at + 10 + length :], start
                    continue
                pieces.append(wire[begun : at + 4])
                begun = at + 8
                at += 10 + length
                if ttl < least:  # noqa: PLR1730 - a call would cost as much as the rest of this loop
                    least = ttl
                if ttl > most:  # noqa: PLR1730 - likewise
                    most = ttl
                if number < answers:
                    found = found or plain
                    aliased = aliased or rtype == codes.CNAME
                elif number < answers + authorities:
                    self._see_authority(rtype, wire[at - 4 : at])
        except struct.error:
            raise Malformed("record cut short", codes.FORMERR) from None
        if at > len(wire):
            raise Malformed("record data cut short", codes.FORMERR)
        pieces.append(wire[begun:at])
        self.records = MARK.join(pieces)
        """What is behind the question, with MARK for each TTL."""
        self.least, self.most = least, most
        """The lowest TTL in seconds, NO_TTL where there is none; and the highest."""
        return found and not aliased

    def _see_authority(self, rtype: int, last: bytes) -> None:
        """What a record of the authority section says, of which `last` are the last four octets."""
        if rtype == codes.SOA:
            self.soa = int.from_bytes(last, "big")
        elif rtype == codes.NS:
            self.delegating = True

    def _see_opt(self, wire: bytes, ttl: int, behind: int) -> None:
        """What the OPT record says that is about to go, if it is sure that all names stay in place without it."""
        for octet, following in pairwise(wire[behind:]):
            if octet >= _POINTER and (octet & 0x3F) << 8 | following >= behind:
                raise Malformed("perhaps a pointer to something behind the OPT record")
        self.counts = self.counts[:6] + (int.from_bytes(self.counts[6:], "big") - 1).to_bytes(2, "big")
        self.rcode |= ttl >> 24 << 4
        if ttl & w.DO:
            self.kind, self.typified = typify(wire), True   # which looks whether signatures have expired

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
