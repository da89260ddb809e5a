"""`corepy explain` as a command: its arguments, what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corepy.__main__ import main

COREFILE = """\
example.org {
    acl {
        block net 192.0.2.0/24
    }
    forward . 192.0.2.53
}
"""


@pytest.fixture(autouse=True)
def _corefile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Corefile").write_text(COREFILE)
    monkeypatch.chdir(tmp_path)


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "www.example.org", "AAAA", "-tcp", "-bufsize=0"]) == 0
    assert capsys.readouterr().out == (
        "; www.example.org. IN AAAA from 127.0.0.1:53000 over tcp; offline: no upstream is asked\n"
        "\n"
        ";; SERVER BLOCKS on dns://:53:\n"
        "Corefile:1:1  example.org.  chosen: the longest zone\n"
        "\n"
        ";; PLUGINS:\n"
        "acl      Corefile:2  allowed: no rule is for the query; passed on\n"
        "forward  Corefile:5  would ask 192.0.2.53:53 over tcp; answered NOERROR without records\n"
        "\n"
        ";; REPLY:\n"
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4660\n"
        ";; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0\n"
        "\n"
        ";; QUESTION SECTION:\n"
        ";www.example.org. IN AAAA\n"
    )


def test_json_with_flags_behind_words(capsys: pytest.CaptureFixture[str]) -> None:
    answer = "www.example.org. 60 IN A 192.0.2.7"
    assert main(["explain", "www.example.org", "--from", "2001:db8::1#7", "--answer", answer, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["client"] == "[2001:db8::1]:7"
    assert found["reply"]["answer"] == [answer]


def test_a_question_that_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "www.example.org", "-repeat=2"]) == 0
    assert capsys.readouterr().out.count("; www.example.org. IN A from") == 2
    assert main(["explain", "www.example.org", "-repeat=2", "-format=json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == second


def test_who_asks_and_what_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-from=192.0.2.1", "-do", "-to", "127.0.0.1", "www.example.org"]) == 0
    text = capsys.readouterr().out
    assert "status: REFUSED" in text
    assert "flags: do" in text
    assert main(["explain", "-p", "5300", "-to", "127.0.0.1", "www.example.org"]) == 0
    assert "SERVER BLOCKS on dns://:5300" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "a name is wanted"),
        (["a", "b", "c"], "a name is wanted"),
        (["a", "NOPE"], "'NOPE' is no type"),
        (["a..b"], "'a..b' has an empty label"),
        (["a", "-from", "x"], "flag -from: 'x' is not an IP address"),
        (["a", "-proxy", "192.0.2.1#x"], "flag -proxy: 'x' is not a port"),
        (["a", "-bufsize", "65536"], 'invalid value "65536" for flag -bufsize'),
        (["a", "-format", "xml"], 'invalid value "xml" for flag -format'),
        (["a", "-answer", "nonsense"], "flag -answer: 'nonsense' is no record"),
        (["a", "-repeat", "often"], 'invalid value "often" for flag -repeat'),
        (["a", "-session"], "flag -session: it is for a PROXY header over UDP"),
        (["a", "-nosuch"], "flag provided but not defined: -nosuch"),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 2
    text = capsys.readouterr().err
    assert text.startswith(why)
    assert "Usage of corepy explain [flags] NAME [TYPE]:" in text


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-h"]) == 0
    assert capsys.readouterr().err.startswith("Usage of")


def test_corefiles_that_cannot_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad").write_text(". {\n nosuch\n}\n")
    assert main(["explain", "-conf", "bad", "a"]) == 1
    assert "bad:2:2" in capsys.readouterr().err
    assert main(["explain", "-conf", "missing", "a"]) == 1
    assert "missing" in capsys.readouterr().err
