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
from corepy.options import with_rcode
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply, after
from corepy.plugins.cache import lint, setup
from corepy.plugins.cache.counts import Counts
from corepy.plugins.cache.counts import counts as counts_of
from corepy.plugins.cache.entry import EXPIRES, FLAGS, MARK, TTL, Entry, State, is_answer, pack, reply_from
from corepy.plugins.cache.message import DENIALS, NO_TTL, Message
from corepy.plugins.cache.refresh import authenticated, refresh, verify
from corepy.plugins.cache.setup import Settings
from corepy.plugins.cache.store import Found, Store

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
_WILDCARD: Final = "zone/wildcard"
"""The label under which a zone says which wildcard an answer was made of; a hit says so, too (as in CoreDNS)."""
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
        self.successes = Store(settings.success.capacity)
        self.denials = Store(settings.denial.capacity)
        self.outdone = Store(settings.success.capacity)
        """Under `prefer_positive`, answers whose place in `successes` something has taken that is none."""
        self._counts: dict[str, Counts] = {}
        self._site: Site | None = None
        self._everything = _ROOT in self.zones
        self._grace = int(settings.stale.up_to) if settings.stale else 0
        """Seconds that an entry is served after its time."""
        self._prefers_answers = settings.prefer_positive and self._grace > 0

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
            self.successes, self.denials, self.outdone = old.successes, old.denials, old.outdone

    own_answer: ClassVar[str] = "hit"

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
        found = self._find(key, now - self._grace, counts)
        if found is None:
            return self._miss(query, key, counts)
        store, entry, head = found
        store.asked[hash(key) & store.mask] = 1
        left = ceil(head[EXPIRES] - now)
        settings = self.settings
        if query.metadata is not None and (known := store.states.get(key)) is not None and known.wildcard:
            query.metadata[_WILDCARD] = known.wildcard
        if left <= 0:
            return self._serve_stale(query, key, found, counts)
        if settings.prefetch and self._is_wanted_fresh(store.state(key), now, left, head[TTL]):
            refresh(self, query, key, found, counts)
        return reply_from(query, entry, head, head[TTL] if settings.keepttl else left)

    def _find(self, key: bytes, alive: float, counts: Counts) -> Found | None:
        """The entry for a key that expires later than `alive`: a denial before an answer, but not a failure."""
        answer = self.successes.find(key, alive)
        if self._prefers_answers and (last := self._last_answer(key, alive)) is not None:
            counts.successes.hits += 1
            return last
        denial = self.denials.find(key, alive) if key in self.denials.entries else None
        if denial is not None and (answer is None or denial[2][FLAGS] & w.RCODE != codes.SERVFAIL):
            counts.denials.hits += 1
            return denial
        if answer is None:
            counts.misses += 1
        else:
            counts.successes.hits += 1
        return answer

    def _last_answer(self, key: bytes, alive: float) -> Found | None:
        """What has answered last, under `prefer_positive`, whatever has come since."""
        newest = self.successes.entries.get(key)
        if newest is None:
            return None
        return (self.successes if is_answer(newest) else self.outdone).find(key, alive)

    def _is_wanted_fresh(self, state: State, now: float, left: int, ttl: int) -> bool:
        """Count a query for an entry; whether there were enough, without a long gap, and its time is almost over."""
        popular = state.count(now, self.settings.gap) >= self.settings.prefetch
        return popular and left <= ceil(self.settings.percent / 100 * ttl)

    def _miss(self, query: Query, key: bytes, counts: Counts) -> Outcome:
        if self.note is not None:
            self.note(query, "miss")
        if query.qtype in _TRANSFERS:
            return self.next(query)
        return after(self.next(authenticated(query)), lambda reply: self.keep(query, key, reply, counts)[0])

    def _serve_stale(self, query: Query, key: bytes, found: Found, counts: Counts) -> Outcome:
        """An entry whose time is over: served at once and refreshed behind, or the other way round."""
        if self.note is not None:
            self.note(query, "hit, but its time is over")
        stale = self.settings.stale
        assert stale is not None  # noqa: S101 - else nothing that has expired is found
        if stale.verify:
            return verify(self, query, key, found, counts)
        refresh(self, query, key, found, counts, stale=True)
        return self.stale_reply(query, found, counts)

    def stale_reply(self, query: Query, found: Found, counts: Counts) -> Reply:
        """The reply from an entry whose time is over (RFC 8767 4)."""
        counts.stale += 1
        settings = self.settings
        ttl = settings.stale.ttl if settings.stale else 0
        _, entry, head = found
        return reply_from(query, entry, head, ttl or (head[TTL] if settings.keepttl else 0))

    def keep(self, query: Query, key: bytes, reply: Reply, counts: Counts) -> tuple[Reply, Entry | None]:
        """Keep a reply if it may be kept: what the client is sent, and the entry that was made.

        The client gets the TTL that the entry gets, in all records, so that none jumps with the next query. What
        cannot be read is handed on as it is.
        """
        try:
            message = Message(reply.wire, query)
        except Malformed:
            return reply, None
        kind, entry = message.kind, None
        if kind is ReplyType.META or (kind is not ReplyType.NOERROR and reply.unserved):
            return reply, None
        ttl = self._lifetime(message)
        if ttl > 0 and message.lasting:
            if message.fits:
                entry = self._put(query, key, message, ttl, counts)
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
        if seconds == NO_TTL:
            seconds = _SHORT
        if not limits.minimum <= seconds <= limits.ttl:
            seconds = min(max(seconds, limits.minimum), limits.ttl)
        return seconds

    def _put(self, query: Query, key: bytes, message: Message, ttl: int, counts: Counts) -> Entry | None:
        """Keep a message under its key, unless its kind is not kept for this name."""
        settings = self.settings
        store, kind, unwanted = self.successes, counts.successes, settings.no_success
        if message.kind in DENIALS:
            store, kind, unwanted = self.denials, counts.denials, settings.no_denial
        if unwanted and _within(query.key, unwanted):
            return None
        entry = pack(message, ttl, self.clock.now() + ttl)
        if store is self.successes and (self.denials.entries or settings.prefer_positive):
            self._outdo(key, message)
        kind.evictions += store.put(key, entry)
        kind.entries = len(store.entries)
        if query.metadata is not None and (wildcard := query.metadata.get(_WILDCARD)):
            store.state(key).wildcard = wildcard
        return entry

    def _outdo(self, key: bytes, message: Message) -> None:
        """A success is what is known now, instead of a denial; under `prefer_positive`, only what answers is."""
        outdone = self.outdone.entries
        if message.answering or not self.settings.prefer_positive:
            self.denials.entries.pop(key, None)
            outdone.pop(key, None)
        elif (last := self.successes.entries.get(key)) is not None and is_answer(last):
            self.outdone.put(key, last)

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
    made = _head(wire[:2], flags, message.counts) + wire[12 : message.end] + message.records.replace(MARK, _ttl(ttl))
    if message.rcode > w.RCODE:   # the upper bits need an OPT record
        return Reply(with_rcode(query, made, message.rcode))
    return Reply(made, plain=True)
