"""Ask other servers and relay their replies as they are."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy.metrics import Counter
from corepy.plugin import Address, ConfigError, Failure, Outcome, Plugin, Query
from corepy.plugins.forward.asked import Asked
from corepy.plugins.forward.setup import Sources, read
from corepy.upstream import Check, Host, Options, Target, Watched, connect, draw, lint, look_up, look_up_by_system
from corepy.upstream.lines import falls_under
from corepy.upstream.policy import random

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.plugin import Directive
    from corepy.site import Site

REJECTED: Final = Counter(
    "forward_max_concurrent_rejects_total", "Queries refused since too many were on their way to upstreams."
)

MAX_CONCURRENT: Final = 32768
"""Queries on their way where the Corefile sets no bound: twice what one upstream may owe, and 50 MiB when each of them
waits for an upstream that is dead."""
_ONE_ADDITIONAL: Final = bytes(5) + b"\1"
_UDP: Final = b"u"
_TCP: Final = b"t"


@dataclass(eq=False)
class Forward(Plugin):
    """What falls under one `forward` line. Times are in seconds, zones wire names in lower case."""

    any_class: ClassVar[bool] = True

    zone: bytes = b"\0"
    """FROM: the zone whose names are forwarded."""
    to: Sequence[Target | Host] = ()
    """The upstreams, at least one."""
    resolvers: Sequence[Target] = ()
    """Who knows the addresses of upstreams that are given by name; the system where empty."""
    excepted: Sequence[bytes] = ()
    """Zones below `zone` that are not forwarded."""
    force_tcp: bool = False
    prefer_udp: bool = False
    read_timeout: float = 2.0
    """What an attempt may take."""
    policy: Callable[[Sequence[Watched]], Sequence[Watched]] = random
    max_fails: int = 2
    """An upstream with more failed probes than this is down; 0: none ever is."""
    max_concurrent: int = 0
    """Queries on their way, at most; 0: any number."""
    max_connect_attempts: int | None = None
    """Attempts for a query, 0 for any number; None: two for each upstream."""
    failover: frozenset[int] = frozenset()
    """Rcodes with which the next upstream is asked."""
    next_rcodes: frozenset[int] = frozenset()
    """Rcodes with which the next `forward` of the block is asked."""
    next_on_nodata: bool = False
    """Whether it is asked too when an answer is empty."""
    failfast: bool = False
    """Whether to give up at once while all upstreams are down."""
    options: Options = field(default_factory=Options)
    """How sockets are kept."""
    health: Check = field(default_factory=Check)
    follower: Forward | None = None
    """The next `forward` of the server block."""

    at: Position | None = None
    """Where the line stands, for errors that only show at the start."""
    sources: Sources | None = None
    """What of the line says where `to` and the certificates of `options` are; None where they are given."""

    upstreams: Sequence[Watched] = field(default=(), init=False)
    concurrent: int = field(default=0, init=False)
    """Queries on their way."""
    _watched: dict[Target, Watched] = field(default_factory=dict, init=False)
    """The upstreams by what they are; ours to close."""
    _asked: dict[bytes, Asked] = field(default_factory=dict, init=False)
    """Those of them that an equal query may join."""

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """One line with its block."""
        return cls(**read(directive))

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """Each line is a stage of its own, and knows the one behind it."""
        stages = [cls.parse(directive) for directive in directives]
        for stage, follower in itertools.pairwise(stages):
            stage.follower = follower
        return stages

    def configure(self, site: Site) -> None:
        """Read the files that the line names, now that it is known where their paths begin. Raises ConfigError."""
        if self.sources is not None:
            self.to, self.options = self.sources.read(self.options, site.path)

    def ends(self) -> Sequence[bytes]:
        """The zone, unless some of its names or replies are for others."""
        return () if self.excepted or self.next_rcodes or self.next_on_nodata else (self.zone,)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:
        """Look at who may ask, and who is asked."""
        return lint.check(self.zone, self.to, lines[0], site)

    def start(self) -> Awaitable[None] | None:
        """Get hold of the upstreams; none is asked yet, but names are looked up.

        Raises ConfigError where a name has no address.
        """
        if any(isinstance(one, Host) for one in self.to):
            return self._look_up_and_open()
        self._open([one for one in self.to if isinstance(one, Target)])
        return None

    async def _look_up_and_open(self) -> None:
        found: dict[Address, Target] = {}
        for one in self.to:
            for target in [one] if isinstance(one, Target) else await self._look_up(one):
                found.setdefault(target.address, target)
        self._open(found.values())

    async def _look_up(self, host: Host) -> list[Target]:
        """The targets that a name stands for, as the resolvers say, or else the system."""
        resolvers = [connect(target, Options(), self.clock) for target in self.resolvers]
        try:
            looking = look_up(host.name, resolvers, self.clock) if resolvers else look_up_by_system(host.name)
            addresses = await looking
        except Failure as error:
            raise ConfigError(f"cannot look up upstream '{host.name}': {error}", self.at, plugin=self.name) from None
        finally:
            for resolver in resolvers:
                resolver.close()
        return [Target(Address(one.packed, host.port, one.scope), host.kind, host.server_name) for one in addresses]

    def _open(self, targets: Iterable[Target]) -> None:
        options = replace(self.options, owner=self.name)
        self._watched = {
            target: Watched(connect(target, options, self.clock), self.health, self.clock, self.name)
            for target in targets
        }
        self.upstreams = list(self._watched.values())
        attempts = self.max_connect_attempts
        self.attempts = 2 * len(self.upstreams) if attempts is None else attempts
        self.last_resort = self.attempts - 1 if attempts is None and self.max_fails else -1
        """Attempts that fail before one is made with an upstream that seems to be down."""
        self.looks_at_replies = bool(self.prefer_udp or self.failover or self.next_rcodes or self.next_on_nodata)
        self._limit = self.max_concurrent or MAX_CONCURRENT
        self.now = self.clock.now
        self._everything = self.zone == b"\0" and not self.excepted

    def adopt(self, old: Self) -> None:
        """Go on with the upstreams that are the same: with their sockets, and what is known of their health."""
        if (old.options, old.health) != (self.options, self.health):
            return
        for target in self._watched.keys() & old._watched.keys():
            self._watched[target].close()
            self._watched[target] = old._watched.pop(target)   # whom the old one still asks all the same
        self.upstreams = list(self._watched.values())

    def stop(self) -> None:
        """Close all sockets that nobody goes on with."""
        for upstream in self._watched.values():
            upstream.close()

    def serve(self, query: Query) -> Outcome:
        """Ask the upstreams, if the name falls under this line."""
        if not self._everything and not falls_under(query.key, self.zone, self.excepted):
            if self.note is not None:
                self.note(query, "the name is not below FROM, or it is excepted")
            return self.next(query)
        stream = self.force_tcp or (query.endpoint.transport != "udp" and self._on_stream(query))
        if self.concurrent >= self._limit:
            REJECTED.add()
            raise Failure(f"concurrent queries exceeded maximum {self._limit}", codes.REFUSED)
        self.concurrent += 1
        key = _equality(query, stream)
        equal = self._asked.get(key)
        if equal is not None:
            return equal.join(query)
        asked = Asked(self, query, key, stream)
        if key:
            self._asked[key] = asked
        asked.ask_next()
        return asked

    def _on_stream(self, query: Query) -> bool:
        return query.endpoint.proto == "tcp" and not self.prefer_udp

    def any_upstream(self) -> Watched:
        """One of the upstreams, whichever."""
        return self.upstreams[draw(len(self.upstreams))]

    def finished(self, asked: Asked) -> None:
        """A query, and with it all that have joined it, is no longer on its way."""
        self.concurrent -= 1 + len(asked.joined)
        if asked.key:
            del self._asked[asked.key]


def _equality(query: Query, stream: bool) -> bytes:
    """What two queries have in common that may share a reply; empty for a query that may not share any.

    Name without case, type, class, flags, all that EDNS says, and the transport. A query with any other record,
    TSIG above all, shares nothing.
    """
    wire, end = query.wire, query.qend
    transport = _TCP if stream else _UDP
    if len(wire) == end:
        return query.key + wire[end - 4 :] + wire[2:4] + transport
    if query.edns is not None and wire[6:12] == _ONE_ADDITIONAL:
        return query.key + wire[end - 4 :] + wire[2:4] + transport
    return b""
