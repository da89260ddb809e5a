"""corepy order: which directive runs when, and which ones stand in another order in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corepy.__main__ import main
from corepy.commands.order import steps
from corepy.corefile import load

TEXT = """\
.:5300 example.org {
    bind 127.0.0.1
    forward . 192.0.2.1
    log
    azure
    errors
    reload
    log example.org
}

example.net {
}
"""


@pytest.fixture(autouse=True)
def corefile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "Corefile"
    path.write_text(TEXT)
    return path


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["order"]) == 0
    assert capsys.readouterr().out == """\
.:5300 example.org (Corefile:1:1)
   1 errors   Corefile:6:5  written below log, forward
   2 log      Corefile:4:5  written below forward
   3 log      Corefile:8:5  written below forward
   4 forward  Corefile:3:5
  not in the chain:
   - reload   Corefile:7:5
   - bind     Corefile:2:5
  not built yet:
   - azure    Corefile:5:5

example.net (Corefile:11:1)
"""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["order", "-conf", "Corefile", "--format", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["blocks"]
    assert first["keys"] == [".:5300", "example.org"]
    assert [each["name"] for each in first["directives"]] == [
        "reload", "bind", "errors", "log", "log", "azure", "forward",
    ]  # fmt: skip
    assert first["directives"][3] == {
        "name": "log", "arguments": [], "file": "Corefile", "line": 4, "column": 5, "kind": "chain",
        "overtakes": [{"name": "forward", "file": "Corefile", "line": 3, "column": 5}],
    }  # fmt: skip
    assert second == {"keys": ["example.net"], "file": "Corefile", "line": 11, "column": 1, "directives": []}


def test_written_as_it_runs_nothing_is_overtaken() -> None:
    [block] = load(". {\n errors\n log\n cache\n whoami\n}\n", "Corefile").blocks
    assert not any(step.overtakes for step in steps(block))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-conf", "nowhere"], 1, "loading Caddyfile via flag: open nowhere: no such file or directory\n"),
        (["-conf", "broken"], 1, "broken:1:"),
        (["word"], 2, "extra command line arguments: [word]\n"),
        (["-format", "xml"], 2, 'invalid value "xml" for flag -format\n'),
        (["-x"], 2, "flag provided but not defined: -x\n"),
        (["-h"], 0, "Usage of corepy order:\n"),
    ],
)
def test_what_cannot_be(
    corefile: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    corefile.with_name("broken").write_text(". {\n")
    assert main(["order", *arguments]) == status
    assert capsys.readouterr().err.startswith(message)
