"""What findings look like: to people, to programs, on GitHub and in code scanning."""

from __future__ import annotations

import json

import pytest

from corepy.errors import ConfigError, Position
from corepy.report import as_json, count, github, sarif, text
from corepy.rules import ConfigWarning, Rule


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[ConfigError]:
    monkeypatch.setattr("corepy.rules.RULES", {})
    at = Position("conf/Core file", 3, 6, "\tlog 100%")
    rule = Rule("X1", "Odd, and: even", "It is.", ". {\n}\n")
    return [
        ConfigError("no such\nthing", at, expected="100%", hint="did you mean it?", plugin="log"),
        ConfigWarning(rule, "odd", Position("/etc/é", 1, 1, "x")),
        ConfigError("not found"),
    ]


def test_text(findings: list[ConfigError]) -> None:
    assert text(findings[:1]) == (
        "conf/Core file:3:6: error: plugin/log: no such\nthing, expected 100%\n"
        "    \tlog 100%\n    \t    ^\n    did you mean it?\n1 error\n"
    )
    assert text(findings[1:]) == "/etc/é:1:1: warning[X1]: odd\n    x\n    ^\nerror: not found\n1 error and 1 warning\n"
    assert text(findings[1:2], strict=True) == "/etc/é:1:1: error[X1]: odd\n    x\n    ^\n1 error\n"
    assert text([]) == "nothing is wrong\n"


def test_json(findings: list[ConfigError]) -> None:
    found = json.loads(as_json(findings))
    assert (found["errors"], found["warnings"]) == count(findings, strict=False) == (2, 1)
    assert found["findings"][0] == {
        "level": "error", "rule": "CPY001", "message": "no such\nthing", "expected": "100%",
        "hint": "did you mean it?", "plugin": "log", "file": "conf/Core file", "line": 3, "column": 6,
        "source": "\tlog 100%",
    }  # fmt: skip
    assert found["findings"][1]["rule"] == "X1"
    assert found["findings"][2]["file"] is None
    assert json.loads(as_json(findings, strict=True))["errors"] == 3


def test_github(findings: list[ConfigError]) -> None:
    assert github(findings).split("\n") == [
        (
            "::error file=conf/Core file,line=3,col=6,title=CPY001%3A The Corefile cannot be served"
            "::plugin/log: no such%0Athing, expected 100%25%0Adid you mean it?"
        ),
        "::warning file=/etc/é,line=1,col=1,title=X1%3A Odd%2C and%3A even::odd",
        "::error title=CPY001%3A The Corefile cannot be served::not found",
        "",
    ]
    assert github(findings[1:2], strict=True).startswith("::error ")
    assert github([]) == ""


def test_sarif(findings: list[ConfigError]) -> None:
    """What SARIF 2.1.0 asks for: version and runs (3.13), a driver's name (3.19.8), a result's message (3.27.11)."""
    log = json.loads(sarif(findings))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "corepy"
    assert [rule["id"] for rule in driver["rules"]] == ["CPY001", "X1"]
    assert all(rule[key]["text"] for rule in driver["rules"] for key in ("shortDescription", "fullDescription", "help"))
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in ("error", "warning")
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"][:2]]
    assert places == [
        {"artifactLocation": {"uri": "conf/Core%20file"}, "region": {"startLine": 3, "startColumn": 6}},
        {"artifactLocation": {"uri": "file:///etc/%C3%A9"}, "region": {"startLine": 1, "startColumn": 1}},
    ]
    assert "locations" not in run["results"][2]
    assert json.loads(sarif([]))["runs"][0]["results"] == []
