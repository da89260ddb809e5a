"""errors: what is written when, and at which level."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from corepy import expression
from corepy.corefile import directives
from corepy.deferred import Deferred, settle
from corepy.errors import ConfigError, Failure
from corepy.log import Log
from corepy.plugins.errors import Errors
from corepy.plugins.errors.consolidate import Consolidation
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import FakeClock, make_query

QUERY = make_query("Www.Example.org", "AAAA")
LINE = "[ERROR] plugin/errors: 2 www.example.org. AAAA: connection refused"


def parse(text: str) -> Errors:
    lines = directives(text)
    [plugin] = Errors.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


def alike(period: float, pattern: str, level: str = "error", *, show_first: bool = False) -> Consolidation:
    return Consolidation(period, expression.compile(pattern), level, show_first)


LEVELS = "expected one of warning, error, info, debug, and then show_first"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("errors", Errors()),
        ("errors stdout", Errors()),
        ("errors {\n}", Errors()),
        ("errors {\nstacktrace\n}", Errors(stacktrace=True)),
        ("errors {\nconsolidate 5m a$\n}", Errors([alike(300, "a$")])),
        ("errors {\nconsolidate 0 a info\n}", Errors([alike(0, "a", "info")])),
        ("errors {\nconsolidate -1s a debug\n}", Errors([alike(-1, "a", "debug")])),
        ("errors {\nconsolidate 1s a show_first\n}", Errors([alike(1, "a", show_first=True)])),
        (
            'errors {\nconsolidate 1s " a" warning show_first\nconsolidate 2s "" error\n}',
            Errors([alike(1, " a", "warning", show_first=True), alike(2, "")]),
        ),
        ("errors\nerrors", "plugin/errors: Corefile:2:1: given twice in a server block, first at Corefile:1:1"),
        ("errors file.log", "plugin/errors: Corefile:1:8: invalid argument 'file.log', expected stdout"),
        ("errors stdout x", "plugin/errors: Corefile:1:15: unexpected argument 'x', expected the end of the line"),
        (
            "errors {\nplease\n}",
            "plugin/errors: Corefile:2:1: unknown option 'please', expected one of consolidate, stacktrace",
        ),
        (
            "errors {\nstacktrace on\n}",
            "plugin/errors: Corefile:2:12: unexpected argument 'on', expected no arguments",
        ),
        (
            "errors {\nconsolidate\n}",
            "plugin/errors: Corefile:2:1: 'consolidate' lacks an argument, expected a duration such as 30s or 1h30m",
        ),
        (
            "errors {\nconsolidate 1m\n}",
            "plugin/errors: Corefile:2:1: 'consolidate' lacks an argument, expected a regular expression",
        ),
        (
            "errors {\nconsolidate soon .*\n}",
            "plugin/errors: Corefile:2:13: invalid argument 'soon', expected a duration such as 30s or 1h30m",
        ),
        (
            "errors {\nconsolidate 0 a**\n}",
            "plugin/errors: Corefile:2:15: no regular expression: bad repetition operator: **",
        ),
        (
            f"errors {{\nconsolidate 1m {'a' * 10001}\n}}",
            "plugin/errors: Corefile:2:16: a regular expression of 10001 octets, more than 10000",
        ),
        (
            "errors {\nconsolidate 1m a loud\n}",
            f"plugin/errors: Corefile:2:18: consolidate does not take 'loud' here, {LEVELS}",
        ),
        (
            "errors {\nconsolidate 1m a show_first info\n}",
            f"plugin/errors: Corefile:2:29: consolidate does not take 'info' here, {LEVELS}",
        ),
        (
            "errors {\nconsolidate 1m a info error\n}",
            f"plugin/errors: Corefile:2:23: consolidate does not take 'error' here, {LEVELS}",
        ),
        (
            "errors {\nconsolidate 1m a info show_first more\n}",
            "plugin/errors: Corefile:2:34: consolidate does not take 'more' here, " + LEVELS,
        ),
    ],
)
def test_lines(text: str, expected: Errors | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error)
    assert result == expected


def fail(error: Exception) -> Callable[[Query], Outcome]:
    def serve(_query: Query) -> Outcome:
        raise error

    return serve


REFUSED = Failure("connection refused")


def ready(plugin: Errors, error: Exception = REFUSED) -> tuple[Errors, FakeClock]:
    """The plugin as the core would set it up, in front of one that raises."""
    clock = FakeClock()
    plugin.clock, plugin.log, plugin.next = clock, Log("plugin/errors: "), fail(error)
    return plugin, clock


def ask(plugin: Errors, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Failure):
            plugin.serve(QUERY)


def test_a_failure_is_written_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors())
    with pytest.raises(Failure) as caught:
        plugin.serve(QUERY)
    assert caught.value is REFUSED
    assert capsys.readouterr().out == LINE + "\n"


def test_the_rcode_is_that_of_the_failure(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors(), Failure("not mine", rcode=9))
    ask(plugin)
    assert capsys.readouterr().out == "[ERROR] plugin/errors: 9 www.example.org. AAAA: not mine\n"


def test_a_reply_comes_back_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    plugin = Errors()
    for reply in (Reply.failed(QUERY), Reply.SILENCE):
        plugin.next = lambda _, reply=reply: reply  # type: ignore[misc]  # one for each round
        assert plugin.serve(QUERY) is reply
    assert capsys.readouterr().out == ""


def test_a_failure_that_comes_later(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors())
    waiting = Deferred()
    plugin.next = lambda _: waiting
    outcome = plugin.serve(QUERY)
    assert outcome is waiting
    assert capsys.readouterr().out == ""
    waiting.settle(REFUSED)
    assert waiting.result is REFUSED
    assert capsys.readouterr().out == LINE + "\n"


def test_a_failure_of_a_coroutine(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors())

    async def refuse() -> Reply:
        await asyncio.sleep(0)
        raise REFUSED

    async def main() -> None:
        plugin.next = lambda _: refuse()
        with pytest.raises(Failure) as caught:
            await settle(plugin.serve(QUERY))
        assert caught.value is REFUSED

    asyncio.run(main())
    assert capsys.readouterr().out == LINE + "\n"


def test_a_reply_that_comes_later_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors())
    waiting, reply = Deferred(), Reply.failed(QUERY)
    plugin.next = lambda _: waiting
    plugin.serve(QUERY)
    waiting.settle(reply)
    assert waiting.result is reply
    assert capsys.readouterr().out == ""


def test_a_bug_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors(), ZeroDivisionError("no\nway"))
    with pytest.raises(ZeroDivisionError):
        plugin.serve(QUERY)
    line = r"[ERROR] plugin/errors: 2 www.example.org. AAAA: ZeroDivisionError: no\x0away"
    assert capsys.readouterr().out == line + "\n"


def test_a_bug_with_its_traceback_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors(stacktrace=True), ZeroDivisionError("no"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            plugin.serve(QUERY)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith("2 www.example.org. AAAA: ZeroDivisionError: no")
        assert lines[1] == "[ERROR] plugin/errors: Traceback (most recent call last):"
        assert any("in serve" in line for line in lines)
        assert all(line.startswith("[ERROR] plugin/errors: ") for line in lines)


def test_a_failure_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors(stacktrace=True))
    ask(plugin)
    assert capsys.readouterr().out == LINE + "\n"


def test_nobody_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors(), Failure("x\n[INFO] all is well"))
    plugin.next = fail(Failure("x\n[INFO] all is well"))
    with pytest.raises(Failure):
        plugin.serve(make_query(r"a\010b.example.org"))
    assert capsys.readouterr().out.splitlines() == [
        r"[ERROR] plugin/errors: 2 a\010b.example.org. A: x\x0a[INFO] all is well"
    ]


def test_counted_until_the_period_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, clock = ready(Errors([alike(0.7, "refused$", "warning"), alike(60, ".*")]))
    ask(plugin)
    clock.advance(0.6)
    ask(plugin, 3)
    assert capsys.readouterr().out == ""
    clock.advance(0.1)
    assert capsys.readouterr().out == "[WARNING] plugin/errors: 4 errors like 'refused$' occurred in last 700ms\n"
    clock.advance(3600)
    assert capsys.readouterr().out == ""
    ask(plugin)
    clock.advance(0.7)
    assert capsys.readouterr().out == "[WARNING] plugin/errors: 1 errors like 'refused$' occurred in last 700ms\n"


def test_the_first_one_shown(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, clock = ready(Errors([alike(90, "refused$", "info", show_first=True)]))
    first = LINE.replace("ERROR", "INFO") + "\n"
    ask(plugin, 3)
    assert capsys.readouterr().out == first
    clock.advance(90)
    assert capsys.readouterr().out == "[INFO] plugin/errors: 3 errors like 'refused$' occurred in last 1m30s\n"
    ask(plugin)
    clock.advance(90)
    assert capsys.readouterr().out == first


def test_others_come_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(Errors([alike(60, "^something else$")]))
    ask(plugin, 2)
    assert capsys.readouterr().out == f"{LINE}\n{LINE}\n"


def test_debug_lines_need_debug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, clock = ready(Errors([alike(60, "", "debug")]))
    ask(plugin)
    clock.advance(60)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(Log, "debugging", True)
    ask(plugin)
    clock.advance(60)
    assert capsys.readouterr().out == "[DEBUG] plugin/errors: 1 errors like '' occurred in last 1m0s\n"


def test_stop_reports_and_then_nothing_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, clock = ready(Errors([alike(3600, "refused$", "warning"), alike(60, "other")]))
    ask(plugin, 3)
    plugin.stop()
    assert capsys.readouterr().out == "[WARNING] plugin/errors: 3 errors like 'refused$' occurred in last 1h0m0s\n"
    ask(plugin)
    assert capsys.readouterr().out == LINE.replace("ERROR", "WARNING") + "\n"
    plugin.stop()
    clock.advance(7200)
    assert capsys.readouterr().out == ""
