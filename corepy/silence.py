"""What people do not want to be warned of: `# corepy: ignore CPY102` in a Corefile, and the flag `-ignore CPY102`.

A comment behind words is for their line, one on a line of its own for the next line that has words. Several ids stand
behind each other; a colon ends them, and a reason may follow. What a comment ignores without need, and what it names
that is no rule, is warned of: such a comment is left over, or does not do what its writer believes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from corepy import corefile, registry
from corepy.errors import ConfigError, Position
from corepy.rules import RULES, ConfigWarning, Rule
from corepy.words import nearest, shown

_MARK: Final = "corepy:"
_COMMENT: Final = re.compile(r"#\s*corepy:\s*ignore\b(?P<ids>[^:]*)")
_ID: Final = re.compile(r"[^\s,]+")

UNKNOWN: Final = Rule(
    "CPY110",
    "A comment ignores what is no rule",
    "Nothing is ignored by it, and a warning that was meant goes on.",
    ". {\n    whoami # corepy: ignore CPY999\n}\n",
)
UNUSED: Final = Rule(
    "CPY111",
    "A comment ignores what is not there",
    "What it was for has gone, or stands elsewhere; left over, it would hide the next one.",
    ". {\n    whoami # corepy: ignore CPY102: nothing comes behind it\n}\n",
)


@dataclass
class _Ignored:
    """An id in a comment, and the line that it is for; None at the end of a file."""

    id: str
    at: Position
    line: int | None
    used: bool = field(default=False)

    def is_for(self, finding: ConfigError) -> bool:
        at = finding.at
        return (
            isinstance(finding, ConfigWarning) and finding.rule.id == self.id
            and at is not None and (at.file, at.line) == (self.at.file, self.line)
        )  # fmt: skip


def silence(
    findings: Sequence[ConfigError], texts: Mapping[str, str | bytes], ignore: Collection[str] = ()
) -> list[ConfigError]:
    """The findings without the warnings that are to be ignored, and what is wrong with the comments that say so.

    `texts` are the files by the names of positions, `ignore` has ids for all of them. What keeps a server from
    starting cannot be ignored.
    """
    asked = [each for name, text in texts.items() for each in _asked(text, name)]
    left = []
    for finding in findings:
        mine = [each for each in asked if each.is_for(finding)]
        for each in mine:
            each.used = True
        if not mine:
            left.append(finding)
    # Where something could not be read, the rules have not seen it.
    whole = all(isinstance(finding, ConfigWarning) for finding in findings)
    left += [warning for each in asked for warning in _about(each, whole=whole)]
    return [one for one in left if not (isinstance(one, ConfigWarning) and one.rule.id in ignore)]


def unknown_ids(ids: Iterable[str]) -> list[tuple[str, str]]:
    """Those of the ids that no rule has, not even one of a plugin that nobody has named; each with a guess."""
    wanted = list(ids)
    if not RULES.keys() >= set(wanted):
        for name in registry.known():
            with suppress(ConfigError):   # a plugin that cannot be loaded has no rules, and is no concern of these
                registry.find(name)
    return [(each, nearest(each, RULES)) for each in wanted if each not in RULES]


def _asked(text: str | bytes, name: str) -> Iterator[_Ignored]:
    """What the comments of a file want to be ignored."""
    rows = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    if _MARK not in rows:
        return
    found = corefile.comments(text, name)
    alone = {comment.at.line for comment, behind in found if not behind}
    filled = [number for number, row in enumerate(rows.split("\n"), 1) if row.strip() and number not in alone]
    for comment, behind in found:
        match = _COMMENT.match(comment)
        at = comment.at
        if match is None:
            continue
        line = at.line if behind else next((number for number in filled if number > at.line), None)
        first = at.column + match.start("ids")
        named = [(word[0].upper(), first + word.start()) for word in _ID.finditer(match["ids"])]
        for rule, column in named or [("", at.column)]:
            yield _Ignored(rule, Position(at.file, at.line, column, at.text), line)


def _about(ignored: _Ignored, *, whole: bool) -> Iterator[ConfigWarning]:
    """What is wrong with a comment."""
    if not ignored.id:
        yield UNKNOWN.warn("the comment names no rule", ignored.at, "for example: # corepy: ignore CPY102")
    elif unknown := unknown_ids([ignored.id]):
        hint = unknown[0][1] or "ids end at a colon, and a reason may follow"
        yield UNKNOWN.warn(f"{shown(ignored.id)} is no rule", ignored.at, hint)
    elif whole and not ignored.used:
        yield UNUSED.warn(f"nothing to ignore: {ignored.id} does not warn of this line", ignored.at)


__all__ = ["silence", "unknown_ids"]
