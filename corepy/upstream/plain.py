"""Upstreams that speak the DNS's own protocol: over UDP and TCP, or over TLS (RFC 1035 4.2, RFC 7858)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepy.upstream.budget import BUDGET, Budget
from corepy.upstream.connections import ConnectionPool
from corepy.upstream.datagram import DatagramPool
from corepy.upstream.framed import FramedConnection

if TYPE_CHECKING:
    from corepy.clock import Clock
    from corepy.upstream.base import Ask, Options, Target


class PlainUpstream:
    """UDP for clients on UDP, TCP for clients on TCP; for a target of kind `tls`, TLS for all.

    Needs a running event loop from the first question on.
    """

    def __init__(self, target: Target, options: Options, clock: Clock, budget: Budget = BUDGET) -> None:
        self.name = str(target)
        self._connections = ConnectionPool(target, options, clock, budget, FramedConnection)
        self._datagrams = DatagramPool(target.address, options, clock, budget)
        self.over_tcp: Ask = self._connections.ask
        self.over_udp: Ask = self.over_tcp if target.kind == "tls" else self._datagrams.ask

    @property
    def strays(self) -> int:
        """Messages that were no reply to anything asked."""
        return self._connections.strays + self._datagrams.strays

    def close(self) -> None:
        """Close all sockets; who still waits is told of a failure."""
        self._datagrams.close()
        self._connections.close()
