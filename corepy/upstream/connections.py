"""Questions over TCP and TLS: kept connections, several questions on each if need be (RFC 7766 6.2).

A question takes a connection on which nobody waits, else a new one; when there are as many as there may be, it joins
those on the connection with the fewest. Replies come in any order. A kept connection that the upstream has closed
in the meantime is no failure: whoever waited on it asks again on a fresh one.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final

from corepy.address import Address
from corepy.errors import Failure
from corepy.stream import Framer, frame
from corepy.upstream.base import CLOSED, MAX_PENDING, Waiter, reason, too_many
from corepy.upstream.dice import TOKENS, refill
from corepy.upstream.pool import SWEEPS, Pool

if TYPE_CHECKING:
    from corepy.clock import Clock, Timer
    from corepy.upstream.base import Options, Target
    from corepy.upstream.budget import Budget

CONNECTIONS: Final = 64
"""Connections to one upstream. Servers that answer a connection's questions in turn hold up who shares one, so it is
not few; and a server that allows a client 64 is easily found."""
_CONNECT_TIMEOUT: Final = 5.0
"""Seconds until a connection has to stand: no query waits longer in all."""
_UNSENT: Final = 1 << 18
"""Octets that may wait for an upstream to read them before nothing more is asked there: four of the largest queries."""


class Connection(asyncio.Protocol):
    """One connection, who waits on it, and what is to be sent once it stands."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.pending: dict[bytes, tuple[Waiter, bytes]] = {}
        """By message id: who waits, and the question, to ask it again elsewhere."""
        self.created = pool.clock.now()
        self.used = self.created
        self.epoch = 0
        self._proven = False  # a reply has come this way, so a sudden end means that it was kept for too long
        self._framer = Framer()
        self._queue: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._names = f"->{pool.remote}"
        self._task: asyncio.Task[Any] | None = None

    def open(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        pool = self.pool
        timer: Timer = pool.clock.later(_CONNECT_TIMEOUT, self._too_slow)
        source = pool.options.source
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self,
                pool.remote.host,
                pool.remote.port,
                ssl=pool.tls,
                server_hostname=pool.server_name,
                local_addr=(source.host, 0) if source else None,
            )
        except ssl.SSLError as error:
            self._give_up(f"tls: {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError)
                          else f"tls: {reason(error)}")  # fmt: skip
        except OSError as error:
            self._give_up(f"connect: {reason(error)}")
        finally:
            timer.cancel()

    def _give_up(self, why: str) -> None:
        """It cannot be connected."""
        self._end(Failure(f"dial tcp {self.pool.remote}: {why}"))

    def _too_slow(self) -> None:
        self._give_up("i/o timeout")
        if self._task is not None:
            self._task.cancel()

    @property
    def clogged(self) -> bool:
        """Whether the upstream does not read what it is asked."""
        return self._transport is not None and self._transport.get_write_buffer_size() > _UNSENT

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

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands: send what has been asked meanwhile."""
        self._transport = transport  # type: ignore[assignment]  # a stream connection makes these
        local = Address.from_tuple(transport.get_extra_info("sockname"))
        self._names = f"{local}->{self.pool.remote}"
        if self not in self.pool.connections:  # too late
            transport.close()
            return
        self._transport.writelines(self._queue)  # type: ignore[union-attr]  # just set
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """Hand out the replies that are complete."""
        for wire in self._framer.feed(data):
            entry = self.pending.pop(wire[:2], None)
            if entry is None:
                self.pool.strays += 1
                continue
            self.pool.pending -= 1
            if entry[0].take(wire):
                self._proven = True
                continue
            self.pending[wire[:2]] = entry
            self.pool.pending += 1
            self.pool.strays += 1
        if not self.pending:
            self.pool.unused(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The upstream has closed it, or the network."""
        why = reason(error) if isinstance(error, OSError) else "EOF"
        self._end(Failure(f"read tcp {self._names}: {why}"))

    def close(self) -> None:
        """Close it; who still waits on it hears so."""
        if self._transport is not None:
            self._transport.close()
        elif self._task is not None:
            self._task.cancel()
        self._proven = False
        self._end(Failure(f"read tcp {self._names}: {CLOSED}"))

    def _end(self, error: Failure) -> None:
        """No reply comes this way any more."""
        waiting, self.pending = self.pending, {}
        pool = self.pool
        pool.pending -= len(waiting)
        pool.forget(self)
        for waiter, wire in waiting.values():
            if self._proven:
                pool.ask_fresh(wire, waiter)
            else:
                pool.later(waiter, error)

    def expire(self, now: float) -> None:
        """Tell the waiters whose time is over; after that, nobody else should ask a server that is silent."""
        over = [message_id for message_id, (waiter, _) in self.pending.items() if waiter.due <= now]
        waiters = [self.pending.pop(message_id)[0] for message_id in over]
        self.pool.pending -= len(over)
        if over and self._transport is not None:  # one that takes long to connect may yet serve others
            self.pool.retire(self)
        for waiter in waiters:
            waiter.failed(Failure(f"read tcp {self._names}: i/o timeout"))


