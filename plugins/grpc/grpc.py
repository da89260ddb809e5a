"""Ask other servers over gRPC, and relay their replies as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy.fallthrough import Fallthrough
from corepy.metrics import Counter, Histogram
from corepy.plugin import ConfigError, Failure, Outcome, Plugin, Query, Reply
from corepy.plugins.grpc.setup import Sources, read
from corepy.upstream import Options, Target, Upstream, ask_any, connect, lint, match
from corepy.upstream.lines import falls_under
from corepy.upstream.match import is_whole, rcode_of
from corepy.upstream.policy import random

if TYPE_CHECKING:
    from corepy.plugin import Directive
    from corepy.site import Site

DEADLINE: Final = 5.0
"""Seconds in which a query has to be answered, however many upstreams are asked for it (CoreDNS's)."""

REQUESTS: Final = Counter("grpc_requests_total", "Replies that upstreams have given.", ("to",))
RESPONSES: Final = Counter("grpc_responses_total", "Replies of upstreams by their rcode.", ("rcode", "to"))
DURATION: Final = Histogram("grpc_request_duration_seconds", "Seconds that upstreams take to reply.", ("to",))


@dataclass(eq=False)
class Grpc(Plugin):
    """What falls under a `grpc` line. Zones are wire names in lower case."""

    once: ClassVar[bool] = True

    zone: bytes = b"\0"
    """FROM: the zone about whose names upstreams are asked."""
    to: Sequence[Target] = ()
    """The upstreams, at least one; what stands twice is asked twice."""
    excepted: Sequence[bytes] = ()
    """Zones below `zone` about which they are not."""
    policy: Callable[[Sequence[Upstream]], Sequence[Upstream]] = random
    fallthrough: Fallthrough = field(default_factory=Fallthrough)
    """For which names the next plugin is asked where upstreams know no such name, or say nothing."""
    options: Options = field(default_factory=Options)
    """How connections are kept, and with what certificates."""
    sources: Sources | None = None
    """What of the line says where `to` and the certificates are; None where they are given."""

    upstreams: Sequence[Upstream] = field(default=(), init=False)
    site: Site | None = field(default=None, init=False)
    """The server block."""

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """One line with its block."""
        return cls(**read(directive))

    def configure(self, site: Site) -> None:
        """Read the files that the line names, now that it is known where their paths begin. Raises ConfigError."""
        self.site = site
        if self.sources is not None:
            self.to, self.options = self.sources.read(site.path)

    def ends(self) -> Sequence[bytes]:
        """The zone, unless some of its names are for others."""
        return () if self.excepted or self.fallthrough.zones else (self.zone,)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:
        """Look at who may ask, and who is asked."""
        return lint.check(self.zone, self.to, lines[0], site)

    def start(self) -> None:
        """Get hold of the upstreams; none is connected to yet."""
        self.upstreams = [connect(target, self.options, self.clock) for target in self.to]
        self._last = self.site is not None and not _behind(self, self.site.plugins)

    def stop(self) -> None:
        """Close all connections."""
        for upstream in self.upstreams:
            upstream.close()

    def serve(self, query: Query) -> Outcome:
        """Ask the upstreams, if the name falls under this line."""
        if not falls_under(query.key, self.zone, self.excepted):
            return self.next(query)
        return self._ask(query)

    async def _ask(self, query: Query) -> Reply:
        """The reply of the first upstream that has one; each is asked once."""
        due = self.clock.now() + DEADLINE
        falls = not self._last and self.fallthrough.through(query.key)
        why = Failure("no upstreams")
        for upstream in self.policy(self.upstreams):
            try:
                reply, rcode = await self._ask_one(upstream, query, due)
            except Failure as error:
                why = error
                if self.clock.now() >= due:
                    break
                continue
            return await self.next(query) if falls and rcode == codes.NXDOMAIN else reply
        if falls:
            return await self.next(query)
        raise why

    async def _ask_one(self, upstream: Upstream, query: Query, due: float) -> tuple[Reply, int]:
        """What an upstream says, and its rcode. Raises Failure where nothing comes, or nothing that can be read."""
        began = self.clock.now()
        try:
            wire = await ask_any(upstream.over_tcp, query.wire, due)
        except Failure as error:
            if error.rcode != codes.NXDOMAIN:
                raise
            return Reply.failed(query, codes.NXDOMAIN), codes.NXDOMAIN  # the call's own status was NOT_FOUND
        reply = match(query.wire[12 : query.qend], wire)
        if reply is None and not is_whole(wire):
            raise Failure(f"{upstream.name}: the message cannot be read")
        rcode = rcode_of(wire)
        REQUESTS.add(upstream.name)
        RESPONSES.add(codes.rcode_label(rcode), upstream.name)
        DURATION.add(self.clock.now() - began, upstream.name)
        if reply is None:  # a reply to something else
            return Reply.failed(query, codes.FORMERR), codes.FORMERR
        return Reply(query.wire[:2] + reply[2:]), rcode


def _behind(plugin: Plugin, chain: Sequence[Plugin]) -> bool:
    """Whether another plugin that serves stands behind this one."""
    return any(other.serve is not None for other in chain[chain.index(plugin) + 1 :])
