"""chaos: what the server tells about itself."""

from __future__ import annotations

import os

import pytest

import corepy
from corepy import codes
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.chaos import Chaos
from corepy.reply import Reply
from corepy.testing import Running, make_query

BLOCK = "in a block, opened at Corefile:1:10 by '{', expected no block"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chaos", Chaos(f"corepy-{corepy.__version__}", ("the authors of corepy",))),
        ("chaos v1", Chaos("v1")),
        ("chaos v1 Zoe adam Zoe", Chaos("v1", ("Zoe", "adam"))),
        ('chaos "" adam', Chaos("", ("adam",))),
        ("chaos {\n}", "plugin/chaos: Corefile:1:7: unexpected '{', expected no block for chaos"),
        (
            "chaos v1 {\nauthor\n}",
            f"plugin/chaos: Corefile:2:1: unexpected 'author' {BLOCK} for chaos",
        ),
    ],
)
def test_lines(text: str, expected: Chaos | str) -> None:
    [line] = directives(text)
    try:
        result: object = Chaos.parse(line)
        line.finish()
    except ConfigError as error:
        result = str(error)
    assert result == expected


def ask(name: str, qtype: str = "TXT", qclass: int = codes.CH, plugin: Chaos | None = None) -> list[str] | None:
    """The texts of the answer; None where the query is passed on."""
    plugin = plugin or Chaos("v1", ("adam", "zoe"))
    passed = Reply.refused(make_query())
    plugin.next = lambda _: passed
    reply = plugin.serve(make_query(name, qtype, qclass=qclass))
    assert isinstance(reply, Reply)
    if reply is passed:
        return None
    assert {(str(record.rname), record.rclass, record.ttl) for record in reply.record.rr} == {(name, codes.CH, 0)}
    return [record.rdata.data[0].decode() for record in reply.record.rr]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("version.bind.", ["v1"]),
        ("Version.Server.", ["v1"]),
        ("hostname.bind.", [os.uname().nodename]),
        ("ID.server.", [os.uname().nodename]),
        ("example.org.", None),
        ("www.version.bind.", None),
    ],
)
def test_names(name: str, texts: list[str] | None) -> None:
    assert ask(name) == texts


def test_authors_come_in_any_order() -> None:
    seen = {tuple(ask("authors.bind.") or ()) for _ in range(100)}
    assert seen == {("adam", "zoe"), ("zoe", "adam")}


def test_other_queries_are_passed_on() -> None:
    assert ask("version.bind.", qtype="A") is None
    assert ask("version.bind.", qclass=codes.IN) is None


def test_texts_are_cut() -> None:
    assert ask("version.bind.", plugin=Chaos("x" * 300)) == ["x" * 255]


def test_class_chaos_is_let_in() -> None:
    with Running(".:0 {\nchaos v1\n}\n") as server:
        assert server.ask("version.bind.", "TXT", qclass=codes.CH).rcode == codes.NOERROR
        assert server.ask("example.org.", "TXT", qclass=codes.CH).rcode == codes.SERVFAIL
