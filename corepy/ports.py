"""Open sockets and what they serve: here a query's way can be read from top to bottom.

A port belongs to the server and outlives configurations: a reload points `listener` at the new generation, between
two datagrams and without losing one. Everything on these paths runs in the event loop's thread; nothing waits.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections import OrderedDict
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from corepy.address import Address
from corepy.datagram import DatagramSocket, open_datagram
from corepy.endpoint import Endpoint
from corepy.errors import Malformed
from corepy.finish import error_reply
from corepy.metrics import SETTLE, Across, Counter, Gauge
from corepy.query import Query
from corepy.reply import Reply
from corepy.stream import Connection

if TYPE_CHECKING:
    from corepy.clock import Clock, Timer
    from corepy.listener import Listener

_SWEEP: Final = 0.25
"""Seconds between two looks at the connections' deadlines: well below the shortest timeout in use."""
_DRAINED: Final = 200
"""Batches that are still read when a port closes: a flood does not keep it open, and what the receive buffer holds is
less (8 MiB as Linux doubles it, 768 octets for the smallest datagram)."""
_RESERVED: Final = 32
"""Descriptors that connections leave to sockets, files and upstreams where the limit is low."""
_CONNECTIONS: Final = 16_384
"""TCP connections at the most, however many descriptors there are: with some 20 KiB each, 320 MiB."""
_ACCEPTS: Final = 32
"""Connections taken in one round of the loop, so that a flood of them does not hold up datagrams."""
_OLDEST: Final = 64
"""Connections that are looked at to find an idle one that makes room."""
_CLOGGED: Final = 256
"""Connections whose client does not read, over all ports: with `stream.WRITE_BUFFER` and two replies each, 96 MiB. The
one that has not read longest is closed for another."""

PAUSES: Final = Counter(
    "corepy_tcp_accept_pauses_total", "Times that no connection could be taken, for want of descriptors or memory."
)
NOT_RECEIVED: Final = Counter(
    "corepy_udp_receive_drops_total", "Datagrams that came while the receive buffer was full.", ("server",)
)
NOT_SENT: Final = Counter("corepy_udp_send_drops_total", "Replies that the kernel did not take.", ("server",))
CONNECTIONS: Final = Gauge("corepy_tcp_connections", "Connections of clients.", across=Across.SUM)
CLOSED: Final = Counter(
    "corepy_tcp_connections_closed_total", "Connections of clients that were closed on them.", ("reason",)
)


def max_connections() -> int:
    """How many TCP connections the process takes: half of its descriptors, so that the rest keeps working."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(max(limit // 2 - _RESERVED, 8), _CONNECTIONS) if limit != resource.RLIM_INFINITY else _CONNECTIONS


def take_descriptors() -> None:
    """Raise the limit on descriptors as far as we may, as Go's programs do: ports towards upstreams need many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class DatagramPort:
    """A UDP socket and the listener behind it."""

    _open: ClassVar[set[DatagramPort]] = set()

    def __init__(self, bound: socket.socket, listener: Listener, clock: Clock, *, server: str) -> None:
        self._socket: DatagramSocket = open_datagram(bound)
        self.address: Address = self._socket.address
        local = b"" if self._socket.wildcard else self.address.packed
        self.endpoint = Endpoint("udp", server, self.address.port, local)
        self.endpoint.waiting = self._socket.waiting
        self.listener = listener
        self._now = clock.now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush_due = False
        self._told = [0, 0]
        """Datagrams lost on their way in and out, as far as they were counted."""

    def serve(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)
        DatagramPort._open.add(self)

    def _readable(self) -> int:
        """Answer the datagrams that are waiting; how many there were."""
        listener, endpoint, port = self.listener, self.endpoint, self._socket
        door = listener.door.datagram if listener.door is not None else None
        answer, seal, put = listener.answer, listener.seal, port.put
        datagrams = port.receive()
        now = self._now() if door is not None else 0.0
        for received, peer, local in datagrams:
            payload: bytes = received
            client: bytes | Address = peer
            if door is not None:
                admitted = door(received, peer, now)
                if admitted is None:
                    continue
                payload, client = admitted[0], admitted[1] or peer
            try:
                query = Query(payload, endpoint, client, local)
            except Malformed as error:
                if error.rcode is not None:
                    put((error_reply(payload, error.rcode, error.question), peer, local))
                continue
            outcome = answer(query)
            if type(outcome) is not Reply:
                outcome.then(partial(self._late, query, peer, local))
                continue
            if wire := seal(query, outcome):
                put((wire, peer, local))
        port.flush()
        endpoint.unsent = port.unsent
        return len(datagrams)

    def _late(self, query: Query, peer: bytes, local: bytes, reply: Reply) -> Reply:
        """A reply that took its time joins the others of this round of the loop. It goes to the peer."""
        wire = self.listener.seal(query, reply)
        if wire and self._loop is not None:
            self._socket.put((wire, peer, local))
            if not self._flush_due:
                self._flush_due = True
                self._loop.call_soon(self._flush)
        return reply

    def _flush(self) -> None:
        self._flush_due = False
        if self._loop is not None:
            self._socket.flush()
            self.endpoint.unsent = self._socket.unsent

    def drain(self) -> None:
        """Answer what has arrived, then read no more; replies that are on their way are still sent."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            for _ in range(_DRAINED):
                if not self._readable():
                    return

    @property
    def pending(self) -> int:
        """Batches of replies that have been made and not sent: one, until the end of this round of the loop."""
        return int(self._flush_due)

    def close(self) -> None:
        """Give the port back."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._socket.flush()
        self.count_losses()
        DatagramPort._open.discard(self)
        self._socket.close()

    def count_losses(self) -> None:
        """Bring the counters up to date: the kernel is asked when somebody looks, not on a query's way."""
        lost = [self._socket.dropped, self._socket.unsent]
        for counter, now, told in zip((NOT_RECEIVED, NOT_SENT), lost, self._told, strict=True):
            if now > told:
                counter.add(self.endpoint.server, count=now - told)
        self._told = lost

    @staticmethod
    def settle() -> None:
        """Count the losses of all ports."""
        for port in DatagramPort._open:
            port.count_losses()


