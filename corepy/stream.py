"""DNS over TCP: messages in a stream of bytes, and the connections that carry them.

`Framer` is the protocol without any I/O (RFC 1035 4.2.2: each message behind its length in two octets). `Connection`
puts it on asyncio: queries are answered as they are ready, a fast one overtakes a slow one (RFC 7766 6.2.1.1), and
what a read brought is written at once. A connection that is idle, too slow with a message or does not read
its replies is closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from corepy.address import Address
from corepy.endpoint import Endpoint
from corepy.errors import Malformed
from corepy.finish import error_reply, further
from corepy.metrics import Counter
from corepy.query import Query
from corepy.reply import Reply

if TYPE_CHECKING:
    from corepy.listener import Listener, StreamDoor

MAX_PENDING: Final = 1000
"""Queries of one connection that may be unanswered at a time; reading pauses above. As many as a stub ever has in
flight, and 1,000 times 64 KiB is what a hostile client could make us hold."""
_READING: Final = memoryview(bytearray(16 * 1024))
"""What is read in one go: some 500 queries, 3 ms of work, after which others have their turn."""
WRITE_BUFFER: Final = 256 * 1024
"""Octets of replies that wait for a client to read them before its queries have to wait: four of the largest."""
MAX_UNREAD: Final = 1 << 20
"""Octets of replies that wait for a client at the most. Only what it had asked before it stopped to read can get there;
it is then closed, since it has left as much unread as the kernel holds for it besides."""
_PIECE: Final = 64 * 1024
"""Octets of replies that are made in one go, after which others have their turn: one of the largest."""
HELD_BACK: Final = Counter(
    "corepy_tcp_held_back_total", "Times that a client's next queries had to wait.", ("reason",)
)


class Framer:
    """Bytes in, messages out. Holds no more than one unfinished message."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def unfinished(self) -> bool:
        """Whether part of a message is waiting for its rest."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with these bytes; empty ones are left out."""
        data = self._buffer + data if self._buffer else data
        messages, at, end = [], 0, len(data)
        while end - at >= 2:
            behind = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if behind > end:
                break
            if behind - at > 2:
                messages.append(data[at + 2 : behind])
            at = behind
        self._buffer = data[at:]
        return messages


def frame(message: bytes) -> bytes:
    """The message behind its length."""
    return len(message).to_bytes(2, "big") + message


