"""The DNS's own protocol on a connection, TCP or TLS: messages behind their length (RFC 1035 4.2.2, RFC 7858).

Replies come in any order and are known by their id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from corepy.stream import Framer, frame
from corepy.upstream.connection import Connection
from corepy.upstream.dice import TOKENS, refill

if TYPE_CHECKING:
    from corepy.upstream.base import Waiter
    from corepy.upstream.connections import ConnectionPool


class FramedConnection(Connection[bytes]):
    """A connection with messages on it; those who wait are known by the id of their question."""

    most: ClassVar[int] = 64
    """Servers that answer a connection's questions in turn hold up who shares one, so it is not few; and a server that
    allows a client 64 is easily found."""
    shared: ClassVar[bool] = False

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(pool)
        self._framer = Framer()
        self._queue: list[bytes] = []

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question under an id that nobody on this connection has."""
        message_id, _ = (TOKENS or refill()).pop()
        while message_id in self.pending:
            message_id, _ = (TOKENS or refill()).pop()
        self.pending[message_id] = waiter, wire
        message = frame(message_id + wire[2:])
        if self._transport is None:
            self._queue.append(message)
        else:
            self._transport.write(message)

    def flush(self) -> None:
        """Send what was asked before the connection stood."""
        assert self._transport is not None  # noqa: S101 - now it stands
        self._transport.writelines(self._queue)
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """Hand out the replies that are complete."""
        for wire in self._framer.feed(data):
            entry = self.pending.pop(wire[:2], None)
            if entry is None:
                self.pool.stray()
                continue
            self.pool.pending -= 1
            if entry[0].take(wire):
                self._proven = True
                continue
            self.pending[wire[:2]] = entry
            self.pool.pending += 1
            self.pool.stray()
        if not self.pending:
            self.pool.unused(self)

    def abandon(self, keys: list[bytes]) -> None:  # noqa: ARG002 - whichever they are
        """Nobody else should ask a server that is silent; one that takes long to connect may yet serve others."""
        if self._transport is not None:
            self.pool.retire(self)
