"""Answer from what was answered before; keep what comes from behind."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyType
from corepy.errors import Malformed
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply, after
from corepy.plugins.cache import lint, setup
from corepy.plugins.cache.counts import Counts
from corepy.plugins.cache.counts import counts as counts_of
from corepy.plugins.cache.entry import Entry
from corepy.plugins.cache.message import DENIALS, NO_TTL, Message
from corepy.plugins.cache.refresh import authenticated, refresh, verify
from corepy.plugins.cache.setup import Settings
from corepy.plugins.cache.store import Store

if TYPE_CHECKING:
    from corepy.site import Site

_ROOT: Final = b"\0"
_TRANSFERS: Final = (codes.AXFR, codes.IXFR)
_SHORT: Final = 5
"""Seconds for a reply that does not say how long it is good: a referral, an error, a reply without any record."""
_DO: Final = 1
_CD: Final = 2
"""What tells the keys of such queries from others of the same name, type and class."""
_UNUSUAL: Final = w.OPCODE | w.CD
_head = struct.Struct("!2sH8s").pack
_ttl = struct.Struct("!I").pack


@dataclass
class Cache(Plugin):
    """Names in `zones` (keys) are answered from here. All else is in `settings`."""

    once: ClassVar[bool] = True

    zones: tuple[bytes, ...] = (_ROOT,)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        settings = self.settings
        self.successes: Store[Entry] = Store(settings.success.capacity)
        self.denials: Store[Entry] = Store(settings.denial.capacity)
        self._counts: dict[str, Counts] = {}
        self._site: Site | None = None
        self._everything = _ROOT in self.zones
        self._grace = int(settings.stale.up_to) if settings.stale else 0
        """Seconds that an entry is served after its time."""

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `cache [TTL] [ZONES...]` and its block."""
        settings, zones = setup.read(directive)
        return cls(zones, settings)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:
        """Look at the zones."""
        return lint.check(lines[0], site)

    def configure(self, site: Site) -> None:
        """Learn the name of the view, for metrics."""
        self._site = site

    def adopt(self, old: Cache) -> None:
        """Take over what is kept, if the server block says what it said: else it might be answered otherwise now."""
        if self._site is not None and old._site is not None and self._site.said == old._site.said:
            self.successes, self.denials = old.successes, old.denials

    def serve(self, query: Query) -> Outcome:
        """Answer from the cache, or ask the next plugin and keep what it says."""
        end = query.qend
        key = query.key
        if not self._everything and not _within(key, self.zones):
            if self.note is not None:
                self.note(query, "the name is in none of its zones")
            return self.next(query)
        key += query.wire[end - 4 : end]
        edns = query.edns
        if query.flags & _UNUSUAL or (edns is not None and edns.flags & w.DO):
            if query.flags & w.OPCODE:   # NOTIFY: news and not a question
                return self.next(query)
            key += bytes((_DO * query.do | _CD * bool(query.flags & w.CD),))
        counts = self._counts.get(query.endpoint.server) or self._new_counts(query)
        now = self.clock.now()
        entry = self._find(key, now - self._grace, counts)
        if entry is None:
            return self._miss(query, key, counts)
        entry.asked = True
        left = ceil(entry.expires - now)
        settings = self.settings
        if left <= 0:
            return self._serve_stale(query, key, entry, counts)
        if settings.prefetch and self._is_popular(entry, now) and left <= ceil(settings.percent / 100 * entry.ttl):
            refresh(self, query, key, entry, counts)
        return entry.reply(query, entry.ttl if settings.keepttl else left)

    def _find(self, key: bytes, alive: float, counts: Counts) -> Entry | None:
        """The entry for a key that expires later than `alive`: a denial before an answer, but not a failure."""
        entry = self.successes.entries.get(key)
        if entry is not None and self.settings.prefer_positive and self._grace:
            good = entry.answering if isinstance(entry.answering, Entry) else entry
            if good.answering and good.expires > alive:
                counts.successes.hits += 1
                return good
        denial = self.denials.entries.get(key)
        if denial is not None and denial.expires > alive:
            shadowed = denial.rcode == codes.SERVFAIL and entry is not None and entry.expires > alive
            if not shadowed:
                counts.denials.hits += 1
                return denial
        if entry is not None and entry.expires > alive:
            counts.successes.hits += 1
            return entry
        counts.misses += 1
        return None

    def _is_popular(self, entry: Entry, now: float) -> bool:
        """Count a query for an entry; whether there were enough, without a gap that is too long."""
        return entry.known().count(now, self.settings.gap) >= self.settings.prefetch

    def _miss(self, query: Query, key: bytes, counts: Counts) -> Outcome:
        if self.note is not None:
            self.note(query, "miss")
        if query.qtype in _TRANSFERS:
            return self.next(query)
        return after(self.next(authenticated(query)), lambda reply: self.keep(query, key, reply, counts)[0])

    def _serve_stale(self, query: Query, key: bytes, entry: Entry, counts: Counts) -> Outcome:
        """An entry whose time is over: served at once and refreshed behind, or the other way round."""
        stale = self.settings.stale
        assert stale is not None  # noqa: S101 - else nothing that has expired is found
        if stale.verify:
            return verify(self, query, key, entry, counts)
        refresh(self, query, key, entry, counts, stale=True)
        return self.stale_reply(query, entry, counts)

    def stale_reply(self, query: Query, entry: Entry, counts: Counts) -> Reply:
        """The reply from an entry whose time is over (RFC 8767 4)."""
        counts.stale += 1
        settings = self.settings
        ttl = settings.stale.ttl if settings.stale else 0
        return entry.reply(query, ttl or (entry.ttl if settings.keepttl else 0))

    def keep(self, query: Query, key: bytes, reply: Reply, counts: Counts) -> tuple[Reply, Entry | None]:
        """Keep a reply if it may be kept: what the client is sent, and the entry that was made.

        The client gets the TTL that the entry gets, in all records, so that none jumps with the next query. What
        cannot be read is handed on as it is.
        """
        try:
            message = Message(reply.wire, query) if reply.wire else None
        except Malformed:
            message = None
        if message is None or message.kind is ReplyType.META:
            return reply, None
        ttl = self._lifetime(message)
        entry = None
        if ttl > 0 and message.lasting:
            if message.fits:
                entry = self._put(key, query.key, message, ttl, counts)
            else:
                counts.drops += 1
        return _with_ttl(query, reply, message, ttl), entry

    def _lifetime(self, message: Message) -> int:
        """Seconds that a message is good for."""
        kind, settings = message.kind, self.settings
        seconds, limits = message.least, settings.success
        if kind is not ReplyType.NOERROR:
            if kind is ReplyType.SERVERERROR:
                return int(settings.servfail)
            if kind in DENIALS:
                seconds, limits = min(seconds, message.soa), settings.denial
            else:
                seconds = NO_TTL
        return min(max(seconds if seconds != NO_TTL else _SHORT, limits.minimum), limits.ttl)

    def _put(self, key: bytes, name: bytes, message: Message, ttl: int, counts: Counts) -> Entry | None:
        """Keep a message under its key, unless its kind is not kept for this name."""
        settings = self.settings
        entry = Entry(message, ttl, self.clock.now() + ttl)
        if message.kind in DENIALS:
            if settings.no_denial and _within(name, settings.no_denial):
                return None
            counts.denials.evictions += self.denials.put(key, entry)
            counts.denials.entries = len(self.denials.entries)
            return entry
        if settings.no_success and _within(name, settings.no_success):
            return None
        if settings.prefer_positive and not entry.answering and (last := self.successes.entries.get(key)):
            entry.answering = last if last.answering is True else last.answering
        counts.successes.evictions += self.successes.put(key, entry)
        counts.successes.entries = len(self.successes.entries)
        if entry.answering is True or not settings.prefer_positive:
            self.denials.entries.pop(key, None)   # this is what is known now
        return entry

    def _new_counts(self, query: Query) -> Counts:
        server = query.endpoint.server
        zones = ",".join(map(w.decode_name, self.zones))
        self._counts[server] = made = counts_of(server, zones, self._site.view if self._site else "")
        return made


def _within(key: bytes, zones: tuple[bytes, ...]) -> bool:
    return any(w.is_subdomain(key, zone) for zone in zones)


def _with_ttl(query: Query, reply: Reply, message: Message, ttl: int) -> Reply:
    """The reply for the client: one TTL throughout, AD only if it was asked for (RFC 6840 5.8), no OPT record."""
    flags = message.flags
    if flags & w.AD and not query.flags & w.AD and not query.do:
        flags ^= w.AD
    wire = reply.wire
    if message.least == ttl == message.most and flags == message.flags and wire.startswith(message.counts, 4):
        return reply if query.edns is None else Reply(wire, plain=True)
    made = _head(wire[:2], flags, message.counts) + wire[12 : message.end] + _ttl(ttl).join(message.pieces)
    if message.rcode > w.RCODE:   # the upper bits need an OPT record
        return Reply(w.with_additional(made, w.opt_record(0, message.rcode >> 4)))
    return Reply(made, plain=True)
