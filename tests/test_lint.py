"""The linter's rules: each warns of its example, and of nothing that is as it should be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corepy import registry
from corepy.rules import MISTAKE, RULES, ConfigWarning, Rule
from corepy.source import Source
from corepy.validate import validate

ROOT = Path(__file__).parents[1]

for each in registry.built_in():
    registry.find(each)   # so that its rules are there


DOCUMENT = ROOT / "docs/lint.md"


def test_every_rule_is_in_the_manual_in_its_place() -> None:
    """The manual is made of the rules; where this fails, it is to be written anew from `described`."""
    described = [
        f"## {rule.id}: {rule.title}\n\n{rule.why}\n\n```\n{rule.example}```\n"
        for rule in (RULES[name] for name in sorted(RULES))
    ]
    _, *sections = re.split("^(?=## )", DOCUMENT.read_text(), flags=re.MULTILINE)
    assert [section.rstrip() for section in sections] == [section.rstrip() for section in described]


def found(text: str) -> list[str]:
    """What the rules find: id, place and words."""
    findings = validate(Source(None, "Corefile", text.encode()))
    assert all(isinstance(finding, ConfigWarning) for finding in findings), [str(finding) for finding in findings]
    plain = [str(finding).rpartition("Corefile:")[2] for finding in findings]
    return [f"{_id(finding)} {text}" for finding, text in zip(findings, plain, strict=True)]


def _id(finding: Exception) -> str:
    return finding.rule.id if isinstance(finding, ConfigWarning) else MISTAKE.id


@pytest.mark.parametrize("rule", [RULES[name] for name in sorted(RULES)], ids=sorted(RULES))
def test_each_rule_warns_of_its_example(rule: Rule) -> None:
    findings = validate(Source(None, "Corefile", rule.example.encode()))
    assert rule.id in map(_id, findings), [str(finding) for finding in findings]
    assert rule.title
    assert rule.why.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        ". {\n    errors\n    whoami\n}\n",
        "a {\n hosts {\n  192.0.2.1 b\n  fallthrough\n }\n forward . ::2 ::3 {\n  policy sequential\n }\n log\n}\n",
        "(common) {\n    errors\n}\na.example {\n    import common\n    whoami\n}\nb.a.example {\n    whoami\n}\n",
        ". {\n    view some {\n        expr type() == 'A'\n    }\n    whoami\n}\n. {\n    whoami\n}\n",
        ". {\n    bind 127.0.0.1\n    forward a.example 192.0.2.1\n    forward . 192.0.2.53\n}\n",
        ". {\n bind 127.0.0.1\n template IN A a.example {\n  rcode NXDOMAIN\n }\n forward . 192.0.2.53\n}\n",
    ],
)
def test_what_is_as_it_should_be(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a {\n forward . 192.0.2.1\n hosts {\n  fallthrough\n }\n}",
            ["CPY101 3:2: 'hosts' is asked before 'forward', which stands above it"],
        ),
        (
            "a {\n bind 127.0.0.1\n hosts\n loop\n forward . 192.0.2.1\n}",
            [
                "CPY102 4:2: 'loop' is never reached: no query gets past 'hosts'",
                "CPY102 5:2: 'forward' is never reached: no query gets past 'hosts'",
            ],
        ),
        (
            "a {\n forward . 192.0.2.1\n forward b.a 192.0.2.1\n}",
            ["CPY102 3:2: 'forward' is never reached: no query gets past 'forward'"],
        ),
        ("a {\n erratic\n whoami\n}", ["CPY102 3:2: 'whoami' is never reached: no query gets past 'erratic'"]),
        (
            "a {\n template ANY ANY {\n  rcode NXDOMAIN\n }\n whoami\n}",
            ["CPY102 5:2: 'whoami' is never reached: no query gets past 'template'"],
        ),
        ("a {\n template ANY ANY {\n  match ^a\n  fallthrough\n }\n whoami\n}", []),
        ("a {\n whoami\n cache b.example c.a\n}", ["CPY105 3:8: b.example. is in no zone of this server block"]),
        ("a {\n}", ["CPY106 1:1: no directive of this server block answers queries"]),
        (
            "a {\n whoami\n nsid {$COREPY_NOT_SET}x\n}",
            ["CPY107 3:7: the environment variable COREPY_NOT_SET is not set"],
        ),
        ("a {\n whoami\n proxyproto\n}", ["CPY201 3:2: PROXY headers are accepted from every address"]),
        (
            "a {\n whoami\n proxyproto {\n  allow ::1/128\n  udp_session_tracking 31s\n }\n}",
            ["CPY202 5:24: clients are remembered for more than 30s"],
        ),
        ("a {\n hosts nowhere\n}", ["CPY203 2:8: 'nowhere' does not exist"]),
        ("a {\n hosts {\n  ttx 5\n }\n}", ["CPY204 3:3: 'ttx' is neither an address nor an option"]),
        ("a {\n whoami\n cache 30 b.a a 30s.a\n}", []),
        (". {\n whoami\n cache 30s\n}", ["CPY205 3:8: '30s' is read as a zone"]),
        ("a {\n forward . ::2 {\n  policy random\n }\n}", ["CPY206 3:3: there is but one upstream to choose"]),
        (". {\n forward . ::2\n}", ["CPY207 2:2: anyone may have any name looked up"]),
        (". {\n acl {\n  block\n }\n forward . ::2\n}", []),
        (". {\n forward a ::2\n}", []),
        ("a {\n forward . ::2 127.0.0.1\n}", ["CPY208 2:16: 127.0.0.1:53 is this server block"]),
        ("a:54 {\n forward . 127.0.0.1\n}", []),
        (
            "a {\n acl {\n  allow net ::1\n }\n acl b.a {\n  allow type A\n }\n whoami\n}",
            ["CPY213 2:2: no query is kept out"],
        ),
        (
            "a {\n acl {\n  filter type *\n  allow net ::1\n }\n acl b.a {\n  allow\n }\n whoami\n}",
            ["CPY214 4:3: no query gets to this rule"],
        ),
        ("a {\n acl {\n  allow net ::1\n  block\n }\n whoami\n}", []),
        (
            "a {\n auto\n transfer {\n  to ::1 *\n }\n}",
            ["CPY215 4:10: everyone may have the zones"],
        ),
        ("a {\n secondary {\n  transfer from ::1\n }\n acl {\n  block net ::2\n }\n transfer {\n  to *\n }\n}", []),
        (
            "a {\n view b {\n  expr do\n  expr size() + 1\n  expr do() || true\n }\n whoami\n}",
            [
                "CPY217 3:8: the expression is a function without parentheses, which is never true",
                "CPY217 4:8: the expression is a int, which is never true",
            ],
        ),
        ("a {\n pprof 0.0.0.0:6053\n whoami\n}", ["CPY216 2:2: profiles are not for this machine alone"]),
        ("a {\n pprof [::1]:6053\n whoami\n}", []),
        (
            "a {\n secondary {\n  transfer from ::1\n }\n whoami\n}",
            ["CPY102 5:2: 'whoami' is never reached: no query gets past 'secondary'"],
        ),
        ("a {\n secondary {\n  transfer from ::1\n  fallthrough\n }\n whoami\n}", []),
        (". {\n grpc . 192.0.2.1\n}", ["CPY207 2:2: anyone may have any name looked up"]),
        (
            "a {\n grpc . 192.0.2.1 {\n  policy random\n }\n whoami\n}",
            [
                "CPY206 3:3: there is but one upstream to choose",
                "CPY102 5:2: 'whoami' is never reached: no query gets past 'grpc'",
            ],
        ),
        ("a {\n grpc a 192.0.2.1 {\n  except b.a\n }\n whoami\n}", []),
        ("a {\n bind ::1\n forward . 127.0.0.1\n}", []),
        (
            "a {\n file nowhere\n}",
            ["CPY210 2:7: cannot read zone file 'nowhere': No such file or directory: zone a."],
        ),
        ("a {\n auto\n}", []),
        (
            "a {\n auto {\n  directory nowhere\n }\n}",
            [f"CPY211 3:13: cannot look into '{Path.cwd()}/nowhere': No such file or directory"],
        ),
        (
            "a {\n whoami\n loadbalance weighted nowhere\n}",
            ["CPY212 3:23: cannot read 'nowhere': No such file or directory"],
        ),
        ("import nothing*\na {\n whoami\n}", ["CPY108 1:8: no file matches import nothing*"]),
    ],
)
def test_warnings(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_the_example_is_an_open_resolver_and_nothing_else_to_warn_of() -> None:
    example = ROOT / "Corefile.example"
    assert [_id(one) for one in validate(Source(str(example), example.name))] == ["CPY207"]