class StreamPort:
    """A listening TCP socket, its connections and their timeouts."""

    open_connections = 0
    """In the whole process, as descriptors are."""
    _by_use: ClassVar[OrderedDict[Connection, StreamPort]] = OrderedDict()
    """All of them, the one that has been silent longest first."""
    _unread: ClassVar[dict[Connection, StreamPort]] = {}
    """Those whose client does not read, the one that has not read longest first."""

    def __init__(self, listening: socket.socket, listener: Listener, clock: Clock, *, server: str) -> None:
        self._socket = listening
        name = self._socket.getsockname()
        self.address = Address.of(*name[:2])
        self.endpoint = Endpoint("tcp", server, self.address.port)
        self.listener = listener
        self._clock = clock
        self.now = clock.now
        self._limit = max_connections()
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: list[Timer] = []
        self._accepting: set[asyncio.Task[None]] = set()

    def serve(self) -> None:
        """Begin to accept."""
        self._loop = asyncio.get_running_loop()
        self._timers.append(self._clock.every(_SWEEP, self._sweep))
        self._listen()

    def _listen(self) -> None:
        if self._loop is not None:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        """Take the clients that are waiting, a few at a time. asyncio's own server takes all, whatever they cost."""
        for _ in range(_ACCEPTS):
            try:
                client, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:   # out of descriptors or memory: try again in a while
                self._pause()
                return
            if StreamPort.open_connections >= self._limit and not self._make_room():
                CLOSED.add("full")
                client.close()
                continue
            StreamPort.open_connections += 1
            client.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._admit(client))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    async def _admit(self, client: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(partial(Connection, self), client)
        except OSError:   # gone before it was there
            StreamPort.open_connections -= 1
            client.close()

    def _pause(self) -> None:
        PAUSES.add()
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._timers[1:] = [self._clock.later(_SWEEP, self._listen)]

    def opened(self, connection: Connection) -> None:
        """A connection is there."""
        self._connections.add(connection)
        StreamPort._by_use[connection] = self
        if self._loop is None:   # it came in the moment that the port was closed
            connection.expire()

    def active(self, connection: Connection) -> None:
        """It brought a message: others make room before it does."""
        StreamPort._by_use.move_to_end(connection)

    def clogged(self, connection: Connection) -> None:
        """Its client does not read; of too many of those the first one has to go."""
        unread = StreamPort._unread
        unread[connection] = self
        if len(unread) > _CLOGGED:
            first = next(iter(unread))
            unread[first].refused(first, "unread")

    def cleared(self, connection: Connection) -> None:
        """Its client reads again."""
        StreamPort._unread.pop(connection, None)

    def refused(self, connection: Connection, reason: str) -> None:
        """Close it on its client, for this reason."""
        CLOSED.add(reason)
        self.closed(connection)
        connection.expire()

    def closed(self, connection: Connection) -> None:
        """It is gone, or as good as gone."""
        if connection in self._connections:
            StreamPort.open_connections -= 1
            self._connections.discard(connection)
            del StreamPort._by_use[connection]
            StreamPort._unread.pop(connection, None)

    @staticmethod
    def _make_room() -> bool:
        """Close the connection that has been idle longest, on whatever port, if one of the oldest is."""
        for connection, port in list(islice(StreamPort._by_use.items(), _OLDEST)):
            if connection.idle:
                port.refused(connection, "room")
                return True
        return False

    def _sweep(self) -> None:
        """Close the connections that have been given their time."""
        now = self.now()
        for connection in [c for c in self._connections if c.deadline < now and (c.clogged or not c.pending)]:
            self.refused(connection, "unread" if connection.clogged else "time")

    @property
    def pending(self) -> int:
        """Connections with something on its way to the client."""
        return sum(not connection.idle for connection in self._connections)

    def drain(self) -> None:
        """Accept no more; connections are closed when what they have asked is answered."""
        self._stop_listening()
        for connection in list(self._connections):
            connection.shut()

    def _stop_listening(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._socket.close()   # or the kernel would go on to make connections

    def close(self) -> None:
        """Give the port back, and close what is still open."""
        self._stop_listening()
        for timer in self._timers:
            timer.cancel()
        for connection in list(self._connections):
            connection.expire()


SETTLE.append(DatagramPort.settle)
SETTLE.append(lambda: CONNECTIONS.set(StreamPort.open_connections))

Port = DatagramPort | StreamPort


def open_port(bound: socket.socket, listener: Listener, clock: Clock, *, server: str) -> Port:
    """The port for a bound socket, of its kind."""
    kind = DatagramPort if bound.type == socket.SOCK_DGRAM else StreamPort
    return kind(bound, listener, clock, server=server)
