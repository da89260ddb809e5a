"""What `view` says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from corepy.exprlang import ANY, BOOL, Program
from corepy.plugin import ConfigError, Directive
from corepy.rules import Rule

NEVER: Final = Rule(
    "CPY217",
    "An expression is never true",
    "Its value is no boolean, so the server block never takes a query; a function without parentheses is such a value.",
    "example.org {\n    view signed {\n        expr do\n    }\n    whoami\n}\n",
)


def check(lines: Sequence[Directive], programs: Sequence[Program]) -> Iterator[ConfigError]:
    """Look at the types of expressions."""
    options = [option for line in lines for option in line.block or [] if option.name == "expr"]
    for option, program in zip(options, programs, strict=True):
        if program.type not in (ANY, BOOL):
            what = f"the expression is a {program.type}, which is never true"
            yield NEVER.warn(what, option.arguments[0].at, "a boolean, as in do() or type() == 'A'")
