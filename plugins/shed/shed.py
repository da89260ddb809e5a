"""Drop queries over UDP while the socket that they came in through cannot get rid of its replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy.metrics import Counter
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.query import Endpoint
    from corepy.site import Site

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
        if socket.resume and self.clock.now() < socket.resume:
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

    __slots__ = ("resume", "unsent")

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        """Replies that could not be sent, as far as they were counted."""
        self.resume = 0.0
        """When queries are taken again; 0 while they are."""
