"""The regular expressions that corepy itself is made of, which Python's engine reads: none can be made to take long.

What people write in a Corefile is RE2's (tests/test_expression.py). A repetition inside of a repetition is what takes
exponential time where a text can be read in two ways; there are few, and each has a reason why it cannot.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from re import _parser  # what re itself reads patterns with
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = {"compile", "match", "fullmatch", "search", "split", "sub", "findall", "finditer"}
ONE_WAY = {
    r"([a-z]([a-z0-9-]*[a-z0-9])?\.)+": "a label ends at a dot, and has none inside",
    r"(?:[0-9]+[smhdw])+[0-9]*": "a number ends at its unit",
    rb"(?:[^\\]|\\Q(?:(?!\\E).)*(?:\\E|\Z)|\\[^CQ])*\\C": r"what stands between \Q and \E ends at the first \E",
}
"""Repetitions in repetitions, with the reason why a text can be read in one way only."""


def patterns() -> Iterator[tuple[str, str | bytes]]:
    """All that are written as one text, with their places."""
    for path in [*(ROOT / "corepy").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            if ast.unparse(node.func.value) != "re" or node.func.attr not in FUNCTIONS:
                continue
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str | bytes):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.args[0].value


def repeats(items: Any) -> Iterator[Any]:
    """What is repeated more than once, without end."""
    for operator, argument in items:
        if "REPEAT" in str(operator):
            if argument[1] > 100:
                yield argument[2]
            yield from repeats(argument[2])
        elif "BRANCH" in str(operator):
            for branch in argument[1]:
                yield from repeats(branch)
        elif "SUBPATTERN" in str(operator):
            yield from repeats(argument[3])


def test_there_are_patterns() -> None:
    assert len(list(patterns())) > 40


@pytest.mark.parametrize(("place", "pattern"), sorted(set(patterns()), key=str), ids=str)
def test_no_repetition_in_a_repetition(place: str, pattern: str | bytes) -> None:
    parsed = _parser.parse(pattern, re.VERBOSE * ("\n" in str(pattern)))
    assert not any(list(repeats(inner)) for inner in repeats(parsed)) or pattern in ONE_WAY, place
