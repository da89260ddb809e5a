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

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from corepy.upstream.ask import ask, look_up, look_up_by_system
from corepy.upstream.base import RESOLUTION, Ask, Connect, Options, Target, Upstream, Waiter
from corepy.upstream.dice import draw
from corepy.upstream.health import Check, Watched
from corepy.upstream.match import match
from corepy.upstream.plain import PlainUpstream
from corepy.upstream.targets import Host, read_targets
from corepy.upstream.tls import client_context

if TYPE_CHECKING:
    from corepy.clock import Clock


def missing(kind: str) -> str:
    """The extra of corepy without which there are no upstreams of this kind; empty where nothing is missing."""
    return "https" if kind == "https" and find_spec("h2") is None else ""


def _by_kind(target: Target, options: Options, clock: Clock) -> Upstream:
    if target.kind == "https":
        from corepy.upstream.https import HttpsUpstream  # noqa: PLC0415 - what it needs is an extra

        return HttpsUpstream(target, options, clock)
    return PlainUpstream(target, options, clock)


_connect: list[Connect] = [_by_kind]


def connect(target: Target, options: Options, clock: Clock) -> Upstream:
    """The upstream at `target`; no packet is sent before it is asked. A test may have put fakes in its place."""
    return _connect[-1](target, options, clock)


@contextmanager
def replaced(fake: Connect) -> Iterator[None]:
    """Within this context every upstream of every Corefile is what `fake` makes, and no packet leaves for one."""
    _connect.append(fake)
    try:
        yield
    finally:
        _connect.remove(fake)


__all__ = [
    "RESOLUTION", "Ask", "Check", "Connect", "Host", "Options", "Target", "Upstream", "Waiter", "Watched", "ask",
    "client_context", "connect", "draw", "look_up", "look_up_by_system", "match", "missing", "read_targets", "replaced",
]  # fmt: skip
