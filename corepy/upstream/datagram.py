"""Questions over UDP: many connected sockets, one of which nobody can guess.

A forger has to guess the port as well as the id (RFC 5452 9.2), so each query leaves by a socket of its own until the
pool is full, and by one drawn at random afterwards. The sockets are connected: the kernel drops what comes from
elsewhere. They are in an epoll of their own, and only its descriptor is known to the event loop, whose handling of an
event would cost as much as receiving the reply.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
from typing import TYPE_CHECKING, Final

from corepy.address import Address
from corepy.errors import Failure
from corepy.metrics import Family
from corepy.upstream.base import CLOSED, MAX_PENDING, Waiter, reason
from corepy.upstream.dice import TOKENS, refill
from corepy.upstream.pool import SWEEPS, Pool

if TYPE_CHECKING:
    from corepy.clock import Clock
    from corepy.upstream.base import Options
    from corepy.upstream.budget import Budget

PORTS: Final = 1536
"""Sockets of a full pool: ten bits more to guess. 3,000 queries drawn from so many use 1,300 of them."""
_USES: Final = 2
"""Where descriptors are too few for a full pool: queries that a socket is good for, so that ports still change."""
_EVENTS: Final = 128
"""Replies read in one go, before the event loop has its turn: about half a millisecond of work."""
_ARRIVAL: Final = select.EPOLLIN | select.EPOLLET
"""Each arrival is reported once, for to look at each of a thousand sockets a second time costs the kernel dear.
So a socket is read until it is empty, or nobody waits for anything on it."""
_READS: Final = 16
"""Datagrams of one socket in a row, so that strays sent to it do not hold up the others."""
_SIZE: Final = 65535
"""Octets of the largest datagram (the buffer is the kernel's gift: only what came is copied)."""


class Channel:
    """One connected socket and who waits for a reply on it, by message id."""

    __slots__ = ("created", "epoch", "fd", "pending", "recv", "send", "sock", "uses")

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.send, self.recv = sock.send, sock.recv
        self.pending: dict[bytes, Waiter] = {}
        self.created = now
        self.epoch = self.uses = 0


class DatagramPool(Pool):
    """The UDP sockets to one upstream."""

    def __init__(self, remote: Address, options: Options, clock: Clock, budget: Budget) -> None:
        super().__init__(remote, options, clock, budget, "udp")
        self._channels: dict[int, Channel] = {}
        """All, by descriptor."""
        self._pool: list[Channel] = []
        """Those that new questions go to."""
        self._full = self._recycling = False
        self._keep: int | None = 0 if not options.expire else options.max_idle or None
        """Unused sockets that are kept; None for any number."""
        self._outbox: list[tuple[Channel, bytes]] = []
        """What is yet to be sent."""
        self._epoll: select.epoll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question under a fresh id from a socket drawn at random, in this round of the loop (`base.Ask`)."""
        if self.pending >= MAX_PENDING:
            self.refuse(waiter)
            return
        pool = self._pool
        message_id, number = (TOKENS or refill()).pop()
        try:
            # The ports go 42 times into 65,536: none is likelier than another by more than a 42nd.
            channel = pool[number % len(pool)] if self._full else self._open(number)
        except OSError as error:
            self.later(waiter, self._unsent(error))
            return
        while message_id in channel.pending:
            message_id, _ = (TOKENS or refill()).pop()
        if not self._outbox and self._loop is not None:
            self._loop.call_soon(self._flush)
        self._outbox.append((channel, message_id + wire[2:]))
        if Family.watched:
            self.count(fresh=not channel.uses)
        channel.pending[message_id] = waiter
        channel.epoch = self.epoch
        channel.uses += 1
        self.pending += 1
        if self.watching is None:
            self.watch()

    def _flush(self) -> None:
        """Send what was asked in this round of the loop.

        The kernel's code stays warm, and an upstream on this machine does not get our processor with each query.
        """
        outbox, self._outbox = self._outbox, []
        for channel, message in outbox:
            try:
                channel.send(message)
            except OSError as error:
                self._send_again(channel, message, error)

    def _send_again(self, channel: Channel, message: bytes, error: OSError) -> None:
        """Send once more where the error is an earlier query's: what ICMP says shows at the next call."""
        waiter = channel.pending.pop(message[:2], None)
        if waiter is None:   # it has been told of an end already
            return
        self.pending -= 1
        try:
            if error.errno in (errno.EAGAIN, errno.EMSGSIZE):
                raise error
            self._broken(channel, error)
            channel.send(message)
        except OSError as last:
            waiter.failed(self._unsent(last))
            return
        channel.pending[message[:2]] = waiter
        self.pending += 1

    def _unsent(self, error: OSError) -> Failure:
        return Failure(f"dial udp {self.remote}: {reason(error)}")

    def _open(self, number: int) -> Channel:
        """A new socket; where none is to be had, the one that the number draws. Raises OSError."""
        if self.closed:
            raise OSError(CLOSED)
        pool = self._pool
        if pool and self.budget.used >= self.budget.limit:  # each upstream may have one, whatever others have taken
            self._fill(full=True)
            return pool[number % len(pool)]
        sock = _connected(self.remote, self.options.source)
        self.budget.used += 1
        channel = Channel(sock, self.clock.now())
        if self._epoll is None:
            self._epoll = select.epoll()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._readable)
        self._epoll.register(channel.fd, _ARRIVAL)
        self._channels[channel.fd] = channel
        pool.append(channel)
        self._fill(full=len(pool) >= PORTS)
        self.keep_house()
        return channel

    def _fill(self, *, full: bool) -> None:
        """Say whether the pool is full, and so whether sockets have to make room for others after some use."""
        self._full = full
        self._recycling = self._keep is not None or (full and len(self._pool) < PORTS)

    def _readable(self) -> None:
        """Hand out the replies that have come. Whoever gets one may ask again at once."""
        channels, epoll = self._channels, self._epoll
        assert epoll is not None  # noqa: S101 - it has called us
        for fd, _ in epoll.poll(0, _EVENTS):
            channel = channels.get(fd)
            reads = 0
            while channel is not None:   # else somebody whom this loop has woken has closed it
                try:
                    wire = channel.recv(_SIZE)
                except BlockingIOError:
                    break
                except OSError as error:
                    self._broken(channel, error)
                    break
                message_id, pending = wire[:2], channel.pending
                waiter = pending.pop(message_id, None)
                if waiter is None:
                    self.stray()
                else:
                    self.pending -= 1
                    if not waiter.take(wire):
                        pending[message_id] = waiter
                        self.pending += 1
                        self.stray()
                if not channel.pending:
                    if self._recycling:
                        self._used(channel)
                    break
                reads += 1
                if reads == _READS:
                    epoll.modify(fd, _ARRIVAL)   # reports it again, when others have had their turn
                    break

    def _used(self, channel: Channel) -> None:
        """A socket has nothing more to wait for: close it where fewer are kept, or where ports are few."""
        few = self._full and channel.uses >= _USES
        surplus = self._keep is not None and len(self._channels) > self._keep
        if (few or surplus) and self._channels.get(channel.fd) is channel:
            self._close(channel)

    def _broken(self, channel: Channel, error: OSError) -> None:
        """The network has said that something sent by this socket did not arrive, but not what."""
        waiters, channel.pending = channel.pending, {}
        self.pending -= len(waiters)
        for waiter in waiters.values():
            self.later(waiter, self._failure("read", channel, f"read: {reason(error)}"))

    def expire(self, now: float) -> None:
        """Tell the waiters whose time is over."""
        for channel in list(self._channels.values()):
            if not channel.pending:
                continue
            over = [message_id for message_id, waiter in channel.pending.items() if waiter.due <= now]
            waiters = [channel.pending.pop(message_id) for message_id in over]
            self.pending -= len(over)
            for waiter in waiters:
                waiter.failed(self._failure("read", channel, "i/o timeout"))

    def sweep(self, now: float) -> bool:
        """Close sockets without use; those that are too old take no further questions."""
        oldest = now - self.options.max_age if self.options.max_age else float("-inf")
        unused = self.epoch - SWEEPS
        for channel in list(self._channels.values()):
            if not channel.pending and (channel.created <= oldest or channel.epoch < unused):
                self._forget(channel)
        self._pool = [channel for channel in self._channels.values() if channel.created > oldest]
        self._fill(full=len(self._pool) >= PORTS)
        return bool(self._channels)

    def _close(self, channel: Channel) -> None:
        self._forget(channel)
        if channel in self._pool:
            self._pool.remove(channel)
        self._fill(full=False)

    def _forget(self, channel: Channel) -> None:
        del self._channels[channel.fd]
        channel.sock.close()  # which takes it out of the epoll
        self.budget.give()

    def close(self) -> None:
        """Close all sockets; who still waits hears so."""
        super().close()
        for channel in list(self._channels.values()):
            self._broken(channel, OSError(CLOSED))
            self._forget(channel)
        self._pool.clear()
        self._fill(full=False)
        if self._epoll is not None and self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _failure(self, doing: str, channel: Channel, why: str) -> Failure:
        local = Address.from_tuple(channel.sock.getsockname())
        return Failure(f"{doing} udp {local}->{self.remote}: {why}")


def _connected(remote: Address, source: Address | None) -> socket.socket:
    """A UDP socket that hears of one address only; raises OSError."""
    family = socket.AF_INET if remote.family == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if source is not None:
            sock.bind(source.to_tuple())
        sock.connect(remote.to_tuple())
    except BaseException:
        sock.close()
        raise
    return sock