class Slot(Protocol):
    """Where a connection finds what it needs of the server: one for each listening socket."""

    listener: Listener
    endpoint: Endpoint

    def opened(self, connection: Connection) -> None:
        """A connection is there."""

    def active(self, connection: Connection) -> None:
        """It brought a message."""

    def clogged(self, connection: Connection) -> None:
        """Its client does not read."""

    def cleared(self, connection: Connection) -> None:
        """Its client reads again."""

    def refused(self, connection: Connection, reason: str) -> None:
        """It is closed because its client has asked for too much of something."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""

    def now(self) -> float:
        """Monotonic seconds."""


class Connection(asyncio.BufferedProtocol):
    """One client on a stream, from its PROXY header, where one is due, to its last reply."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.deadline = 0.0
        """When this connection is closed unless something happens: kept here, looked at by the server."""
        self.pending = 0
        self._queries = 0
        self._framer = Framer()
        self._door: StreamDoor | None = None
        self._finished = False   # nothing more is read: the client has said all it may or wants to
        self._held = False       # reading is paused
        self.clogged = False     # the client does not read
        self._outbox: list[bytes] = []
        self._octets = 0         # in the outbox
        self._backlog: list[bytes] = []   # queries that have come, and whose turn it is not yet
        self._rests: list[Iterator[bytes]] = []   # of replies with more messages, until the client reads again

    # --- asyncio.BufferedProtocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream server makes these
        self.slot.opened(self)
        self.transport.set_write_buffer_limits(WRITE_BUFFER)
        self.peer = self._address("peername")
        self.local = self._address("sockname")
        self.client = self.peer
        self.deadline = self.slot.now() + self.slot.listener.timeouts.read
        door = self.slot.listener.door
        self._door = door.stream() if door else None

    def get_buffer(self, _size: int) -> memoryview:
        """Where the next octets go: one place for all connections, since what comes is used up at once."""
        return _READING

    def buffer_updated(self, size: int) -> None:
        """They are there."""
        self.data_received(bytes(_READING[:size]))

    def data_received(self, data: bytes) -> None:
        """Bytes came: the PROXY header first, where one is due, then messages."""
        if self._door is not None:
            data = self._through_door(self._door, data)
        messages = self._framer.feed(data) if data else []
        if not messages:
            return
        most = self.slot.listener.timeouts.max_queries
        if most:
            messages = messages[: most - self._queries]
        self._queries += len(messages)
        self.deadline = self.slot.now() + self.slot.listener.timeouts.idle
        self.slot.active(self)
        self._work(messages)
        if most and self._queries >= most:
            self.shut()
        else:
            self._hold_or_go_on()

    def eof_received(self) -> bool:
        """The client sends no more; it still gets its replies."""
        self._finished = True
        return self.pending > 0 or bool(self._backlog)

    def pause_writing(self) -> None:
        """The client does not read: it may not ask more until it does, and has a time for it."""
        self.clogged = True
        HELD_BACK.add("unread")
        self.deadline = self.slot.now() + self.slot.listener.timeouts.write
        self.slot.clogged(self)
        self._hold_or_go_on()

    def resume_writing(self) -> None:
        """It reads again."""
        self.clogged = False
        self.deadline = self.slot.now() + self.slot.listener.timeouts.idle
        self.slot.cleared(self)
        rests, self._rests = self._rests, []
        for rest in rests:
            self._go_on(rest)
        self._work_on()

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone; replies that still come have nowhere to go."""
        self._backlog.clear()
        self.slot.closed(self)

    # --- a query's way ---

    def _through_door(self, door: StreamDoor, data: bytes) -> bytes:
        """The bytes behind the PROXY header, as far as they are there; closes where the door says so."""
        admitted = door.feed(data, self.peer, self.slot.now())
        if admitted is None:
            return b""
        if admitted is False:
            self.transport.abort()
            return b""
        self._door = None
        rest, client = admitted
        self.client = client or self.peer
        return rest

    def _work(self, messages: list[bytes]) -> None:
        """Answer messages, a piece of replies in a round of the loop, as long as the client reads them."""
        for at, message in enumerate(messages, 1):
            self._receive(message)
            if self._octets > _PIECE:
                self._backlog = messages[at:]
                break
        self._flush()
        if self._backlog and not self.clogged:
            asyncio.get_running_loop().call_soon(self._work_on)

    def _work_on(self) -> None:
        """It is their turn again."""
        if not self.clogged and not self.transport.is_closing():
            backlog, self._backlog = self._backlog, []
            self._work(backlog)
            self._hold_or_go_on()
            self._close_if_done()

    def _receive(self, message: bytes) -> None:
        slot = self.slot
        try:
            query = Query(message, slot.endpoint, self.client, self.local)
        except Malformed as error:
            if error.rcode is not None:
                self._outbox.append(error_reply(message, error.rcode, error.question))
            return
        outcome = slot.listener.answer(query)
        if type(outcome) is Reply:
            self._put(query, outcome)
        else:
            self.pending += 1
            outcome.then(lambda reply: self._late(query, reply))

    def _late(self, query: Query, reply: Reply) -> Reply:
        """A reply that took its time."""
        if self.transport.is_closing():
            self.pending -= 1
        else:
            self._put(query, reply)
            self._flush()
            self._done()
            if self.clogged and self.transport.get_write_buffer_size() > MAX_UNREAD:
                self.slot.refused(self, "unread")
        return reply

    def _done(self) -> None:
        """One reply more is complete."""
        self.pending -= 1
        if not self.clogged:
            self.deadline = self.slot.now() + self.slot.listener.timeouts.idle
        self._hold_or_go_on()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._finished and not self.pending and not self._backlog:
            self.transport.close()

    def _put(self, query: Query, reply: Reply) -> None:
        if wire := self.slot.listener.seal(query, reply):
            self._outbox.append(wire)
            self._octets += len(wire)
            if reply.more:
                self.pending += 1
                asyncio.get_running_loop().call_soon(self._go_on, further(query, reply))

    def _go_on(self, rest: Iterator[bytes]) -> None:
        """Send the next message of a reply that has several: one in a round of the loop, so that others have theirs."""
        if self.transport.is_closing():
            return
        if self.clogged:
            self._rests.append(rest)
            return
        try:
            message = next(rest, b"")
        except BaseException:
            self.transport.abort()   # the client must not take what it has for all
            raise
        if not message:
            self._done()
            return
        self.transport.write(frame(message))
        self.deadline = self.slot.now() + self.slot.listener.timeouts.idle
        asyncio.get_running_loop().call_soon(self._go_on, rest)

    def _flush(self) -> None:
        if self._outbox:
            self.transport.write(b"".join([frame(message) for message in self._outbox]))
            self._outbox.clear()
            self._octets = 0

    def _hold_or_go_on(self) -> None:
        """Read on as long as this client neither has too much unanswered nor too much unread."""
        full = self.pending > MAX_PENDING
        hold = self._finished or self.clogged or full or bool(self._backlog)
        if hold != self._held and not self.transport.is_closing():
            if full:
                HELD_BACK.add("unanswered")
            self._held = hold
            (self.transport.pause_reading if hold else self.transport.resume_reading)()

    @property
    def idle(self) -> bool:
        """Whether closing this connection loses nobody a reply."""
        return not self.pending and not self._backlog and not self.transport.get_write_buffer_size()

    def expire(self) -> None:
        """The deadline has passed."""
        self.transport.abort()

    def shut(self) -> None:
        """Nothing more is read, what is pending is answered, then the connection is closed."""
        if self.pending or self._backlog:
            self._finished = True
            self._hold_or_go_on()
        else:
            self.transport.close()

    def _address(self, which: str) -> Address:
        name = self.transport.get_extra_info(which) or ("0.0.0.0", 0)
        return Address.of(*name[:2])


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises OSError where it cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    info = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)   # as for datagrams
        sock.bind(info[4])
        sock.listen(1024)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


__all__ = ["Connection", "Framer", "frame", "listen"]
