"""Open sockets and what they serve: here a query's way can be read from top to bottom.

A port belongs to the server and outlives configurations: a reload points `listener` at the new generation, between
two datagrams and without losing one. Everything on these paths runs in the event loop's thread; nothing waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from functools import partial
from typing import TYPE_CHECKING, Final

from corepy.address import Address
from corepy.datagram import DatagramSocket, open_datagram
from corepy.errors import Malformed
from corepy.finish import error_reply, finish
from corepy.query import Endpoint, Query, Reply
from corepy.stream import Connection, listen

if TYPE_CHECKING:
    from corepy.clock import Clock, Timer
    from corepy.listener import Listener

_SWEEP: Final = 0.25
"""Seconds between two looks at the connections' deadlines: well below the shortest timeout in use."""
_RESERVED: Final = 32
"""Descriptors that connections leave to sockets, files and upstreams where the limit is low."""


def max_connections() -> int:
    """How many TCP connections the process takes: half of its descriptors, so that the rest keeps working."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 1 << 16 if limit == resource.RLIM_INFINITY else limit
    return max(limit // 2 - _RESERVED, 8)


class DatagramPort:
    """A UDP socket and the listener behind it."""

    def __init__(self, host: str, port: int, listener: Listener, clock: Clock, *, server: str) -> None:
        self._socket: DatagramSocket = open_datagram(host, port)
        self.address: Address = self._socket.address
        local = b"" if self._socket.wildcard else self.address.packed
        self.endpoint = Endpoint("udp", server, self.address.port, local)
        self.listener = listener
        self._now = clock.now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush_due = False

    def serve(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> int:
        """Answer the datagrams that are waiting; how many there were."""
        listener, endpoint, socket = self.listener, self.endpoint, self._socket
        door = listener.door.datagram if listener.door is not None else None
        answer, put = listener.answer, socket.put
        datagrams = socket.receive()
        now = self._now() if door is not None else 0.0
        for wire, peer, local in datagrams:
            client: bytes | Address = peer
            payload = wire
            if door is not None:
                admitted = door(wire, peer, now)
                if admitted is None:
                    continue
                payload, client = admitted[0], admitted[1] or peer
            try:
                query = Query(payload, endpoint, client, local)
            except Malformed as error:
                if error.rcode is not None:
                    put((error_reply(payload, error.rcode), peer, local))
                continue
            outcome = answer(query)
            if type(outcome) is not Reply:
                outcome.then(partial(self._late, query, peer, local))
            elif outcome.wire:
                put((finish(query, outcome), peer, local))
        socket.flush()
        return len(datagrams)

    def _late(self, query: Query, peer: bytes, local: bytes, reply: Reply) -> Reply:
        """A reply that took its time joins the others of this round of the loop. It goes to the peer."""
        if reply.wire and self._loop is not None:
            self._socket.put((finish(query, reply), peer, local))
            if not self._flush_due:
                self._flush_due = True
                self._loop.call_soon(self._flush)
        return reply

    def _flush(self) -> None:
        self._flush_due = False
        if self._loop is not None:
            self._socket.flush()

    def drain(self) -> None:
        """Answer what has arrived, then read no more; replies that are on their way are still sent."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            while self._readable():
                pass

    def close(self) -> None:
        """Give the port back."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._socket.flush()
        self._socket.close()


class StreamPort:
    """A listening TCP socket, its connections and their timeouts."""

    open_connections = 0
    """In the whole process, as descriptors are."""

    def __init__(self, host: str, port: int, listener: Listener, clock: Clock, *, server: str) -> None:
        self._socket = listen(host, port)
        name = self._socket.getsockname()
        self.address = Address.of(*name[:2])
        self.endpoint = Endpoint("tcp", server, self.address.port)
        self.listener = listener
        self._clock = clock
        self.now = clock.now
        self._limit = max_connections()
        self._connections: dict[Connection, None] = {}
        self._server: asyncio.Server | None = None
        self._sweeper: Timer | None = None

    async def serve(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.get_running_loop().create_server(
            partial(Connection, self), sock=self._socket, backlog=1024
        )
        self._sweeper = self._clock.every(_SWEEP, self._sweep)

    def opened(self, connection: Connection) -> bool:
        """Count a connection in. When there are too many, the one that has been idle longest makes room."""
        if StreamPort.open_connections >= self._limit and not self._make_room():
            return False
        StreamPort.open_connections += 1
        self._connections[connection] = None
        return True

    def closed(self, connection: Connection) -> None:
        """Count it out."""
        if connection in self._connections:
            StreamPort.open_connections -= 1
            del self._connections[connection]

    def _make_room(self) -> bool:
        oldest = min((c for c in self._connections if c.idle), key=lambda c: c.deadline, default=None)
        if oldest is not None:
            oldest.expire()
            self.closed(oldest)
        return oldest is not None

    def _sweep(self) -> None:
        """Close the connections that have been given their time."""
        now = self.now()
        for connection in [c for c in self._connections if c.deadline < now and not c.pending]:
            connection.expire()

    def drain(self) -> None:
        """Accept no more; connections are closed when what they have asked is answered."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.shut()

    def close(self) -> None:
        """Give the port back, and close what is still open."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._connections):
            connection.expire()
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            self._socket.close()


Port = DatagramPort | StreamPort