class ConnectionPool(Pool):
    """The connections to one upstream."""

    def __init__(self, target: Target, options: Options, clock: Clock, budget: Budget) -> None:
        super().__init__(target.address, options, clock, budget)
        self.tls = options.tls if target.kind == "tls" else None
        self.server_name = (target.server_name or target.address.host) if self.tls else None
        self.connections: dict[Connection, bool] = {}
        """In the order of their opening; True for those that take further questions."""

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question over a connection (see `base.Ask`)."""
        if self.pending >= MAX_PENDING:
            self.later(waiter, too_many(str(self.remote)))
        else:
            self._ask(self._pick(), wire, waiter)

    def ask_fresh(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question over a connection that did not exist before, if there may be one more."""
        self._ask(self._open() or self._pick(), wire, waiter)

    def _ask(self, connection: Connection | None, wire: bytes, waiter: Waiter) -> None:
        if connection is None:
            self.later(waiter, Failure(f"dial tcp {self.remote}: {CLOSED if self.closed else 'no connection is free'}"))
            return
        connection.used = self.clock.now()
        connection.epoch = self.epoch
        connection.ask(wire, waiter)
        self.pending += 1
        if self.watching is None:
            self.watch()

    def _pick(self) -> Connection | None:
        """A connection on which nobody waits, else a new one, else the one with the fewest waiters."""
        now, options = self.clock.now(), self.options
        best = None
        for connection, open_to_all in list(self.connections.items()):
            if not open_to_all or connection.clogged:
                continue
            too_old = options.max_age and connection.created < now - options.max_age
            if too_old or (not connection.pending and connection.used < now - options.expire):
                self.retire(connection)
            elif best is None or len(connection.pending) < len(best.pending):
                best = connection
        if best is None or best.pending:
            return self._open() or best
        return best

    def _open(self) -> Connection | None:
        """A new connection; None where there may be no more. One there may always be."""
        full = len(self.connections) >= CONNECTIONS or self.budget.used >= self.budget.limit
        if self.closed or (full and self.connections):
            return None
        connection = Connection(self)
        self.connections[connection] = True
        self.budget.used += 1
        connection.open()
        self.keep_house()
        return connection

    def unused(self, connection: Connection) -> None:
        """Nobody waits on it any more: close it where it has had its time, or where enough others are kept."""
        options = self.options
        kept = sum(not other.pending for other in self.connections)
        surplus = not options.expire or (options.max_idle and kept > options.max_idle)
        if surplus or not self.connections.get(connection):
            connection.close()

    def retire(self, connection: Connection) -> None:
        """No more questions this way; closed as soon as nobody waits on it."""
        self.connections[connection] = False
        if not connection.pending:
            connection.close()

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        if self.connections.pop(connection, None) is not None:
            self.budget.give()

    def expire(self, now: float) -> None:
        """Tell the waiters whose time is over."""
        for connection in list(self.connections):
            connection.expire(now)

    def sweep(self, now: float) -> bool:
        """Close connections without use; those that are too old take no further questions."""
        oldest = now - self.options.max_age if self.options.max_age else float("-inf")
        for connection in list(self.connections):
            if connection.created < oldest or (not connection.pending and connection.epoch < self.epoch - SWEEPS):
                self.retire(connection)
        return bool(self.connections)

    def close(self) -> None:
        """Close all connections; who still waits hears so."""
        super().close()
        for connection in list(self.connections):
            connection.close()
