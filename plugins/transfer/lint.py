"""What `transfer` says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from corepy.plugin import ConfigError, Directive
from corepy.rules import Rule

_GUARDS: Final = frozenset(("acl", "tsig"))
"""Directives that let only some clients ask."""

ANYONE: Final = Rule(
    "CPY215",
    "Anyone may fetch whole zones",
    "A transfer tells every name of a zone to who could only guess them otherwise, and is many times its query's size.",
    "example.org {\n    auto\n    transfer {\n        to *\n    }\n}\n",
)


def check(lines: Sequence[Directive], others: Sequence[str]) -> Iterator[ConfigError]:
    """Look at the lines; `others` are the plugins of the server block."""
    if _GUARDS.isdisjoint(others):
        for option in (option for line in lines for option in line.block or []):
            for word in option.arguments if "key" not in option.arguments else ():
                if option.name == "to" and word == "*":
                    hint = "name the secondaries, or let acl or tsig say who may ask"
                    yield ANYONE.warn("everyone may have the zones", word.at, hint)
