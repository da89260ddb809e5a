"""header: flags on their way in and out."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.header import Header
from corepy.plugins.header.header import Change
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing import make_query

RULES = "expected a block with query or response, set or clear, and flags"


def parse(text: str) -> Header:
    [plugin] = Header.parse_all(directives(text))
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("header {\nresponse set aa\n}", Header(response=Change(0xFBFF, w.AA))),
        ("header {\nQuery Clear RD\n}", Header(query=Change(0xFEFF))),
        ("header {\nquery set ra rd\nquery clear ra\n}", Header(query=Change(0xFE7F, w.RD))),
        ("header {\nresponse set aa\n}\nheader {\nresponse clear aa\n}", Header(response=Change(0xFBFF))),
        ("header", f"1:1: no rules, {RULES}"),
        ("header {\n}", f"1:1: no rules, {RULES}"),
        ("header x {\nquery set rd\n}", "1:8: unexpected argument 'x', expected no arguments"),
        ("header {\nreply set rd\n}", "2:1: invalid argument 'reply', expected one of query, response"),
        ("header {\nquery\n}", "2:1: 'query' lacks an argument, expected one of set, clear"),
        ("header {\nquery rd\n}", "2:7: invalid argument 'rd', expected one of set, clear"),
        ("header {\nquery set\n}", "2:1: 'query' lacks an argument, expected flags: aa, ra, rd"),
        ("header {\nquery set rd ad\n}", "2:14: invalid argument 'ad', expected one of aa, ra, rd"),
    ],
)
def test_lines(text: str, expected: Header | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/header: Corefile:")
    assert result == expected


def exchange(rules: str, query_flags: int, reply_flags: int) -> tuple[int, int]:
    """The flags that the next plugin sees, and those that the client gets back."""
    seen: list[Query] = []

    def answer(query: Query) -> Reply:
        seen.append(query)
        return Reply.build(query, codes.NXDOMAIN, flags=reply_flags)

    plugin = parse(f"header {{\n{rules}\n}}")
    plugin.next = answer
    query = make_query("Www.example.org", client="192.0.2.7", flags=query_flags)
    reply = plugin.serve(query)
    assert isinstance(reply, Reply)
    assert reply.rcode == codes.NXDOMAIN
    assert seen[0].flags == int.from_bytes(seen[0].wire[2:4], "big")
    assert (seen[0].question, seen[0].client, seen[0].local) == (query.question, query.client, query.local)
    return seen[0].flags, reply.flags & 0x07F0


@pytest.mark.parametrize(
    ("rules", "query", "reply", "seen", "client"),
    [
        ("response set aa ra", w.RD, 0, w.RD, w.AA | w.RA | w.RD),
        ("response clear aa rd", w.RD, w.AA, w.RD, 0),
        ("response clear aa\nresponse set aa", 0, 0, 0, w.AA),
        ("query set rd", 0, 0, w.RD, 0),
        ("query clear rd", w.RD | w.CD, w.AA, w.CD, w.AA | w.RD | w.CD),
        ("query set rd\nresponse set rd", 0, 0, w.RD, w.RD),
        ("query set aa ra", w.RD, w.RA, w.AA | w.RA | w.RD, w.RA | w.RD),
    ],
)
def test_flags(rules: str, query: int, reply: int, seen: int, client: int) -> None:
    assert exchange(rules, query, reply) == (seen, client)


@pytest.mark.parametrize("opcode", [codes.QUERY, codes.NOTIFY])
@pytest.mark.parametrize("rcode", [codes.SERVFAIL, codes.REFUSED])
def test_what_is_left_to_the_server_has_the_flags_of_the_query_alone(opcode: int, rcode: int) -> None:
    plugin = parse("header {\nquery clear rd\nresponse set aa ra\n}")
    plugin.next = lambda query: Reply.failed(query, rcode)
    query = make_query(flags=opcode << 11 | w.RD)
    reply = plugin.serve(query)
    assert isinstance(reply, Reply)
    assert reply.wire == Reply.failed(query, rcode).wire


def test_nothing_to_change_and_silence_stay_as_they_are() -> None:
    plugin = parse("header {\nresponse set ra\n}")
    for reply in (Reply.SILENCE, Reply.build(make_query(), flags=w.RA)):
        plugin.next = lambda _, reply=reply: reply  # type: ignore[misc]
        assert plugin.serve(make_query()) is reply
