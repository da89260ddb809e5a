"""nsid: what it tells, to whom, and in place of what."""

from __future__ import annotations

import asyncio
import os

import pytest

from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError
from corepy.plugins.nsid import Nsid
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import message

OURS = Nsid(b"ours")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nsid", Nsid(os.uname().nodename.encode())),
        ("nsid data", Nsid(b"data")),
        ('nsid first  server "two  spaces"', Nsid(b"first server two  spaces")),
        ("nsid Ünïcode", Nsid("Ünïcode".encode())),
        ('nsid ""', Nsid(b"")),
        ("nsid a\nnsid b", "2:1: given twice in a server block, first at Corefile:1:1"),
        ("nsid {\n}", "1:6: unexpected '{', expected no block for nsid"),
    ],
)
def test_lines(text: str, expected: Nsid | str) -> None:
    lines = directives(text)
    try:
        result: object = Nsid.parse_all(lines)[0]
        lines[0].finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/nsid: Corefile:")
    assert result == expected


def query(options: bytes | None = w.option(3, b"")) -> Query:
    """A query with these EDNS options; without EDNS for None."""
    wire = message(edns=None if options is None else 1232, options=options or b"")
    return Query(wire, Endpoint("udp", "dns://:53"), Address.of("192.0.2.1", 4242))


def serve(asked: Query, outcome: Outcome) -> Outcome:
    OURS.next = lambda _: outcome
    return OURS.serve(asked)


def options(reply: Outcome) -> list[tuple[int, bytes]] | None:
    assert isinstance(reply, Reply)
    opt = w.find_opt(reply.wire)
    return None if opt is None else list(w.options(reply.wire, opt))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, None),
        (b"", None),
        (w.option(10, b"12345678"), None),
        (w.option(3, b""), [(3, b"ours")]),
        (w.option(3, b"theirs"), [(3, b"ours")]),
        (w.option(10, b"12345678") + w.option(3, b""), [(3, b"ours")]),
    ],
)
def test_who_asks_is_told(asked: bytes | None, told: list[tuple[int, bytes]] | None) -> None:
    assert options(serve(query(asked), Reply.build(query(asked)))) == told


@pytest.mark.parametrize(
    ("upstream", "told"),
    [
        (b"", [(3, b"ours")]),
        (w.option(15, b"\0\1"), [(15, b"\0\1"), (3, b"ours")]),
        (w.option(3, b"theirs") + w.option(15, b"\0\1"), [(3, b"ours"), (15, b"\0\1")]),
    ],
)
def test_what_comes_from_upstream_is_replaced(upstream: bytes, told: list[tuple[int, bytes]]) -> None:
    wire = w.with_additional(Reply.build(query()).wire, w.opt_record(1400, 1, w.DO, upstream))
    reply = serve(query(), Reply(wire))
    assert options(reply) == told
    assert isinstance(reply, Reply)
    opt = w.find_opt(reply.wire)
    assert opt is not None
    assert (opt.rclass, opt.ttl) == (1400, 1 << 24 | w.DO)


def test_late_replies_too() -> None:
    late = Deferred()
    outcome = serve(query(), late)
    late.settle(Reply.build(query()))

    async def wait() -> Reply:
        return await outcome

    assert options(asyncio.run(wait())) == [(3, b"ours")]


@pytest.mark.parametrize("wire", [b"", Reply.build(query(), counts=(0, 0, 1)).wire])
def test_what_is_no_message_stays_as_it_is(wire: bytes) -> None:
    reply = Reply(wire)
    assert serve(query(), reply) is reply
