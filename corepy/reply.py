"""Reply: what goes back. It is made from bytes or from records, and makes the other when asked."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, final

from corepy import codes, dnsrecords
from corepy import wire as w
from corepy.query import Query

if TYPE_CHECKING:
    import dnslib

Outcome = Awaitable["Reply"]
"""What a plugin returns: a Reply, or anything that can be awaited for one. A Reply is both."""

_head = struct.Struct("!2s5H").pack
_COPIED: Final = w.RD | w.CD


@final
class Reply:
    """What goes back to the client, as bytes (`wire`), as records (`record`), or both.

    A reply that was handed on is never changed: `edit()` gives a copy whose record may be. `Reply.SILENCE` means that
    nothing is sent. `plain` tells that it has no OPT record, so that nobody has to look for one.
    """

    __slots__ = ("_record", "more", "plain", "unserved", "wire")

    wire: bytes
    """The message; id and question are those of the query. Empty for silence."""
    unserved: bool   # that nobody had an answer, as in `failed`, and there is nothing worth keeping

    SILENCE: Reply

    def __init__(self, wire: bytes, plain: bool = False) -> None:
        self.wire = wire
        self.plain = plain
        self.more: Iterable[bytes] = ()
        """The messages behind this one, where a reply has several, as zone transfers do (RFC 5936 2.2): sent as they
        are, one by one as the client reads them, and on streams of messages alone."""
        self._record: Any = None

    def __await__(self) -> Generator[Any, None, Reply]:
        """Resolve to itself: plugins may await what `self.next` gave them, whatever it is."""
        return self
        yield  # makes this a generator

    if not TYPE_CHECKING:   # a type checker would take every misspelt attribute for bytes

        def __getattr__(self, name: str) -> bytes | bool:
            """`wire` of an edited copy: packed when it is first asked for; what was not set costs no reply anything."""
            if name == "wire":
                self.wire = bytes(self._record.pack())
                return self.wire
            if name != "unserved":
                raise AttributeError(name)
            return False

    @classmethod
    def build(
        cls, query: Query, rcode: int = codes.NOERROR, *, flags: int = 0, counts: tuple[int, int, int] = (0, 0, 0),
        body: bytes = b"", plain: bool = True,
    ) -> Reply:
        """A reply from encoded records: `body` holds them, `counts` says how many are in each section.

        Say `plain=False` where an OPT record is among them.

        The question is at offset 12, so its name is the pointer C00C. Of the query's flags RD and CD come back, for
        opcode QUERY alone (as CoreDNS has it).
        """
        wire, asked = query.wire, query.flags
        asked &= w.OPCODE if asked & w.OPCODE else _COPIED
        head = _head(wire[:2], w.QR | asked | flags | rcode, 1, counts[0], counts[1], counts[2])
        return cls(head + wire[12 : query.qend] + body, plain)

    @classmethod
    def refused(cls, query: Query) -> Reply:
        """REFUSED: this client, or this name, is not served here."""
        return cls.build(query, codes.REFUSED)

    @classmethod
    def failed(cls, query: Query, rcode: int = codes.SERVFAIL) -> Reply:
        """An empty reply that says `rcode`, SERVFAIL unless told otherwise."""
        reply = cls.build(query, rcode)
        reply.unserved = True
        return reply

    @classmethod
    def answer(
        cls, query: Query, *records: str | dnslib.RR, authority: Sequence[str | dnslib.RR] = (),
        additional: Sequence[str | dnslib.RR] = (), rcode: int = codes.NOERROR, authoritative: bool = True,
    ) -> Reply:
        """A reply from records, `dnslib.RR` objects or text as in a zone file (`"www.example.org. 60 IN A 192.0.2.1"`).

        Raises ValueError for text that is no record.
        """
        made = cls.build(query, rcode, flags=w.AA if authoritative else 0).edit()
        made.record.add_answer(*dnsrecords.records(records))
        made.record.add_auth(*dnsrecords.records(authority))
        made.record.add_ar(*dnsrecords.records(additional))
        return made

    @property
    def rcode(self) -> int:
        """The rcode in the header; the upper bits of an extended one are in the OPT record."""
        return self.wire[3] & 0xF

    @property
    def flags(self) -> int:
        """The header's flags, opcode and rcode."""
        return int.from_bytes(self.wire[2:4], "big")

    @property
    def record(self) -> dnslib.DNSRecord:
        """The reply as a `dnslib` record, parsed once. Only that of an edited copy may be changed."""
        if self._record is None:
            self._record = dnsrecords.parse(self.wire)
        return self._record

    def with_option(self, code: int, data: bytes) -> Reply:
        """A copy with one more EDNS option, in a new OPT record if there is none; finishing gives it size and flags.

        Only for a query that speaks EDNS: others are sent no OPT record (RFC 6891 7).
        """
        found = None if self.plain else w.find_opt(self.wire)
        if found is None:
            wire = w.with_additional(self.wire, w.opt_record(0, options=w.option(code, data)))
        else:
            options = self.wire[found.data : found.end] + w.option(code, data)
            record = w.opt_record(found.rclass, found.ttl >> 24, found.ttl & 0xFFFF, options)
            wire = self.wire[: found.start] + record + self.wire[found.end :]
        copy = Reply(wire)
        copy.more = self.more
        return copy

    def edit(self) -> Reply:
        """A copy whose `record` may be changed until the copy is handed on."""
        copy = Reply.__new__(Reply)
        copy.plain, copy.more = False, self.more
        copy._record = dnsrecords.parse(self.wire)  # noqa: SLF001 - a copy of our own class
        return copy

    def __repr__(self) -> str:
        if not self.wire:
            return "<Reply silence>"
        counts = w.HEADER.unpack_from(self.wire)[3:]
        return f"<Reply {codes.rcode_name(self.rcode)} {'+'.join(map(str, counts))} records, {len(self.wire)} octets>"


Reply.SILENCE = Reply(b"")

__all__ = ["Outcome", "Reply"]
