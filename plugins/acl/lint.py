"""What the rules of `acl` say and seldom mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from corepy.plugin import ConfigError
from corepy.rules import Rule

if TYPE_CHECKING:
    from corepy.errors import Position

BLOCKS_NOBODY: Final = Rule(
    "CPY213",
    "An acl that keeps nobody out",
    "Who is in none of the rules is allowed, too; without a rule that blocks, filters or drops, everyone is.",
    "example.org {\n    acl {\n        allow net 192.0.2.0/24\n    }\n    whoami\n}\n",
)
UNREACHABLE: Final = Rule(
    "CPY214",
    "A rule of acl is never asked",
    "The first rule that fits counts, and one above it fits every query.",
    "example.org {\n    acl {\n        block\n        allow net 192.0.2.0/24\n    }\n    whoami\n}\n",
)


def check(lists: Iterable[Iterable[tuple[Position, bool, bool]]], at: Position) -> Iterator[ConfigError]:
    """Look at the rules of each line: their places, whether they allow, and whether they are for every query."""
    found = [list(rules) for rules in lists]
    if all(allows for rules in found for _, allows, _ in rules):
        yield BLOCKS_NOBODY.warn("no query is kept out", at, "a last rule of 'block' is for all who are in no other")
    for rules in found:
        end: Position | None = None
        for place, _, everything in rules:
            if end is not None:
                yield UNREACHABLE.warn("no query gets to this rule", place, f"the one at {end} is for every query")
            elif everything:
                end = place
