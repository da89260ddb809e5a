"""bufsize: what its line means, and what becomes of the size that a client takes."""

from __future__ import annotations

import pytest

from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.finish import finish
from corepy.plugins.bufsize import Bufsize
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import make_query, message


def parse(text: str) -> Bufsize:
    lines = directives(text)
    [plugin] = Bufsize.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


SIZE = "expected a size in octets from 512 to 4096"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bufsize", Bufsize(1232)),
        ("bufsize 512", Bufsize(512)),
        ("bufsize 4096", Bufsize(4096)),
        ("bufsize 511", f"plugin/bufsize: Corefile:1:9: invalid argument '511', {SIZE}"),
        ("bufsize 4097", f"plugin/bufsize: Corefile:1:9: invalid argument '4097', {SIZE}"),
        ("bufsize -1", f"plugin/bufsize: Corefile:1:9: invalid argument '-1', {SIZE}"),
        ("bufsize large", f"plugin/bufsize: Corefile:1:9: invalid argument 'large', {SIZE}"),
        (
            "bufsize 1232 1400",
            "plugin/bufsize: Corefile:1:14: unexpected argument '1400', expected the end of the line",
        ),
        ("bufsize\nbufsize", "plugin/bufsize: Corefile:2:1: given twice in a server block, first at Corefile:1:1"),
    ],
)
def test_lines(text: str, expected: Bufsize | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error)
    assert result == expected


def passed_on(query: Query, size: int = 1232) -> Query:
    heard: list[Query] = []

    def serve(query: Query) -> Outcome:
        heard.append(query)
        return Reply.build(query)

    plugin = Bufsize(size)
    plugin.next = serve
    plugin.serve(query)
    return heard[0]


def test_a_large_size_is_limited_for_all() -> None:
    query = make_query("Www.example.org", edns=4096, do=True)
    changed = passed_on(query)
    assert changed.wire == message("Www.example.org", edns=1232, do=True)
    assert changed.edns is not None
    assert (changed.edns.size, changed.do, changed.max_size) == (1232, True, 1232)
    assert query.max_size == 1232
    reply = Reply.build(query, counts=(3, 0, 0), body=(b"\xc0\x0c" + w.RECORD.pack(16, 1, 60, 1000) + bytes(1000)) * 3)
    wire = finish(query, reply)
    assert len(wire) <= 1232
    opt = w.find_opt(wire)
    assert opt is not None
    assert opt.rclass == 1232


@pytest.mark.parametrize("edns", [None, 1232, 0])
def test_what_is_small_enough_stays(edns: int | None) -> None:
    query = make_query(edns=edns)
    assert passed_on(query) is query


def test_options_and_tcp_stay() -> None:
    wire = message("example.org", edns=4096, options=w.option(10, b"12345678"))
    query = make_query(transport="tcp").with_wire(wire)
    changed = passed_on(query, 512)
    assert changed.edns is not None
    assert changed.edns.options == ((10, b"12345678"),)
    assert changed.max_size == w.MAX_MESSAGE
