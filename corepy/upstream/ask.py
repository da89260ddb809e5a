"""Questions to upstreams for those who can wait: coroutines, and the start of the server."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.errors import Failure, Malformed
from corepy.upstream.match import match

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepy.clock import Clock
    from corepy.upstream.base import Ask, Upstream


class _Waiter:
    """A waiter with a future for its reply, which has to match a question where there is one."""

    def __init__(self, due: float, question: bytes = b"") -> None:
        self.due = due
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._question = question

    def take(self, wire: bytes) -> bool:
        """The reply, if it matches."""
        reply = match(self._question, wire) if self._question else wire
        if reply is not None and not self.reply.done():
            self.reply.set_result(reply)
        return reply is not None

    def failed(self, error: Failure) -> None:
        """There will be none."""
        if not self.reply.done():
            self.reply.set_exception(error)


async def ask(over: Ask, wire: bytes, clock: Clock, timeout: float = 2.0) -> bytes:  # noqa: ASYNC109 - on our clock
    """The reply to a query over `upstream.over_udp` or `upstream.over_tcp`; its id is not that of the query.

    Raises Failure where there is none in time, in seconds.
    """
    waiter = _Waiter(clock.now() + timeout, wire[12 : w.question_end(wire)])
    over(wire, waiter)
    return await waiter.reply


async def ask_any(over: Ask, wire: bytes, due: float) -> bytes:
    """Whatever an upstream says to a query, which may be garbled: for transports on which nobody else can speak.

    Raises Failure where nothing comes before `due`, on the clock of the upstream.
    """
    waiter = _Waiter(due)
    over(wire, waiter)
    return await waiter.reply


async def look_up(name: str, resolvers: Iterable[Upstream], clock: Clock) -> list[Address]:
    """The IPv4 and IPv6 addresses of a host, port 0, from the first resolver that knows some.

    Raises Failure where none does.
    """
    why = "no addresses found"
    for resolver in resolvers:
        found: list[Address] = []
        for rtype in (codes.A, codes.AAAA):
            head = w.HEADER.pack(0, w.RD, 1, 0, 0, 0)
            question = head + w.encode_name(name) + w.QUESTION.pack(rtype, codes.IN)
            try:
                found += _addresses(await ask(resolver.over_udp, question, clock), rtype)
            except (Failure, Malformed) as error:
                why = str(error)
                break
        if found:
            return found
    raise Failure(why)


def _addresses(reply: bytes, rtype: int) -> list[Address]:
    """The addresses in the answer; those of aliases are there as well."""
    return [
        Address.of_ipv6(reply[record.data : record.end], 0)
        for record in w.records(reply)
        if record.section == w.ANSWER and record.rtype == rtype and record.end - record.data in (4, 16)
    ]


async def look_up_by_system(name: str) -> list[Address]:
    """The addresses of a host, port 0, as this machine knows them. Raises Failure."""
    try:
        info = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise Failure(str(error)) from None
    return [Address.of(str(entry[4][0]), 0) for entry in info]
