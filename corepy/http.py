"""Small HTTP endpoints for people and programs that watch the server: health, readiness, metrics, profiles.

    lease = await listen("127.0.0.1", 8080, {"/health": handler}, clock)

Whoever names the same address shares its sockets, and of several handlers for one path the newest answers. So a new
configuration takes an address over from the old one while both are alive, and no probe is ever refused in between.

With a guard the endpoint is secured: TLS, users, headers. Who shares an address with somebody who wants a guard is
behind it as well.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

from corepy.httpclient import get
from corepy.httpconnection import TIMEOUT, Connection, Handler
from corepy.httpmessage import Request, Response, error
from corepy.metrics import Counter
from corepy.stream import listen as listening_socket

if TYPE_CHECKING:
    from corepy.clock import Clock
    from corepy.webguard import WebGuard

_PAUSE: Final = 0.25
"""Seconds until clients are taken again where the process has no descriptors left."""
_CHECK: Final = 3.0
"""Seconds until a check of our own has failed; CoreDNS's."""
MAX_CONNECTIONS: Final = 100
"""Connections of one address: monitoring has a few, and this many cannot take the descriptors that queries need."""

CLOSED: Final = Counter(
    "corepy_http_connections_closed_total", "Clients of endpoints for monitoring that had to make room for others."
)

Routes = Mapping[str, Handler]
"""Who answers, by the path."""


class Shared(Protocol):
    """What a lease is a share in."""

    port: int

    def give_back(self, lease: Lease) -> None:
        """One share less."""

    async def reach(self, path: str) -> None:
        """As a lease has it."""


class Opener(Protocol):
    """Who opens endpoints for a process that does not do so itself."""

    async def listen(self, host: str, port: int, routes: Routes, guard: WebGuard | None, *, one: bool) -> Lease:
        """As `listen` below."""


_openers: WeakKeyDictionary[asyncio.AbstractEventLoop, Opener] = WeakKeyDictionary()


def opened_by(opener: Opener) -> None:
    """From now on `listen` in the running loop is this opener's business."""
    _openers[asyncio.get_running_loop()] = opener


class Lease:
    """A share in an endpoint; close it to take one's paths away, and the sockets with the last share."""

    def __init__(self, endpoint: Shared, routes: Routes, guard: WebGuard | None = None) -> None:
        self._endpoint = endpoint
        self.routes = routes
        self.guard = guard
        self.port: int = endpoint.port
        """The port, which is of interest where any that is free was asked for."""

    def close(self) -> None:
        """Give it back; harmless when that was done. Replies that are being made are still sent."""
        self._endpoint.give_back(self)

    async def reach(self, path: str) -> None:
        """Ask for a path as a client of this process's. Raises OSError for anything but a success.

        A guard lets nobody in without credentials, and we have none: behind one it is only our turn in the event loop.
        """
        try:
            async with asyncio.timeout(_CHECK):
                await self._endpoint.reach(path)
        except TimeoutError:
            raise TimeoutError(f"no answer within {_CHECK:.0f}s") from None


async def listen(
    host: str, port: int, routes: Routes, clock: Clock, guard: WebGuard | None = None, *, one: bool = False
) -> Lease:
    """Answer these paths at an address; no host, 0.0.0.0 and :: stand for all of them, a name for the first of its own.

    Where several processes serve, all of them answer and their responses become one; with `one`, one of them answers:
    the first, or the one that the request names (`?worker=1`).

    Raises OSError where the address cannot be had, or a name has none.
    """
    hosts = ["0.0.0.0", "::"] if host in ("", "0.0.0.0", "::") else [host]
    loop = asyncio.get_running_loop()
    if loop in _openers:
        return await _openers[loop].listen(host, port, routes, guard, one=one)
    known = _endpoints.setdefault(loop, {})
    if (host, port) not in known and len(hosts) == 1:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # "localhost" is 127.0.0.1 for those who have always asked it there, as in CoreDNS.
        hosts = [str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])]
    if (host, port) not in known:
        known[host, port] = _Endpoint(hosts, port, clock, partial(known.pop, (host, port), None))
    return known[host, port].share(routes, guard)


