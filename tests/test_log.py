"""Lines on standard output: their form, and that nobody forges one."""

import io
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.log import Log


def test_levels_and_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log("plugin/errors: ")
    log.info("one")
    log.warning("two")
    log.error("three")
    Log().info("four")
    assert capsys.readouterr().out.splitlines() == [
        "[INFO] plugin/errors: one",
        "[WARNING] plugin/errors: two",
        "[ERROR] plugin/errors: three",
        "[INFO] four",
    ]


def test_debug_lines_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Log().debug("unseen")
    monkeypatch.setattr(Log, "debugging", True)
    Log().debug("seen")
    assert capsys.readouterr().out == "[DEBUG] seen\n"


def test_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Log("p: ").lines("first\n\tsecond\x1b[31m\n")
    assert capsys.readouterr().out == "[ERROR] p: first\n[ERROR] p: \\x09second\\x1b[31m\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\nb", r"a\x0ab"),
        ("a\r[ERROR] b", r"a\x0d[ERROR] b"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x85\u2028\u2029", r"\x85\u2028\u2029"),
        ("\udcff", r"\udcff"),
        ("café ünïcode", "café ünïcode"),
        ("100%s {name}", "100%s {name}"),
    ],
)
def test_control_characters_are_escaped(text: str, written: str, capsys: pytest.CaptureFixture[str]) -> None:
    Log().info(text)
    assert capsys.readouterr().out == f"[INFO] {written}\n"


@given(st.text(st.characters()))
def test_one_call_is_one_line(text: str) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        Log().info(text)
    assert len(out.getvalue().splitlines()) == 1
    assert out.getvalue().endswith("\n")


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What is due at the end of this round, where lines do not leave at once."""
    due: list[Callable[[], None]] = []
    monkeypatch.setattr(Log, "soon", due.append)
    return due


def test_lines_of_one_round_leave_together(
    rounds: list[Callable[[], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    Log().info("one")
    Log("p: ").error("two")
    assert capsys.readouterr().out == ""
    assert len(rounds) == 1
    rounds.pop()()
    assert capsys.readouterr().out == "[INFO] one\n[ERROR] p: two\n"
    Log().info("three")
    rounds.pop()()
    assert capsys.readouterr().out == "[INFO] three\n"


def test_a_thousand_lines_do_not_wait(
    rounds: list[Callable[[], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1000):
        Log().info(str(number))
    assert capsys.readouterr().out.splitlines() == [f"[INFO] {number}" for number in range(1000)]
    rounds.pop()()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space"), ValueError("closed file")])
def test_an_output_that_takes_nothing_stops_nobody(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise error

    monkeypatch.setattr(sys, "stdout", Full())
    Log().info("nobody hears this")
