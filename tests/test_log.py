"""Lines on standard output: their form, and that nobody forges one."""

import io
import json
import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.log import Log, give_up_output


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


# --- JSON ---


@pytest.fixture
def _structured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "structured", True)


@pytest.mark.usefixtures("_structured")
def test_a_line_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    Log("plugin/errors: ").warning("two\n\u2028\udcff")
    Log().info("one", {"rcode": None, "id": 7})
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    moments = [first.pop("ts"), second.pop("ts")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment) for moment in moments)
    assert first == {"level": "WARNING", "plugin": "errors", "msg": "two\n\u2028\udcff"}
    assert second == {"level": "INFO", "msg": "one", "fields": {"rcode": None, "id": 7}}


@pytest.mark.usefixtures("_structured")
@given(st.text(st.characters()))
def test_one_call_is_one_line_of_json(text: str) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        Log().info(text)
    [line] = out.getvalue().splitlines()
    assert json.loads(line)["msg"] == text


# --- several processes on one standard output ---


def test_lines_leave_in_pieces_that_nobody_parts(
    rounds: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    monkeypatch.setattr(Log, "shared", True)
    monkeypatch.setattr(sys, "stdout", Out())
    for number in range(100):
        Log().info(f"{number:03} {'é' * 95}")
    Log().info("long" * 2000)
    Log().info("end")
    rounds.pop()()
    assert "".join(written).splitlines()[-1] == "[INFO] end"
    assert "".join(written).count("\n") == 102
    long = [text for text in written if len(text.encode()) > 4096]
    assert [text.count("\n") for text in long] == [1]
    assert all(text.endswith("\n") for text in written)
    assert len(written) == 7


def test_what_a_full_disk_has_not_taken_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - as standard output is opened
        monkeypatch.setattr("sys.stdout", full)
        Log().error("lost")
        full.write("lost, too")
        give_up_output()
        full.flush()  # as Python does when it ends
    give_up_output()  # a closed one is nothing to worry about
