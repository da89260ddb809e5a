"""cancel: its lines, and what becomes of a query that takes too long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.errors import ConfigError, Failure
from corepy.plugin import Outcome, Query, Reply, after
from corepy.plugins.cancel import Cancel
from corepy.testing import FakeClock, make_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cancel", Cancel(5.001)),
        ("cancel 1s", Cancel(1.0)),
        ("cancel 1s\ncancel 1500ms", Cancel(1.5)),
        ("cancel 1s\ncancel", Cancel()),
        ("cancel 5", "1:8: invalid argument '5', expected a duration such as 30s or 1h30m"),
        ("cancel soon", "1:8: invalid argument 'soon', expected a duration such as 30s or 1h30m"),
        ("cancel 0s", "1:8: a timeout of 0s, expected more than 0s"),
        ("cancel -1s", "1:8: a timeout of -1s, expected more than 0s"),
        ("cancel 1s 2s", "1:11: unexpected argument '2s', expected the end of the line"),
        ("cancel {\n}", "1:8: unexpected '{', expected no block for cancel"),
    ],
)
def test_lines(text: str, expected: Cancel | str) -> None:
    lines = directives(text)
    result: object
    try:
        [result] = Cancel.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/cancel: Corefile:")
    assert result == expected


def cancel(serve: Callable[[Query], Outcome]) -> tuple[Cancel, FakeClock]:
    """The plugin in front of `serve`, with a second of time."""
    plugin, clock = Cancel(1.0), FakeClock()
    plugin.clock, plugin.next = clock, serve
    return plugin, clock


def test_what_is_there_at_once_is_handed_on() -> None:
    plugin, clock = cancel(Reply.refused)
    assert isinstance(plugin.serve(make_query()), Reply)
    assert not clock._queue


@pytest.mark.parametrize("result", [Reply(b"late"), Failure("no upstream")])
def test_what_comes_in_time_is_handed_on(result: Reply | Failure) -> None:
    inner = Deferred()
    plugin, clock = cancel(lambda _: inner)
    outcome = plugin.serve(make_query())
    assert isinstance(outcome, Deferred)
    clock.advance(0.9)
    inner.settle(result)
    assert outcome.result is result
    clock.advance(1)
    assert outcome.result is result


def test_what_comes_too_late_is_thrown_away_and_plugins_behind_hear_of_the_failure() -> None:
    inner, heard = Deferred(), list[object]()

    def serve(_query: Query) -> Outcome:
        def failed(error: Exception) -> Exception:
            heard.append(error)
            return error

        return after(inner, lambda reply: reply, failed)

    plugin, clock = cancel(serve)
    outcome = plugin.serve(make_query())
    assert isinstance(outcome, Deferred)
    clock.advance(1)
    assert isinstance(outcome.result, Failure)
    assert (str(outcome.result), outcome.result.rcode) == ("no reply within 1s", 2)
    assert heard == [outcome.result]
    inner.settle(Reply(b"late"))
    assert heard == [outcome.result]


def test_a_reply_that_is_there_before_the_outcome_is_looked_at_needs_no_timer() -> None:
    inner = Deferred()
    inner.settle(Reply(b"early"))
    plugin, clock = cancel(lambda _: inner)
    assert plugin.serve(make_query()) is inner
    assert not clock._queue
