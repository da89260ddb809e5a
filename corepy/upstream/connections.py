"""The connections to one upstream, over TCP, TLS or HTTP/2: kept, shared if need be (RFC 7766 6.2), and bounded.

A question takes a connection on which nobody waits, else a new one; when there are as many as there may be, it joins
those on the connection with the fewest. Where sharing costs nothing it joins them at once. A kept connection that the
upstream has closed in the meantime is no failure: whoever waited on it asks again on a fresh one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from corepy.errors import Failure
from corepy.upstream.base import CLOSED, MAX_PENDING, Waiter
from corepy.upstream.pool import SWEEPS, Pool

if TYPE_CHECKING:
    from corepy.clock import Clock
    from corepy.upstream.base import Options, Target
    from corepy.upstream.budget import Budget
    from corepy.upstream.connection import Connection


_PROTO: Final = {"dns": "tcp", "tls": "tcp-tls"}
"""What metrics call it (CoreDNS's words)."""


class ConnectionPool(Pool):
    """The connections to one upstream."""

    def __init__(
        self, target: Target, options: Options, clock: Clock, budget: Budget, kind: type[Connection[Any]]
    ) -> None:
        super().__init__(target.address, options, clock, budget, _PROTO.get(target.kind, target.kind))
        self.target = target
        self.tls = {"tls": options.tls, "https": options.https, "grpc": options.grpc}.get(target.kind)
        self.server_name = (target.server_name or target.address.host) if self.tls else None
        self._kind = kind
        self._opened = 0
        self.connections: dict[Connection[Any], bool] = {}
        """In the order of their opening; True for those that take further questions."""

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question over a connection (see `base.Ask`)."""
        if self.pending >= MAX_PENDING:
            self.refuse(waiter)
        else:
            before = self._opened
            connection = self._pick()
            self.count(fresh=self._opened > before)
            self._ask(connection, wire, waiter)

    def ask_fresh(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question over a connection that did not exist before, if there may be one more."""
        self._ask(self._open() or self._pick(), wire, waiter)

    def _ask(self, connection: Connection[Any] | None, wire: bytes, waiter: Waiter) -> None:
        if connection is None:
            self.later(waiter, Failure(f"dial tcp {self.remote}: {CLOSED if self.closed else 'no connection is free'}"))
            return
        connection.used = self.clock.now()
        connection.epoch = self.epoch
        connection.ask(wire, waiter)
        self.pending += 1
        if self.watching is None:
            self.watch()

    def _pick(self) -> Connection[Any] | None:
        """The connection on which the fewest wait; a new one where they would get in the way of each other."""
        now, options = self.clock.now(), self.options
        best = None
        for connection, open_to_all in list(self.connections.items()):
            if not open_to_all or connection.full:
                continue
            too_old = options.max_age and connection.created < now - options.max_age
            if too_old or (not connection.pending and connection.used < now - options.expire):
                self.retire(connection)
            elif best is None or len(connection.pending) < len(best.pending):
                best = connection
        if best is None or (best.pending and not best.shared):
            return self._open() or best
        return best

    def _open(self) -> Connection[Any] | None:
        """A new connection; None where there may be no more. One there may always be."""
        full = len(self.connections) >= self._kind.most or self.budget.used >= self.budget.limit
        if self.closed or (full and self.connections):
            return None
        connection = self._kind(self)
        self.connections[connection] = True
        self._opened += 1
        self.budget.used += 1
        connection.open()
        self.keep_house()
        return connection

    def unused(self, connection: Connection[Any]) -> None:
        """Nobody waits on it any more: close it where it has had its time, or where enough others are kept."""
        options = self.options
        kept = sum(not other.pending for other in self.connections)
        surplus = not options.expire or (options.max_idle and kept > options.max_idle)
        if surplus or not self.connections.get(connection):
            connection.close()

    def retire(self, connection: Connection[Any]) -> None:
        """No more questions this way; closed as soon as nobody waits on it."""
        self.connections[connection] = False
        if not connection.pending:
            connection.close()

    def forget(self, connection: Connection[Any]) -> None:
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
