"""python -m bench: its arguments, what it does without dnsperf, and a short run with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.programs import program


def test_without_dnsperf_it_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main([]) == 1
    assert "dnsperf makes the load and is not here: apt install dnsperf" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--server", "bind=named"], "unknown server 'bind'"),
        (["--only", "bind"], "'bind' is not here"),
    ],
)
def test_servers_that_are_not_there(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    program("dnsperf")
    assert main(arguments) == 1
    assert f"bench: {words}" in capsys.readouterr().err


def test_a_short_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program("dnsperf")
    assert main(["--only", "corepy", "-s", "static", "-l", "0.2", "-r", "1", "-o", str(tmp_path)]) == 0
    assert "bench.svg" in capsys.readouterr().out
    [result] = json.loads((tmp_path / "bench.json").read_text())["results"]
    assert (result["server"], result["differ"]) == ("corepy", 0)
    assert result["rate"] > 0
    assert result["cpu"] > 0
    assert "**static**" in (tmp_path / "bench.md").read_text()
