"""Findings of `corepy -validate` as text: for people, for programs, and for those who show them beside the code."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import corepy
from corepy.errors import ConfigError
from corepy.rules import MISTAKE, ConfigWarning, Rule

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def text(findings: Sequence[ConfigError], *, strict: bool = False) -> str:
    """For people: `FILE:LINE:COLUMN: KIND: what`, the line with a caret, the hint; at the end how many there are."""
    lines = []
    for finding in findings:
        kind = _level(finding, strict=strict)
        kind += f"[{finding.rule.id}]" if isinstance(finding, ConfigWarning) else ""
        where = f"{finding.at}: " if finding.at else ""
        lines.append(f"{where}{kind}: {_message(finding)}" + finding.explain().removeprefix(str(finding)))
    errors, warnings = count(findings, strict=strict)
    counted = [_number(errors, "error")] * bool(errors) + [_number(warnings, "warning")] * bool(warnings)
    return "\n".join([*lines, " and ".join(counted) or "nothing is wrong"]) + "\n"


def as_json(findings: Sequence[ConfigError], *, strict: bool = False) -> str:
    """For programs: an object with the numbers of `errors` and `warnings`, and all `findings`."""
    errors, warnings = count(findings, strict=strict)
    listed = [_plain(finding, strict=strict) for finding in findings]
    return json.dumps({"errors": errors, "warnings": warnings, "findings": listed}, indent=2) + "\n"


def github(findings: Sequence[ConfigError], *, strict: bool = False) -> str:
    """For GitHub's workflows: a command for each finding, which becomes an annotation of the line."""
    return "".join(f"{_command(finding, strict=strict)}\n" for finding in findings)


def sarif(findings: Sequence[ConfigError], *, strict: bool = False) -> str:
    """For code scanning: SARIF 2.1.0 (OASIS), with the rules that have found something."""
    rules = {rule.id: rule for rule in map(_rule, findings)}
    numbers = {name: number for number, name in enumerate(sorted(rules))}
    driver = {
        "name": "corepy",
        "version": corepy.__version__,
        "rules": [_sarif_rule(rules[name]) for name in numbers],
    }
    results = [_result(finding, numbers[_rule(finding).id], strict=strict) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


Format = Callable[..., str]
FORMATS: Final[dict[str, Format]] = {"text": text, "json": as_json, "github": github, "sarif": sarif}
"""By the names that the flag `-format` takes."""


def count(findings: Sequence[ConfigError], *, strict: bool) -> tuple[int, int]:
    """How many errors and how many warnings there are; `strict` knows no warnings."""
    warnings = sum(_level(finding, strict=strict) == "warning" for finding in findings)
    return len(findings) - warnings, warnings


def _level(finding: ConfigError, *, strict: bool) -> str:
    """`error` or `warning`, which GitHub and SARIF say too."""
    return "warning" if isinstance(finding, ConfigWarning) and not strict else "error"


def _rule(finding: ConfigError) -> Rule:
    return finding.rule if isinstance(finding, ConfigWarning) else MISTAKE


def _message(finding: ConfigError) -> str:
    plugin = f"plugin/{finding.plugin}: " if finding.plugin else ""
    return f"{plugin}{finding.what}{f', expected {finding.expected}' if finding.expected else ''}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _plain(finding: ConfigError, *, strict: bool) -> dict[str, Any]:
    at = finding.at
    return {
        "level": _level(finding, strict=strict),
        "rule": _rule(finding).id,
        "message": finding.what,
        "expected": finding.expected,
        "hint": finding.hint,
        "plugin": finding.plugin,
        "file": at.file if at else None,
        "line": at.line if at else None,
        "column": at.column if at else None,
        "source": at.text if at else None,
    }


def _command(finding: ConfigError, *, strict: bool) -> str:
    """`::error file=F,line=L,col=C,title=T::message`, with percent signs for what would end a part of it."""
    rule, at = _rule(finding), finding.at
    title = f"{rule.id}: {rule.title}"
    parts = {"file": at.file, "line": str(at.line), "col": str(at.column)} if at else {}
    properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in {**parts, "title": title}.items())
    message = "\n".join([_message(finding), *[finding.hint] * bool(finding.hint)])
    return f"::{_level(finding, strict=strict)} {properties}::{_escaped(message)}"


def _escaped(value: str, also: str = "") -> str:
    for letter in "%\r\n" + also:   # the percent sign first
        value = value.replace(letter, f"%{ord(letter):02X}")
    return value


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\nFor example:\n\n{rule.example}"},
        "defaultConfiguration": {"level": "error" if rule is MISTAKE else "warning"},
    }


def _result(finding: ConfigError, number: int, *, strict: bool) -> dict[str, Any]:
    message = _message(finding) + f" ({finding.hint})" * bool(finding.hint)
    result: dict[str, Any] = {
        "ruleId": _rule(finding).id,
        "ruleIndex": number,
        "level": _level(finding, strict=strict),
        "message": {"text": message},
    }
    if finding.at:
        region = {"startLine": finding.at.line, "startColumn": finding.at.column}
        place = {"artifactLocation": {"uri": _uri(finding.at.file)}, "region": region}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _uri(file: str) -> str:
    """A reference to a file (RFC 3986); one that is relative stays so."""
    path = quote(file.encode("utf-8", "surrogateescape"))
    return f"file://{path}" if PurePosixPath(file).is_absolute() else path
