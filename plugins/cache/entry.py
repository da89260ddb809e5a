"""What is kept of a reply, and how a hit is made of it.

An entry is octets, as the message was: a head that says how long it is good, then the records with MARK in the place of
each TTL, since all of them are the same. A hit puts the TTL of the moment there. One object for each entry is little
memory, none of it is the garbage collector's to look at, and a hit among a million follows few pointers.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from corepy import wire as w
from corepy.plugin import Query, Reply

if TYPE_CHECKING:
    from corepy.plugins.cache.message import Message

Entry: TypeAlias = bytes

MARK: Final = secrets.token_bytes(8)
"""Stands for a TTL. Nobody outside can know it, so no message has it but by a chance of one in 2**48 at the best."""
Head: TypeAlias = tuple[float, int, int, bytes]
"""The clock's time at which the TTL is 0; the TTL when it came; flags; counts of questions and records."""
EXPIRES: Final = 0
TTL: Final = 1
FLAGS: Final = 2
_HEAD: Final = struct.Struct("=dIH8s")
_RECORDS: Final = _HEAD.size
_ANSWERS: Final = slice(16, 18)
_NOTHING: Final = b"\0\0"
_COPIED: Final = w.RD | w.CD
_KEPT: Final = w.RA | w.AD | w.RCODE
_head = struct.Struct("!2sH8s").pack
_ttl = struct.Struct("!I").pack


def pack(message: Message, ttl: int, expires: float) -> Entry:
    """The entry of a message that is good for `ttl` seconds, until `expires` on the clock.

    AA is there whatever the reply had: some stub resolvers take nothing else from a forwarder (CoreDNS). An extended
    rcode is never kept.
    """
    return _HEAD.pack(expires, ttl, message.flags & _KEPT | w.QR | w.AA, message.counts) + message.records


unpack: Callable[[Entry], Head] = _HEAD.unpack_from
"""The head of an entry."""


def is_answer(entry: Entry) -> bool:
    """Whether it has what was asked for: an answer that has not is kept as a denial, if at all."""
    return entry[_ANSWERS] != _NOTHING


def reply_from(query: Query, entry: Entry, head: Head, ttl: int) -> Reply:
    """The reply to a query for an entry: under its id, with its spelling of the question, and this TTL throughout.

    Of the flags RD and CD are the query's. AD is told only to who has asked for it, with AD or DO (RFC 6840 5.8).
    """
    wire, asked = query.wire, query.flags
    _, _, flags, counts = head
    flags |= asked & _COPIED
    if flags & w.AD and not asked & w.AD and not query.do:
        flags ^= w.AD
    records = entry[_RECORDS:].replace(MARK, _ttl(ttl))
    return Reply(_head(wire[:2], flags, counts) + wire[12 : query.qend] + records, True)


class State:
    """What is known about an entry beside its content, where somebody wants to know."""

    __slots__ = ("hits", "last", "refreshing", "retry_at", "wildcard")

    def __init__(self, hits: int = 0, last: float = float("-inf"), wildcard: str | Callable[[], str] = "") -> None:
        self.hits = hits
        """Queries without a gap that is too long."""
        self.last = last
        """When the last one was."""
        self.refreshing = False
        self.retry_at = float("-inf")
        """No refresh before this time, since one has failed."""
        self.wildcard = wildcard
        """The wildcard that a zone's answer was made of, which is metadata."""

    def count(self, now: float, gap: float) -> int:
        """One more query; how many there were with less than `gap` seconds between them."""
        self.hits = 1 if self.last < now - gap else self.hits + 1
        self.last = now
        return self.hits

    def begin(self, now: float) -> bool:
        """Whether a refresh may begin; if so, it has."""
        if self.refreshing or now < self.retry_at:
            return False
        self.refreshing = True
        return True

    def end(self, retry_at: float) -> None:
        """A refresh is over; the next one may begin at `retry_at`."""
        self.retry_at = retry_at
        self.refreshing = False
