"""One connection to an upstream, whatever is spoken on it: how it begins, who waits on it, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from corepy import codes
from corepy.address import Address
from corepy.errors import Failure
from corepy.upstream.base import CLOSED, Waiter, reason

if TYPE_CHECKING:
    from corepy.clock import Timer
    from corepy.upstream.connections import ConnectionPool

K = TypeVar("K")
"""What a reply is known by: a message id, a stream."""
_CONNECT_TIMEOUT: Final = 5.0
"""Seconds until a connection has to stand: no query waits longer in all."""
_UNSENT: Final = 1 << 18
"""Octets that may wait for an upstream to read them before nothing more is asked there: four of the largest queries."""


class Connection(asyncio.Protocol, Generic[K]):
    """One connection and who waits on it. A kind of its own says how questions and replies look (`framed`, `http2`)."""

    most: ClassVar[int]
    """Connections of this kind to one upstream."""
    shared: ClassVar[bool]
    """Whether a question joins others as long as there is room, instead of taking a connection of its own."""
    alpn: ClassVar[str] = ""
    """The protocol that TLS has to agree on (RFC 7301); any where empty."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.pending: dict[K, tuple[Waiter, bytes]] = {}
        """Who waits, and the question, to ask it again elsewhere."""
        self.created = pool.clock.now()
        self.used = self.created
        self.epoch = 0
        self._proven = False  # a reply has come this way, so a sudden end means that it was kept for too long
        self._transport: asyncio.Transport | None = None
        self._names = f"->{pool.remote}"
        self._task: asyncio.Task[Any] | None = None

    # --- what each kind has its own way of ---

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question; before the connection stands, keep it for `flush`."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send what was kept."""
        raise NotImplementedError

    def abandon(self, keys: list[K]) -> None:
        """Nobody waits for these replies any more, since they took too long."""
        raise NotImplementedError

    # --- the beginning ---

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
            self._give_up(reason(error))
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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands: send what has been asked meanwhile."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream connection makes these
        self._transport = transport
        local = Address.from_tuple(transport.get_extra_info("sockname"))
        self._names = f"{local}->{self.pool.remote}"
        tls = transport.get_extra_info("ssl_object")
        if self.alpn and tls is not None and tls.selected_alpn_protocol() != self.alpn:
            self._give_up(f"tls: the server does not speak {self.alpn}")
        if self in self.pool.connections:
            self.flush()
        else:  # too late, or of no use
            transport.close()

    # --- the end ---

    @property
    def full(self) -> bool:
        """Whether no further question goes this way for now: the upstream does not read what it is asked."""
        return self._transport is not None and self._transport.get_write_buffer_size() > _UNSENT

    def connection_lost(self, error: Exception | None) -> None:
        """The upstream has closed it, or the network."""
        self._fail(reason(error) if isinstance(error, OSError) else "EOF")

    def close(self) -> None:
        """Close it; who still waits on it hears so."""
        if self._transport is not None:
            self._transport.close()
        elif self._task is not None:
            self._task.cancel()
        self._proven = False
        self._fail(CLOSED)

    def _fail(self, why: str) -> None:
        """It is of no more use, though it was."""
        self._end(self._failure(why))

    def _failure(self, why: str, rcode: int = codes.SERVFAIL) -> Failure:
        return Failure(f"read tcp {self._names}: {why}", rcode)

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
        """Tell the waiters whose time is over."""
        over = [key for key, (waiter, _) in self.pending.items() if waiter.due <= now]
        if not over:
            return
        waiters = [self.pending.pop(key)[0] for key in over]
        self.pool.pending -= len(over)
        self.abandon(over)
        for waiter in waiters:
            waiter.failed(self._failure("i/o timeout"))
