"""Go's durations: what is one, what it is worth, and how it is printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("0s", 0),
        ("5s", 5),
        ("+5s", 5),
        ("-1.5h", -5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("1h30m", 5400),
        ("1m1m", 120),
        ("100ms", 0.1),
        ("7us", 7e-6),
        ("7\u00b5s", 7e-6),
        ("7\u03bcs", 7e-6),
        ("3ns", 3e-9),
        ("0.9ns", 0),
        ("00000000000000000000000000000000001s", 1),
        ("0.00000000000000000000000000000000001h", 0),
        ("2562047h47m16.854775807s", 9223372036.854775807),
        ("-2562047h47m16.854775808s", -9223372036.854775808),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *["", "5", "-", "+", "s", ".s", ".", "1.5", "5 s", " 5s", "5s ", "5S", "5d", "1h30", "--5s", "1e3s", "\u0665s"],
        *["2562047h47m16.854775808s", "9" * 5000 + "s", "-" + "9" * 30 + "ns", "5s\n"],
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1e-9, "1ns"),
        (1.5e-6, "1.5\u00b5s"),
        (0.7, "700ms"),
        (0.0101, "10.1ms"),
        (1.5, "1.5s"),
        (10, "10s"),
        (60, "1m0s"),
        (3600, "1h0m0s"),
        (90061.25, "25h1m1.25s"),
        (-0.25, "-250ms"),
    ],
)
def test_printed(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(-(10**15), 10**15))
def test_what_is_printed_is_read_again(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds / 1e9)) == nanoseconds / 1e9


@given(st.one_of(st.text(), st.from_regex(r"[-+]?([0-9.]{1,4}(ns|us|ms|s|m|h)?){0,3}", fullmatch=True)))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert abs(seconds) < 2**63 / 1e9 + 1
