"""minimal: what is left of replies."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.minimal import Minimal
from corepy.reply import Reply
from corepy.testing import make_query

A = "www.example.org. 60 IN A 192.0.2.1"
NS = "example.org. 60 IN NS ns.example.org."
SOA = "example.org. 60 IN SOA ns.example.org. root.example.org. 1 2 3 4 5"
GLUE = "ns.example.org. 60 IN A 192.0.2.53"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("minimal", 1),
        ("minimal a.test", "plugin/minimal: Corefile:1:9: unexpected argument 'a.test', expected no arguments"),
        ("minimal {\n}", "plugin/minimal: Corefile:1:9: unexpected '{', expected no block for minimal"),
    ],
)
def test_lines(text: str, expected: int | str) -> None:
    try:
        result: object = len(Minimal.parse_all(directives(text)))
    except ConfigError as error:
        result = str(error)
    assert result == expected


def shorten(reply: Reply) -> Reply:
    plugin = Minimal()
    plugin.next = lambda _: reply
    made = plugin.serve(make_query("www.example.org"))
    assert isinstance(made, Reply)
    return made


def answer(answer: list[str], authority: list[str], additional: list[str], rcode: int = codes.NOERROR) -> Reply:
    query = make_query("www.example.org")
    return Reply.answer(query, *answer, authority=authority, additional=additional, rcode=rcode)


@pytest.mark.parametrize(
    ("reply", "left"),
    [
        (answer([A, A], [NS], [GLUE]), (2, 0, 0)),
        (answer([A], [], []), (1, 0, 0)),
        (answer([], [], [GLUE]), (0, 0, 0)),
        (answer([], [SOA], [GLUE]), (0, 1, 1)),
        (answer([], [NS], [GLUE]), (0, 1, 1)),
        (answer([], [SOA], [], codes.NXDOMAIN), (0, 1, 0)),
        (answer([], [], [GLUE], codes.SERVFAIL), (0, 0, 1)),
        (answer([], [], [GLUE], codes.REFUSED), (0, 0, 1)),
    ],
)
def test_sections(reply: Reply, left: tuple[int, int, int]) -> None:
    made = shorten(reply)
    assert w.HEADER.unpack_from(made.wire)[3:] == left
    assert made.record.header.aa
    assert made.record.rr == reply.record.rr


def test_the_opt_record_of_upstream_goes_too() -> None:
    wire = w.with_additional(answer([A], [], []).wire, w.opt_record(1232, options=w.option(3, b"theirs")))
    made = shorten(Reply(wire))
    assert made.plain
    assert w.find_opt(made.wire) is None


@pytest.mark.parametrize("wire", [b"", Reply.build(make_query(), counts=(1, 0, 1)).wire])
def test_what_is_no_message_stays_as_it_is(wire: bytes) -> None:
    reply = Reply(wire)
    assert shorten(reply) is reply
