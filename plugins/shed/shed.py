"""Drop queries over UDP while too many others wait in their socket, or while it cannot get rid of its replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy.metrics import Counter
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply

if TYPE_CHECKING:
    from corepy.endpoint import Endpoint
    from corepy.errors import Position
    from corepy.site import Site

FULL: Final = 1024 * 768
"""Octets of unread datagrams that are too many, or half of what there is room for: some 1,024 plain queries, each with
what the kernel has around it. That many replies wait in CoreDNS before it drops queries."""
EVERY: Final = 16
"""Queries after which the kernel is asked again, which takes some 2 us: a fraction of one for each query."""
PAUSE: Final = 0.015
"""Seconds without a new query once replies could not be sent: about what a socket needs to send the 1,024 replies that
CoreDNS lets wait."""
_DROPPED: Final = Counter("shed_dropped_total", "Queries and replies that were dropped.", ("server", "reason"))


@dataclass
class Shed(Plugin):
    """For the UDP sockets of a server block, each on its own."""

    once: ClassVar[bool] = True

    at: Position | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `shed`, which takes nothing."""
        directive.finish()
        return cls(directive.at)

    def configure(self, site: Site) -> None:
        """Refuse blocks whose queries do not come over UDP, where nothing would be done."""
        for key in site.keys:
            if key.scheme != "dns":
                raise ConfigError(f"cannot shed load of {key}, only of plain DNS", self.at, plugin=self.name)

    def start(self) -> None:
        """Begin without any socket known."""
        self._sockets: dict[Endpoint, _Socket] = {}

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, unless its socket is behind."""
        endpoint = query.endpoint
        if endpoint.transport != "udp":
            return self.next(query)
        socket = self._sockets.get(endpoint)
        if socket is None:
            socket = self._sockets[endpoint] = _Socket(endpoint.unsent)
        if endpoint.unsent != socket.unsent:
            self._fall_behind(socket, endpoint)
        if socket.is_full(endpoint) or (socket.resume and self.clock.now() < socket.resume):
            _DROPPED.add(endpoint.server, "query")
            return Reply.SILENCE
        socket.resume = 0.0
        return self.next(query)

    def _fall_behind(self, socket: _Socket, endpoint: Endpoint) -> None:
        """Replies could not be sent since the last query: count them, and take no queries for a while."""
        for _ in range(endpoint.unsent - socket.unsent):
            _DROPPED.add(endpoint.server, "response")
        socket.unsent = endpoint.unsent
        socket.resume = self.clock.now() + PAUSE


class _Socket:
    """What is known of one socket."""

    __slots__ = ("_full", "_known", "resume", "unsent")

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        """Replies that could not be sent, as far as they were counted."""
        self.resume = 0.0
        """When queries are taken again; 0 while they are."""
        self._full = False
        self._known = 0

    def is_full(self, endpoint: Endpoint) -> bool:
        """Whether too many datagrams wait, as far as that was asked lately."""
        if not self._known:
            octets, room = endpoint.waiting()
            self._full = octets > min(FULL, room // 2)
            self._known = EVERY
        self._known -= 1
        return self._full
