"""erratic: which queries it drops, delays and truncates."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.errors import ConfigError
from corepy.plugins.erratic import Erratic
from corepy.reply import Reply
from corepy.testing import FakeClock, make_query

AMOUNT = "expected a whole number from 0 to 2147483647"


def parse(text: str) -> Erratic:
    [plugin] = Erratic.parse_all(directives(text))
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("erratic", Erratic()),
        ("erratic {\n}", Erratic()),
        ("erratic {\ndrop\n}", Erratic(drop=2)),
        ("erratic {\ndrop 3\n}", Erratic(drop=3)),
        ("erratic {\ndrop 0\n}", Erratic(drop=0)),
        ("erratic {\ntruncate\n}", Erratic(drop=0, truncate=2)),
        ("erratic {\ntruncate 5\ndrop 4\n}", Erratic(drop=4, truncate=5)),
        ("erratic {\ntruncate 5\ndrop\n}", Erratic(drop=0, truncate=5)),
        ("erratic {\ndelay\n}", Erratic(drop=0, delay=2, duration=0.1)),
        ("erratic {\ndelay 3\n}", Erratic(drop=0, delay=3, duration=0.1)),
        ("erratic {\ndelay 3 50ms\n}", Erratic(drop=0, delay=3, duration=0.05)),
        ("erratic {\ndelay 3 -1s\n}", Erratic(drop=0, delay=3, duration=-1)),
        ("erratic {\ndelay 0\n}", Erratic(drop=2, duration=0.1)),
        ("erratic {\nlarge\n}", Erratic(large=True)),
        ("erratic {\ndrop 3\n}\nerratic {\ntruncate 0\n}", Erratic(drop=3)),
        ("erratic on", "1:9: unexpected argument 'on', expected no arguments"),
        ("erratic {\ncolour blue\n}", "2:1: unknown option 'colour', expected one of drop, truncate, delay, large"),
        ("erratic {\ndrop 1 2\n}", "2:8: unexpected argument '2', expected the end of the line"),
        ("erratic {\ndrop some\n}", f"2:6: invalid argument 'some', {AMOUNT}"),
        ("erratic {\ndrop -1\n}", f"2:6: invalid argument '-1', {AMOUNT}"),
        ("erratic {\ntruncate 2147483648\n}", f"2:10: invalid argument '2147483648', {AMOUNT}"),
        ("erratic {\ndelay 2 long\n}", "2:9: invalid argument 'long', expected a duration such as 30s or 1h30m"),
        ("erratic {\ndelay 1 1s 4\n}", "2:12: unexpected argument '4', expected the end of the line"),
        ("erratic {\nlarge 1\n}", "2:7: unexpected argument '1', expected no arguments"),
    ],
)
def test_lines(text: str, expected: Erratic | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/erratic: Corefile:")
    assert result == expected


def ask(plugin: Erratic, qtype: str = "A") -> Reply:
    reply = plugin.serve(make_query("Www.example.org", qtype))
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize(
    ("qtype", "rcode", "data"),
    [("A", 0, ["192.0.2.53"]), ("AAAA", 0, ["2001:db8::53"]), ("TXT", 2, []), ("SOA", 2, [])],
)
def test_answers(qtype: str, rcode: int, data: list[str]) -> None:
    reply = ask(Erratic(drop=0), qtype)
    assert reply.rcode == rcode
    assert [str(record.rdata) for record in reply.record.rr] == data
    assert all((str(record.rname), record.ttl) == ("Www.example.org.", 0) for record in reply.record.rr)
    assert bool(reply.flags & w.AA) is bool(data)


@pytest.mark.parametrize(("amount", "lost"), [(0, []), (1, [0, 1, 2, 3, 4, 5, 6]), (2, [0, 2, 4, 6]), (3, [0, 3, 6])])
def test_drops(amount: int, lost: list[int]) -> None:
    plugin = Erratic(drop=amount)
    assert [number for number in range(7) if not ask(plugin).wire] == lost


@pytest.mark.parametrize(("amount", "cut"), [(0, []), (2, [0, 1, 4, 5]), (1, [0, 2, 4, 6])])
def test_truncation(amount: int, cut: list[int]) -> None:
    plugin = Erratic(drop=0, truncate=amount)
    assert [number for number in range(7) if ask(plugin).flags & w.TC] == cut


def test_delays() -> None:
    plugin = Erratic(drop=0, delay=2, duration=0.5)
    plugin.clock = clock = FakeClock()
    late = plugin.serve(make_query())
    assert isinstance(late, Deferred)
    assert ask(plugin).wire
    clock.advance(0.4)
    assert late.result is None
    clock.advance(0.1)
    assert isinstance(late.result, Reply)
    assert late.result.rcode == codes.NOERROR
    assert isinstance(plugin.serve(make_query()), Deferred)
    assert ask(Erratic(drop=0, delay=1, duration=0)).wire


def test_large_answers() -> None:
    plugin = Erratic(drop=0, large=True)
    assert len(ask(plugin).record.rr) == 30
    assert len(ask(plugin).wire) > w.MIN_UDP_SIZE
    assert len(ask(plugin, "AAAA").record.rr) == 1


def test_transfers() -> None:
    records = ask(Erratic(drop=0), "AXFR").record.rr
    assert [codes.type_name(record.rtype) for record in records] == ["SOA", "NS", "NS", "AAAA", "AAAA", "SOA"]
    assert [str(record.rdata) for record in records[1:3]] == ["b.Www.example.org.", "a.Www.example.org."]
    assert [str(record.rname) for record in records[3:5]] == ["a.Www.example.org.", "b.Www.example.org."]
    assert len(ask(Erratic(drop=0, truncate=2), "AXFR").record.rr) == 5


def test_a_name_that_leaves_no_room_for_servers_is_not_transferred() -> None:
    name = ".".join(["a" * 63] * 3 + ["a" * 61])
    reply = Erratic(drop=0).serve(make_query(name, "AXFR"))
    assert isinstance(reply, Reply)
    assert reply.rcode == codes.SERVFAIL


def test_ready_after_three_queries_and_not_after_five() -> None:
    plugin = Erratic(drop=0)
    ready = []
    for _ in range(6):
        ready.append(plugin.ready())
        ask(plugin)
    assert ready == [False, False, False, True, True, False]
