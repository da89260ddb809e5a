"""Replies from zones: for the plugins that serve them, which have the zones' files, timers and options.

Most questions are for a name that is there, of a type that needs nothing from elsewhere: then the reply is the RRset as
it is kept, and the NS records of the zone, encoded once for each length of a name. All others take the way through
`lookup`; what came of it is remembered for names of the zone, of which there are not too many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.deferred import after
from corepy.errors import Failure, Malformed
from corepy.lookup import Resolve
from corepy.query import Query
from corepy.records import EncodedRecord, decode, encode
from corepy.reply import Outcome, Reply
from corepy.zone.lookup import Answer, Records, Result, completed, lookup
from corepy.zone.store import SIGNATURE, Zone, count

_MORE_THAN_THEMSELVES: Final = frozenset((codes.MX, codes.SRV, 64, 65, codes.RRSIG))
"""Types whose RRset is not all of the reply: hosts' addresses go along, SRV may be spelled, RRSIG has many parts."""
_REMEMBERED: Final = 10_000
"""Replies of a zone that are kept encoded: at some 300 octets each a few megabytes, and ten times as fast."""
_MAY_FALL: Final = (Result.NAME_ERROR, Result.SUCCESS)
"""Without an answer: names that do not exist, and those that only have others below them (as CoreDNS)."""
_MOST: Final = 0xFFFF
"""What a section's count can say; a name may have more records, of which the reply is cut off in any case."""
_YXDOMAIN: Final = codes.RCODES["YXDOMAIN"]

_RCODES: Final = {
    Result.SUCCESS: codes.NOERROR, Result.NO_DATA: codes.NOERROR, Result.DELEGATION: codes.NOERROR,
    Result.NAME_ERROR: codes.NXDOMAIN, Result.FAILURE: codes.SERVFAIL, Result.TOO_LONG: _YXDOMAIN,
}  # fmt: skip

Counts = tuple[int, int, int]
_Records = tuple[int, bytes]
"""How many, and their octets."""
_Encoded = tuple[int, int, Counts, bytes]
"""Rcode, flags, records in each section, and their octets."""


