"""bench.dnsperf: what its output says."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dnsperf import Load, parse, write

OUTPUT = """\
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         114945
  Queries completed:    114900 (99.96%)
  Queries lost:         45 (0.04%)

  Response codes:       NOERROR 114890 (99.99%), SERVFAIL 10 (0.01%)
  Average packet size:  request 35, response 75
  Run time (s):         1.002456
  Queries per second:   114663.386722
"""


def test_a_run() -> None:
    load = parse(OUTPUT)
    assert load == Load(114945, 114900, 1.002456, {"NOERROR": 114890, "SERVFAIL": 10})
    assert load.lost == 55


def test_a_run_without_any_answer() -> None:
    text = OUTPUT.replace("114900 (99.96%)", "0 (0.00%)")
    load = parse("".join(line for line in text.splitlines(keepends=True) if "Response codes" not in line))
    assert (load.answered, load.lost) == (0, 114945)


@pytest.mark.parametrize("text", ["", "Error: unable to open", OUTPUT.replace("Run time", "Time")])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(ValueError, match="dnsperf says nothing of"):
        parse(text)


@given(st.text())
def test_any_text(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)


def test_questions(tmp_path: Path) -> None:
    assert write(["a.example", "b.example"], tmp_path / "q").read_text() == "a.example A\nb.example A\n"
