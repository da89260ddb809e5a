"""Dates, durations, octets and what is handed in: the newer half of the expression language."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.exprlang import ANY, STRING, EvaluationError, ExpressionError, Function, compile_expression
from corepy.exprlang.dates import read
from corepy.exprlang.layouts import PRINTED, show
from corepy.exprlang.texts import to_text
from corepy.exprlang.times import Time, Zone
from corepy.testing import FakeClock

FUNCTIONS = {
    "name": Function((), STRING, lambda _context: "www.example.org."),
    "thing": Function((), ANY, lambda context: context),
}
DAY = "date('2026-03-05 16:07:08')"
"""A Thursday."""


def run(text: str, context: Any = None) -> Any:
    program = compile_expression(text, FUNCTIONS)
    program.clock = FakeClock(1_772_726_828.25)   # 2026-03-05 16:07:08.25 UTC
    return program.run(context)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("now(timezone('UTC'))", "2026-03-05 16:07:08.25 +0000 UTC"),
        ("now(timezone('Asia/Tokyo'))", "2026-03-06 01:07:08.25 +0900 JST"),
        ("now() - date('2026-03-05')", "16h7m8.25s"),
        ("date('2026-03-05')", "2026-03-05 00:00:00 +0000 UTC"),
        ("date('07:08:09')", "0000-01-01 07:08:09 +0000 UTC"),
        ("date('2026-03-05T16:07:08.5-03:30')", "2026-03-05 16:07:08.5 -0330 -0330"),
        ("date('05 Mar 26 16:07 ABC')", "2026-03-05 16:07:00 +0000 ABC"),
        ("date('GMT+3', 'MST')", "0000-01-01 03:00:00 +0300 GMT+3"),
        ("date('1.3.2026', '2.1.2006')", "2026-03-01 00:00:00 +0000 UTC"),
        ("date('1.3.26 CEST', '2.1.06 MST', 'Europe/Vienna')", "2026-02-28 23:00:00 +0100 CET"),
        ("date(timezone('Europe/Vienna'), '2026-03-29 02:15:00')", "2026-03-29 03:15:00 +0200 CEST"),
        ("date(timezone('Europe/Vienna'), '2026-07-01T00:00:00+02:00')", "2026-07-01 00:00:00 +0200 CEST"),
        ("date('11PM Dec 31 69', '3PM Jan _2 06')", "1969-12-31 23:00:00 +0000 UTC"),
        ("date('12am', '3pm').Hour()", "0"),
        ("date('060 2024', '002 2006')", "2024-02-29 00:00:00 +0000 UTC"),
        ("date('7,5', '5.99').Nanosecond()", "500000000"),
        (f"{DAY}.Weekday()", "Thursday"),
        (f"int({DAY}.Weekday()) in 1..5", "true"),
        (f"{DAY}.Weekday() == {DAY}.AddDate(0, 0, 7).Weekday()", "true"),
        (f"string({DAY}.Month()) + {DAY}.Month().String()", "MarchMarch"),
        (f"[{DAY}.Year(), {DAY}.Day(), {DAY}.Hour(), {DAY}.Minute(), {DAY}.Second()]", "[2026 5 16 7 8]"),
        (f"[{DAY}.YearDay(), {DAY}.ISOWeek(), {DAY}.Unix(), {DAY}.UnixMilli()]", "[64 2026 1772726828 1772726828000]"),
        ("date('2024-12-30').ISOWeek()", "2025"),
        (f"{DAY} + duration('1h') - duration('1m')", "2026-03-05 17:06:08 +0000 UTC"),
        (f"duration('24h') + {DAY} > {DAY}", "true"),
        (f"{DAY}.Sub({DAY}) == duration('0s')", "true"),
        (f"{DAY}.AddDate(1, -1, 26)", "2027-03-03 16:07:08 +0000 UTC"),
        (f"{DAY}.Truncate(duration('1h'))", "2026-03-05 16:00:00 +0000 UTC"),
        (f"{DAY}.Round(duration('10m'))", "2026-03-05 16:10:00 +0000 UTC"),
        (f"{DAY}.In(timezone('America/New_York')).Zone()", "EST"),
        (f"{DAY}.In(timezone('America/New_York')).IsDST()", "false"),
        (f"{DAY}.In(timezone('America/New_York')).UTC() == {DAY}", "true"),
        (f"{DAY}.Format('Mon Jan _2 03:04PM .000 -07:00 Z07:00')", "Thu Mar  5 04:07PM .000 +00:00 Z"),
        (f"{DAY}.Location()", "UTC"),
        (f"[{DAY}.Before({DAY}), {DAY}.After({DAY}), {DAY}.Equal({DAY})]", "[false false true]"),
        (f"{DAY}.Compare(now())", "-1"),
        ("date('0001-01-01').IsZero()", "true"),
        ("date('2300-01-01') - date('1900-01-01')", "2562047h47m16.854775807s"),
        ("duration('1h30m').Hours() + duration('90s').Minutes()", "3"),
        ("duration('-1.7s').Round(duration('1s'))", "-2s"),
        ("duration('-1.7s').Truncate(duration('1s')).Abs()", "1s"),
        ("2 * duration('1m') + duration('1m') * 3", "5m0s"),
        ("1.5 * duration('2ns')", "3"),
        ("duration('1ms').Microseconds() + 1", "1001"),
        ("int(duration('1us'))", "1000"),
        ("max(duration('1h'), duration('2h'))", "2h0m0s"),
        ("sum([duration('1h'), duration('2h')])", "3h0m0s"),
        ("sort([duration('2h'), duration('1h')])", "[1h0m0s 2h0m0s]"),
        ("toJSON([duration('1us')]) | replace('\\n', '')", "[  1000]"),
        (f"toJSON({DAY})", '"2026-03-05T16:07:08Z"'),
        ("b'\\x00\\101é\"'", "[0 65 195 169 34]"),
        ("len(B\"abc\") + b'abc'[0]", "100"),
        ("b'abc'[1:] == [98, 99]", "true"),
        ("b'äb' matches '^ä' and 98 in b'äb'", "true"),
        ("map(b'ab', # + 1)", "[98 99]"),
        ("toJSON(b'abc')", '"YWJj"'),
        ("$env.name() == name() and 'name' in $env and 'now' not in $env", "true"),
        ("keys($env) | len()", "2"),
        ("$env?.other ?? 1", "1"),
        ("let f = name; let g = $env.name; f() == g()", "true"),
        ("name != nil and lower == nil and name != name", "true"),
    ],
)
def test_values(text: str, shown: str) -> None:
    assert to_text(run(text)) == shown


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (f"{DAY} + 1", 28, "'+' does not take a time.Time and a int"),
        ("duration('1h') / 2", 15, "'/' does not take a time.Duration and a int"),
        ("duration('1h') == 1", 15, "'==' does not take a time.Duration and a int"),
        ("now().Weekday() == 1", 16, "'==' does not take a time.Weekday and a int"),
        ("now().Weekday() < now().Weekday()", 16, "'<' does not take a time.Weekday"),
        ("now().hour()", 6, "a time.Time has no method 'hour' (did you mean \"Hour\"?)"),
        ("now().Add(1)", 10, "'Add' takes a time.Duration here and no int"),
        ("now().Format()", 6, "'Format' takes 1 arguments and not 0"),
        ("now(1)", 4, "'now' takes a *time.Location here and no int"),
        ("'a'.Foo()", 4, "a string has no method 'Foo'"),
        ("-duration('1h')", 0, "'-' does not take a time.Duration"),
        ("b'abc' == 'abc'", 7, "'==' does not take a []uint8 and a string"),
        ("b'\\u0041'", 2, "no character"),
        ("b'\\777'", 2, "no character"),
        ("b'a", 1, "a string without end"),
        ("$env.other", 5, "unknown name 'other'"),
        ("$env.other()", 5, "unknown name 'other'"),
        ("$env.lower('A')", 5, "unknown name 'lower'"),
        ("name == 'x'", 5, "'==' does not take a function without parentheses and a string"),
        ("$foo", 0, "unknown name '$foo'"),
    ],
)
def test_mistakes(text: str, at: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, FUNCTIONS)
    assert str(caught.value).startswith(words)
    assert caught.value.at == at


@pytest.mark.parametrize(
    "text",
    [
        "date('x')", "date('2026-02-30')", "date('24:00:00')", "date(1)", "date('1', '1', 'nowhere')", "duration('x')",
        "date('2026-01-01', 'x')", "date('366 2026', '002 2006')", "date('+25:00', '-07:00')", "date('13PM', '3PM')",
        "timezone('nowhere')", "timezone('../etc')", "thing().Foo()", "thing() - duration('1h')", "thing() > now()",
    ],
)  # fmt: skip
def test_what_has_no_value(text: str) -> None:
    program = compile_expression(text, FUNCTIONS)
    with pytest.raises(EvaluationError):
        program.run(1)


def test_a_type_that_is_known_late() -> None:
    moment = Time(1_772_726_828_250_000_000)
    assert run("thing().Hour() == 16 and thing() > date('2026-01-01')", moment) is True
    assert to_text(run("thing() - duration('8s')", moment)) == "2026-03-05 16:07:00.25 +0000 UTC"


@given(st.text(max_size=30), st.text(alphabet="0123456 _-:.,ZMSTJanPMuryod", max_size=30))
def test_any_text_is_a_time_or_none(text: str, layout: str) -> None:
    for words in (text, layout):
        with contextlib.suppress(ValueError):
            assert show(read(words, layout), PRINTED)


@given(st.integers(-(10**18), 10**18), st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kolkata", "America/St_Johns"]))
def test_what_is_shown_is_read_again(unix_nano: int, name: str) -> None:
    moment = Time(unix_nano, Zone.find(name))
    form = "Monday 2006-January-2 15:04:05.000000000 Z07:00:00"
    assert read(show(moment, form), form) == moment
