"""What is kept of a reply, and how a hit is made of it."""

from __future__ import annotations

import struct
from typing import Final

from corepy import wire as w
from corepy.plugin import Query, Reply
from corepy.plugins.cache.message import Message

_head = struct.Struct("!2sH8s").pack
_ttl = struct.Struct("!I").pack
_COPIED: Final = w.RD | w.CD
_KEPT: Final = w.RA | w.AD | w.RCODE


class Entry:
    """A reply taken apart at its TTLs, which are all the same: a hit joins the pieces with the one of the moment."""

    __slots__ = ("answering", "asked", "counts", "expires", "flags", "pieces", "state", "ttl")

    def __init__(self, message: Message, ttl: int, expires: float) -> None:
        self.pieces = message.pieces
        self.counts = message.counts
        self.flags = message.flags & _KEPT | w.QR | w.AA
        """AA is there whatever the reply had: some stub resolvers take nothing else from a forwarder (CoreDNS)."""
        self.ttl = ttl
        """Seconds, when it came."""
        self.expires = expires
        """The clock's time at which the TTL is 0."""
        self.answering: Entry | bool = message.answering
        """Whether it has what was asked for; or the entry that was here before and had."""
        self.asked = False
        """Whether somebody has asked for it since the store last looked."""
        self.state: State | None = None
        """How popular it is and whether it is being refreshed, where somebody wants to know."""

    @property
    def rcode(self) -> int:
        """The rcode; an extended one is never kept."""
        return self.flags & w.RCODE

    def reply(self, query: Query, ttl: int) -> Reply:
        """The reply to a query for it: under its id, with its spelling of the question, and this TTL throughout.

        Of the flags RD and CD are the query's. AD is told only to who has asked for it, with AD or DO (RFC 6840 5.8).
        """
        wire, asked = query.wire, query.flags
        flags = self.flags | asked & _COPIED
        if flags & w.AD and not asked & w.AD and not query.do:
            flags ^= w.AD
        head = _head(wire[:2], flags, self.counts)
        return Reply(head + wire[12 : query.qend] + _ttl(ttl).join(self.pieces), plain=True)

    def known(self) -> State:
        """The state, made when it is first needed."""
        if self.state is None:
            self.state = State()
        return self.state


class State:
    """What is known about an entry beside its content."""

    __slots__ = ("hits", "last", "refreshing", "retry_at")

    def __init__(self, hits: int = 0, last: float = float("-inf")) -> None:
        self.hits = hits
        """Queries without a gap that is too long."""
        self.last = last
        """When the last one was."""
        self.refreshing = False
        self.retry_at = float("-inf")
        """No refresh before this time, since one has failed."""

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