_endpoints: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], _Endpoint]] = WeakKeyDictionary()
"""What is open, by the address as it was asked for."""


class _Endpoint:
    """The listening sockets of one address, its connections, and who has a share in it."""

    def __init__(self, hosts: list[str], port: int, clock: Clock, gone: Callable[[], object]) -> None:
        self.clock = clock
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._leases: list[Lease] = []
        self._connections: OrderedDict[Connection, None] = OrderedDict()
        self._accepting: dict[asyncio.Task[None], None] = {}
        self._sockets: list[socket.socket] = []
        self.port = port
        self._host = hosts[0]
        try:
            for host in hosts:
                self._open(host)
        except OSError:
            self._close_sockets()
            raise
        for sock in self._sockets:
            self._watch(sock)

    def _open(self, host: str) -> None:
        try:
            self._sockets.append(listening_socket(host, self.port))
        except OSError as reason:
            if host != "::" or reason.errno == errno.EADDRINUSE:   # else a machine without IPv6
                raise
        self.port = self._sockets[0].getsockname()[1]

    # --- shares ---

    def share(self, routes: Routes, guard: WebGuard | None) -> Lease:
        """One more who answers here."""
        lease = Lease(self, routes, guard)
        self._leases.append(lease)
        return lease

    def give_back(self, lease: Lease) -> None:
        """One less; the last one closes the door."""
        if lease not in self._leases:
            return
        self._leases.remove(lease)
        if not self._leases:
            self._gone()
            self._close_sockets()
            for connection in list(self._connections):
                connection.finish()

    async def reach(self, path: str) -> None:
        """Be a client."""
        if self.guard is None:
            await get("127.0.0.1" if self._host == "0.0.0.0" else self._host, self.port, path)
        else:
            await asyncio.sleep(0)

    def handler(self, path: str) -> Handler | None:
        """Who answers a path."""
        return next((lease.routes[path] for lease in reversed(self._leases) if path in lease.routes), None)

    @property
    def guard(self) -> WebGuard | None:
        """The newest; who has none does not take another one's away."""
        return next((lease.guard for lease in reversed(self._leases) if lease.guard is not None), None)

    @property
    def closing(self) -> bool:
        """Whether no connection is kept any more."""
        return not self._leases

    # --- connections ---

    def _watch(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            self._loop.add_reader(sock, self._accept, sock)

    def _accept(self, sock: socket.socket) -> None:
        """Take a client that is waiting; the loop calls again for the next one."""
        try:
            client, _ = sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:   # out of descriptors or memory, which queries need more: try again in a while
            self._loop.remove_reader(sock)
            self.clock.later(_PAUSE, partial(self._watch, sock))
            return
        client.setblocking(False)
        if len(self._accepting) >= MAX_CONNECTIONS:   # who takes its time to shake hands
            CLOSED.add()
            next(iter(self._accepting)).cancel()
        elif len(self._connections) + len(self._accepting) >= MAX_CONNECTIONS and self._connections:
            CLOSED.add()
            next(iter(self._connections)).abort()
        task = self._loop.create_task(self._admit(client))
        self._accepting[task] = None
        task.add_done_callback(self._accepting.pop)

    async def _admit(self, client: socket.socket) -> None:
        guard = self.guard
        try:
            secured = None if guard is None else guard.secure()
            connection = partial(Connection, self, guard, secured)
            if secured is None:
                await self._loop.connect_accepted_socket(connection, client)
            else:
                patience = {"ssl_handshake_timeout": TIMEOUT, "ssl_shutdown_timeout": TIMEOUT}
                await self._loop.connect_accepted_socket(connection, client, ssl=secured.context, **patience)
        except (OSError, asyncio.CancelledError):   # gone before it was there, or never to be
            client.close()

    def active(self, connection: Connection) -> None:
        """It is there, or has asked something: others are closed before it is."""
        self._connections[connection] = None
        self._connections.move_to_end(connection)

    def closed(self, connection: Connection) -> None:
        """It is gone."""
        self._connections.pop(connection, None)

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()


__all__ = ["TIMEOUT", "Handler", "Lease", "Request", "Response", "Routes", "error", "listen"]