class Authority:
    """One zone, and the replies to what is asked about it.

    `resolve` asks the server itself. `falls` says whether a query goes on where the zone has no such name: then there
    is no reply. `partial` is for CoreDNS's `auto`, in which a referral behind a CNAME is not authoritative.
    """

    __slots__ = ("_denied", "_falls", "_known", "_referral", "_resolve", "_tails", "zone")

    def __init__(
        self, zone: Zone, resolve: Resolve, falls: Callable[[bytes], bool] | None = None, *, partial: bool = False
    ) -> None:
        self.zone = zone
        self._resolve = resolve
        self._falls = falls
        self._referral = 0 if partial else w.AA
        self._known: dict[tuple[bytes, int, bool], _Encoded] = {}
        self._tails: tuple[dict[int, _Records], dict[int, _Records]] = ({}, {})
        self._denied: dict[int, _Records] = {}

    def answer(self, query: Query) -> Outcome | None:
        """The reply to a query for a name of the zone; None where the query is the next plugin's."""
        key, qtype = query.key, query.qtype
        do = query.edns is not None and query.edns.do
        if not query.wire.startswith(key, 12):   # owners are in lower case, whatever the question's (as CoreDNS)
            return self._look(query, key, qtype, do=do)
        node = self.zone.nodes.get(key)
        octets = None if node is None or codes.CNAME in node else node.get(qtype)
        if octets is not None and node is not None and qtype not in _MORE_THAN_THEMSELVES:
            number = count(node, qtype)
            tail = self._tails[do].get(len(key)) or self._tail(len(key), do=do)
            if do and (signatures := node.get(SIGNATURE | qtype)):
                number, octets = number + count(node, SIGNATURE | qtype), octets + signatures
            return Reply.build(query, flags=w.AA, counts=(min(number, _MOST), tail[0], 0), body=octets + tail[1])
        known = self._known.get((key, qtype, do))
        if known is not None:
            rcode, flags, counts, body = known
            return Reply.build(query, rcode, flags=flags, counts=counts, body=body)
        return self._look(query, key, qtype, do=do)

    def _look(self, query: Query, key: bytes, qtype: int, *, do: bool) -> Outcome | None:
        """The reply by looking, remembered if it is for a name that exists."""
        zone = self.zone
        answer = lookup(zone, key, qtype, do=do)
        if not answer.answer and answer.result in _MAY_FALL and self._falls is not None and self._falls(key):
            return None
        if answer.wildcard and query.metadata is not None:
            query.metadata["zone/wildcard"] = w.decode_name(answer.wildcard)
        if answer.target:
            return self._ask(query, answer, do=do)
        spelled = query.wire.startswith(key, 12)
        if spelled and answer.authority is zone.soa[False] and not answer.answer:
            number, body = self._denied.get(len(key)) or self._denial(len(key))
            return Reply.build(query, _RCODES[answer.result], flags=w.AA, counts=(0, number, 0), body=body)
        encoded = self._encode(query.qname, answer)
        if spelled and zone.find(key):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key, qtype, do] = encoded
        rcode, flags, counts, body = encoded
        return Reply.build(query, rcode, flags=flags, counts=counts, body=body)

    def _encode(self, qname: bytes, answer: Answer) -> _Encoded:
        """The sections behind a question. A failure has no records unless a CNAME leads to it (RFC 6604 3)."""
        flags = w.AA
        if answer.result is Result.DELEGATION:
            flags = self._referral if answer.answer else 0
        elif answer.result is Result.FAILURE and not answer.answer:
            return codes.SERVFAIL, 0, (0, 0, 0), b""
        sections = answer.answer, answer.authority, answer.additional
        counts = min(len(sections[0]), _MOST), len(sections[1]), min(len(sections[2]), _MOST)
        return _RCODES[answer.result], flags, counts, encode(qname, *sections)

    # --- targets beyond the zone ---

    def _ask(self, query: Query, answer: Answer, *, do: bool) -> Outcome:
        """The reply when the server itself has said what it knows about the target of a CNAME."""

        def done(found: Records, result: Result) -> Reply:
            whole = completed(self.zone, answer, query.qtype, found, result, do=do)
            rcode, flags, counts, body = self._encode(query.qname, whole)
            return Reply.build(query, rcode, flags=flags, counts=counts, body=body)

        def arrived(reply: Reply) -> Reply:
            if not reply.wire:
                return done((), Result.SUCCESS)
            try:
                found = decode(reply.wire)[0]
            except Malformed as error:
                return failed(error)
            return done(found, _result(reply.rcode, found))

        def failed(_error: Exception) -> Reply:
            return done((), Result.FAILURE)

        try:
            outcome = self._resolve(answer.target, query.qtype, query)
        except Failure as error:   # CNAMEs that go in circles
            return failed(error)
        return after(outcome, arrived, failed)

    # --- what does not depend on the name but on its length ---

    def _tail(self, length: int, *, do: bool) -> _Records:
        """The NS records of the zone behind a question for a name of this many octets."""
        made = self._tails[do][length] = self._behind(length, self.zone.ns[do])
        return made

    def _denial(self, length: int) -> _Records:
        """The SOA record of the zone likewise."""
        made = self._denied[length] = self._behind(length, self.zone.soa[False])
        return made

    def _behind(self, length: int, records: list[EncodedRecord]) -> _Records:
        """Records of the apex behind a question for any name in the zone that is so long.

        The labels in front stand for those of all such names; they are in capitals, which names of these records never
        are, so that none of these is replaced by a pointer into them.
        """
        front = b""
        left = length - len(self.zone.origin)
        while left:
            size = left - 1 if left <= 64 else 61   # so that never a single octet is left, which is no label
            front += bytes((size,)) + b"X" * size
            left -= size + 1
        return len(records), encode(front + self.zone.origin, records)


def _result(rcode: int, found: Records) -> Result:
    """What the server's answer about a target makes of ours (as CoreDNS: other rcodes count as success)."""
    if rcode == codes.NXDOMAIN:
        return Result.NAME_ERROR
    if rcode == codes.SERVFAIL:
        return Result.FAILURE
    return Result.SUCCESS if found or rcode != codes.NOERROR else Result.NO_DATA


__all__ = ["Authority"]
