"""timeouts: its lines, and the listener that they shape."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from corepy import corefile, site
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.timeouts import TimeoutSettings
from corepy.site import DEFAULT_TIMEOUTS, Timeouts
from corepy.stream import Connection
from corepy.testing import FakeClock

DURATION = "expected a duration from 1s to 24h"
NUMBER = "expected a number of queries, or -1 for any, of at least -1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timeouts {\nread 1s\n}", {"read": 1.0}),
        ("timeouts {\nread 5\nwrite 1m\nidle 24h\n}", {"read": 5.0, "write": 60.0, "idle": 86400.0}),
        ("timeouts {\nmaxtcpqueries 128\n}", {"max_queries": 128}),
        ("timeouts {\nmaxtcpqueries -1\n}", {"max_queries": 0}),
        ("timeouts {\nread 1s\nread 2s\n}", {"read": 2.0}),
        ("timeouts {\nread 1s\n}\ntimeouts {\nidle 2s\n}", {"read": 1.0, "idle": 2.0}),
        ("timeouts", "1:1: no timeout is given, expected read, write, idle or maxtcpqueries in a block"),
        ("timeouts {\n}", "1:1: no timeout is given, expected read, write, idle or maxtcpqueries in a block"),
        ("timeouts 5s", "1:10: unexpected argument '5s', expected no arguments"),
        ("timeouts {\nread\n}", f"2:1: 'read' lacks an argument, {DURATION}"),
        ("timeouts {\nread 1s 2s\n}", "2:9: unexpected argument '2s', expected the end of the line"),
        ("timeouts {\nread soon\n}", f"2:6: invalid argument 'soon', {DURATION}"),
        ("timeouts {\nwrite 900ms\n}", f"2:7: a timeout of 900ms, {DURATION}"),
        ("timeouts {\nidle 25h\n}", f"2:6: a timeout of 25h, {DURATION}"),
        ("timeouts {\nidle 0\n}", f"2:6: a timeout of 0, {DURATION}"),
        ("timeouts {\nidle -5\n}", f"2:6: invalid argument '-5', {DURATION}"),
        ("timeouts {\nmaxtcpqueries some\n}", f"2:15: invalid argument 'some', {NUMBER}"),
        ("timeouts {\nmaxtcpqueries -2\n}", f"2:15: invalid argument '-2', {NUMBER}"),
        (
            "timeouts {\nmaxtcpqueries 0\n}",
            "2:15: maxtcpqueries of 0 would answer nothing, expected a number, or -1 for any",
        ),
        (
            "timeouts {\nlinger 5s\n}",
            "2:1: unknown option 'linger', expected one of read, write, idle, maxtcpqueries",
        ),
    ],
)
def test_lines(text: str, expected: dict[str, Any] | str) -> None:
    lines = directives(text)
    result: object
    try:
        [result] = TimeoutSettings.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/timeouts: Corefile:")
    assert result == (expected if isinstance(expected, str) else TimeoutSettings(expected))


def test_what_is_not_given_stays_as_it_is() -> None:
    text = "example.org {\ntimeouts {\nidle 1m\nmaxtcpqueries 7\n}\nwhoami\n}\nexample.net {\nwhoami\n}"
    built = site.build(corefile.load(text, "Corefile"))
    [listener] = built.listeners.values()
    assert listener.timeouts == Timeouts(read=3.0, idle=60.0, write=5.0, max_queries=7)
    assert built.sites[1].timeouts == DEFAULT_TIMEOUTS


def test_blocks_on_one_port_add_up() -> None:
    blocks = ["timeouts {\nidle 1m\nread 2s\n}", "timeouts {\nread 4s\n}", "whoami"]
    text = "".join(f"zone{number}.test {{\n{block}\n}}\n" for number, block in enumerate(blocks))
    [listener] = site.build(corefile.load(text, "Corefile")).listeners.values()
    assert listener.timeouts == Timeouts(read=4.0, idle=60.0)


def test_a_client_that_does_not_read_has_its_own_time() -> None:
    class Slot:
        listener = SimpleNamespace(timeouts=Timeouts(write=2.0, idle=60.0))
        clock = FakeClock()
        now = clock.now
        clogged = cleared = Mock()

    connection = Connection(Slot())  # type: ignore[arg-type]  # as much of it as is looked at
    connection.transport = Mock()
    connection.transport.is_closing.return_value = False
    connection.pause_writing()
    assert connection.deadline == Slot.now() + 2.0
    connection.resume_writing()
    assert connection.deadline == Slot.now() + 60.0


def test_is_not_in_the_chain() -> None:
    assert TimeoutSettings.serve is None
