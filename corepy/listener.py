"""What one listening address serves: from a message to its outcome, for every transport alike.

A Listener is one generation of the configuration: a reload makes new ones and points the open sockets at them.
Sockets belong to `server.py`; this module knows neither them nor the event loop.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol

from corepy import codes
from corepy.deferred import Deferred, settle
from corepy.errors import Failure
from corepy.finish import bad_version, finish, sign
from corepy.log import log
from corepy.metrics import Counter
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.router import Filtered, Router

if TYPE_CHECKING:
    from corepy.address import Address
    from corepy.site import Timeouts

Serve = Callable[[Query], Outcome]

Admitted = tuple[bytes, "Address | None"]
"""What a door lets in: the bytes behind the header, and the client they come from (None: the peer itself)."""


class StreamDoor(Protocol):
    """What stands in front of one connection until its header has been read."""

    def feed(self, data: bytes, peer: Address, now: float) -> Admitted | Literal[False] | None:
        """Take the next bytes: what comes behind the header, None for more to come, False to close."""


class Door(Protocol):
    """What stands between a listener's sockets and its queries, as PROXY protocol does."""

    @property
    def remembers(self) -> bool:
        """Whether datagrams of one peer belong together; then one process gets them all, where several serve."""

    def datagram(self, wire: bytes, peer: bytes, now: float) -> Admitted | None:
        """One datagram: its payload and client, None where nothing is to be served."""

    def stream(self) -> StreamDoor:
        """What stands in front of a new connection."""

    def adopt(self, old: object) -> None:
        """Take over what the door of the last generation remembers; it is used no more."""


Report = Callable[[Query, Reply], None]
"""What hears of queries that no plugin has answered: refused before they got to one, or lost to a bug in one."""

PANICS: Final = Counter("panics_total", "Queries that a bug in a plugin has failed.")

_BUGS_SHOWN: Final = 100
"""Different places of which a traceback is logged; a bug that shows itself in more is beyond reading."""


class Listener:
    """One address and scheme, its zones, and the door in front of it.

    `routes` are zones (keys) and their chains, of blocks for a view with what they take; a chain that is `refuse` is a
    block without plugins.
    `any_class` lets classes other than IN in. `report` hears of what no plugin answers.
    """

    def __init__(
        self,
        routes: list[tuple[bytes, Serve | Filtered[Serve]]],
        *,
        any_class: bool = False,
        timeouts: Timeouts,
        door: Door | None = None,
        report: Report | None = None,
    ) -> None:
        self._route = Router((zone, self._refused if serve is refuse else serve) for zone, serve in routes).route
        self._any_class = any_class
        self.timeouts = timeouts
        self.door = door
        self._report = report
        self.pending = 0
        """Queries whose reply is still on its way."""
        self._bugs: set[tuple[str, int]] = set()

    def answer(self, query: Query) -> Reply | Deferred:
        """The outcome of one query; never raises. What is still on its way is counted in `pending`."""
        if query.qclass != codes.IN and not self._any_class:
            return self._refused(query)
        if query.edns is not None and query.edns.version:
            return bad_version(query)
        serve = self._route(query)
        if serve is None:
            return self._refused(query)
        try:
            outcome = serve(query)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises, the client gets a reply
            return self._failed(query, error)
        if outcome.__class__ is Reply:
            return outcome
        self.pending += 1
        return settle(outcome).then(self._arrived, partial(self._failed_late, query))

    def seal(self, query: Query, reply: Reply) -> bytes:
        """The octets for the client, none for silence; never raises."""
        try:
            wire = finish(query, reply) if reply.wire else b""
        except Exception as error:  # noqa: BLE001 - a plugin has made records that cannot be packed
            wire = finish(query, self._failed(query, error))
        return wire if query.signed is None or not wire else sign(query, wire)

    def _refused(self, query: Query) -> Reply:
        reply = Reply.refused(query)
        if self._report is not None:
            self._report(query, reply)
        return reply

    def _arrived(self, reply: Reply) -> Reply:
        self.pending -= 1
        return reply

    def _failed_late(self, query: Query, error: Exception) -> Reply:
        self.pending -= 1
        return self._failed(query, error)

    def _failed(self, query: Query, error: Exception) -> Reply:
        """What a client hears of an exception: a Failure's rcode; anything else is a bug, logged once a place."""
        if isinstance(error, Failure):
            return Reply.failed(query, error.rcode)
        last = traceback.extract_tb(error.__traceback__)[-1:]
        place = (last[0].filename, last[0].lineno or 0) if last else ("", 0)
        if place not in self._bugs and len(self._bugs) < _BUGS_SHOWN:
            self._bugs.add(place)
            log.error(f"a plugin failed on {query.name} {codes.type_name(query.qtype)}: {error!r}")
            log.lines("".join(traceback.format_exception(error)))
        PANICS.add()
        reply = Reply.failed(query)
        if self._report is not None:
            self._report(query, reply)
        return reply


def refuse(query: Query) -> Reply:
    """The chain of a server block without plugins."""
    return Reply.refused(query)
