"""Ask the server itself: for plugins that need the answer to another question, such as the target of a CNAME.

The question goes the whole way of one that has come in over the same listener from the same client: the site with the
longest zone, its chain, and a reply whatever happens. Only `finish` is left out, the reply does not leave the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NoReturn

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure
from corepy.query import Query
from corepy.reply import Outcome

if TYPE_CHECKING:
    from corepy.listener import Listener

Resolve = Callable[[bytes, int, Query], Outcome]
"""`resolve(name, qtype, query)`: a name in wire form, a type, and the query on whose behalf they are asked for."""

MAX_DEPTH: Final = 8
"""Questions that one question may lead to, each asked to answer the one before: CNAMEs are chained, and may go in
circles. CoreDNS's number for CNAMEs of a zone; where it has none, in `template`, a circle is never answered."""

_depth: ContextVar[int] = ContextVar("depth", default=0)
"""How many questions are being asked around this one; tasks that plugins start inherit it."""


def resolver(listeners: Mapping[str, Listener]) -> Resolve:
    """The function for listeners by their names, which are those of `query.endpoint.server`."""

    def resolve(name: bytes, qtype: int, query: Query) -> Outcome:
        listener = listeners.get(query.endpoint.server)
        depth = _depth.get()
        if listener is None:
            raise Failure(f"no listener {query.endpoint.server} to ask")
        if depth >= MAX_DEPTH:
            raise Failure(f"more than {MAX_DEPTH} questions to answer one, the last for {w.decode_name(name)}")
        token = _depth.set(depth + 1)
        try:
            return listener.answer(query.with_wire(_question(name, qtype, query)))
        finally:
            _depth.reset(token)

    return resolve


def no_server(_name: bytes, _qtype: int, _query: Query) -> NoReturn:
    """What a plugin has that is not in a server."""
    raise Failure("no server to ask")


def _question(name: bytes, qtype: int, query: Query) -> bytes:
    """A query for class IN with the header and the OPT record of another one."""
    opt = w.find_opt(query.wire, query.qend)
    head = query.wire[:4] + w.HEADER.pack(0, 0, 1, 0, 0, opt is not None)[4:]
    return head + name + w.QUESTION.pack(qtype, codes.IN) + (query.wire[opt.start : opt.end] if opt else b"")


__all__ = ["MAX_DEPTH", "Resolve", "no_server", "resolver"]
