"""The client side: questions to other servers, for plugins that ask some.

    upstream = connect(Target(Address.of("192.0.2.1", 53)), Options(), clock)
    upstream.over_udp(wire, waiter)

sends the query `wire` under a fresh, unpredictable id; later, and once, `waiter.take(reply)` or `waiter.failed(error)`
is called, with no task or future in between. `ask()` is the same for coroutines. Where the reply has to match the
question, `match(question, reply)` says whether it does.

Laws of this package: ids and ports cannot be guessed; a message that is not the reply does not end the wait for it;
sockets are bounded over all upstreams together; time comes from a Clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from corepy.upstream.ask import ask, ask_any, look_up
from corepy.upstream.ask import look_up_by_system as look_up_for_real
from corepy.upstream.base import RESOLUTION, Ask, Connect, Options, Target, Upstream, Waiter
from corepy.upstream.dice import draw
from corepy.upstream.health import Check, Watched
from corepy.upstream.match import match
from corepy.upstream.plain import PlainUpstream
from corepy.upstream.targets import Host, read_targets
from corepy.upstream.tls import client_context

if TYPE_CHECKING:
    from corepy.address import Address
    from corepy.clock import Clock


def missing(kind: str) -> str:
    """The extra of corepy without which there are no upstreams of this kind; empty where nothing is missing."""
    return kind if kind in ("https", "grpc") and find_spec("h2") is None else ""


def connect_by_kind(target: Target, options: Options, clock: Clock) -> Upstream:
    """The upstream at `target`, a true one, whatever stands in its place."""
    if target.kind == "https":
        from corepy.upstream.https import HttpsUpstream  # noqa: PLC0415 - what it needs is an extra

        return HttpsUpstream(target, options, clock)
    if target.kind == "grpc":
        from corepy.upstream.grpc import GrpcUpstream  # noqa: PLC0415 - likewise

        return GrpcUpstream(target, options, clock)
    return PlainUpstream(target, options, clock)


LookUp = Callable[[str], Awaitable[list["Address"]]]
"""What finds the addresses of a host, port 0. Raises Failure."""

_ways: list[tuple[Connect, LookUp]] = [(connect_by_kind, look_up_for_real)]


def connect(target: Target, options: Options, clock: Clock) -> Upstream:
    """The upstream at `target`; no packet is sent before it is asked. A test may have put fakes in its place."""
    return _ways[-1][0](target, options, clock)


async def look_up_by_system(name: str) -> list[Address]:
    """The addresses of a host, port 0, as this machine knows them. Raises Failure."""
    return await _ways[-1][1](name)


@contextmanager
def replaced(fake: Connect, names: LookUp | None = None) -> Iterator[None]:
    """Within this context every upstream of every Corefile is what `fake` makes, and no packet leaves for one.

    With `names`, the system is not asked for addresses of upstreams either.
    """
    ways = fake, names or _ways[-1][1]
    _ways.append(ways)
    try:
        yield
    finally:
        _ways.remove(ways)


__all__ = [
    "RESOLUTION", "Ask", "Check", "Connect", "Host", "Options", "Target", "Upstream", "Waiter", "Watched", "ask",
    "ask_any", "client_context", "connect", "connect_by_kind", "draw", "look_up", "look_up_by_system", "match",
    "missing", "read_targets", "replaced",
]  # fmt: skip
