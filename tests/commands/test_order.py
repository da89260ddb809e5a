"""corepy order: which directive runs when, and which ones stand in another order in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corepy.__main__ import main
from corepy.commands.order import steps, swaps
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


# --- other versions ---

ACL = ". {\n acl {\n  block\n }\n rewrite name a b\n cache\n log\n forward . 192.0.2.1\n}\n"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.14.7", []),
        ("1.14.1", ["rewrite before acl", "rewrite before cache"]),
        ("v1.11.3", ["rewrite before acl", "rewrite before cache"]),
        ("1.14.2", ["rewrite before cache", "acl before cache"]),
        ("1.14.6", ["rewrite before cache", "acl before cache"]),
    ],
)
def test_what_earlier_versions_ran_in_another_order(
    version: str, expected: list[str], corefile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [f"{one.name} before {two.name}" for one, two in swaps(load(ACL, "Corefile").blocks[0], version)]
    assert found == expected
    corefile.write_text(ACL)
    assert main(["order", "-compat", version]) == (3 if expected else 0)
    assert capsys.readouterr().out.count("\n") == len(expected)


def test_a_comparison_as_text_and_json(corefile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corefile.write_text(ACL.replace(" rewrite name a b\n", ""))
    assert main(["order", "-compat=1.14.2"]) == 3
    assert capsys.readouterr().out == (
        "Corefile:2:2: acl runs before cache (Corefile:5:2); in 1.14.2 it ran after it\n"
    )
    assert main(["order", "-compat=1.14.2", "-format=json"]) == 3
    [swap] = json.loads(capsys.readouterr().out)["swaps"]
    assert (swap["first"]["name"], swap["second"]["line"]) == ("acl", 5)


@pytest.mark.parametrize("version", ["1.14", "1.10.9", "1.14.8", "one.two.three", ""])
def test_versions_that_are_not_known(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["order", "-compat", version]) == 2
    assert capsys.readouterr().err.startswith("flag -compat: ")
