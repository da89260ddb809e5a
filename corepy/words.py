"""The words of a Corefile: text that knows where it stands, and the environment variables in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

from corepy.errors import Position

NOWHERE = Position("-", 1, 1)
"""The place of a word that comes from no file, as in a test."""
MAX_DEPTH = 50
"""Blocks within blocks, and imports within imports: more is a mistake, and Python's stack ends somewhere."""
_MAX_REPLACEMENTS = 100
"""Variables whose values name variables are followed this often, so that a circle of them ends."""


class Word(str):
    """A word of a Corefile: a `str` without quotes and with the variables' values, and where it came from.

    `at` is where it begins; `unset` names the environment variables in it that were not set and so became
    empty, for an error to mention.
    """

    __slots__ = ("at", "unset")

    at: Position
    unset: tuple[str, ...]

    def __new__(cls, text: str, at: Position = NOWHERE, unset: tuple[str, ...] = ()) -> Self:
        """Make the word; the text is final, variables are replaced before."""
        word = super().__new__(cls, text)
        word.at = at
        word.unset = unset
        return word


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two braces: `opened` and `closed` are the places of the braces."""

    opened: Position
    closed: Position
    lines: list[Line]


Line: TypeAlias = list[Word | Block]
"""What stands on one line, never empty; a block reaches over further lines."""


def place(item: Word | Block) -> Position:
    """Where a word or a block begins."""
    return item.opened if isinstance(item, Block) else item.at


def shown(text: str) -> str:
    """The text in quotes for a message of one line: as written, but for characters that cannot be printed."""
    letters = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return f"'{letters}'"


def remark(what: str, at: Position) -> Word:
    """A remark on a place, for the log, which begins with it."""
    return Word(f"{at}: {what}", at)


def nearest(text: str, names: Iterable[str]) -> str:
    """A hint with the name that was probably meant; empty if none is near. Case does not count."""
    by_fold = {name.casefold(): name for name in names}
    matches = difflib.get_close_matches(text.casefold(), by_fold, n=1)
    return f'did you mean "{by_fold[matches[0]]}"?' if matches else ""


def replace_variables(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The text with `{%NAME%}` and then `{$NAME}` replaced, and the names that are not set.

    As CoreDNS does, a value may name variables again, a reference without a name ends the replacement, and
    what is not set is empty. Raises ValueError when values refer to each other without end.
    """
    if "{" not in text:
        return text, ()
    unset: list[str] = []
    for begin, end in (("{%", "%}"), ("{$", "}")):
        for _ in range(_MAX_REPLACEMENTS):
            _, opened, rest = text.partition(begin)
            name, closed, _ = rest.partition(end)
            if not (opened and closed and name):
                break
            if name not in environ:
                unset.append(name)
            text = text.replace(begin + name + end, environ.get(name, ""))
        else:
            raise ValueError("environment variables refer to each other without end")
    return text, tuple(dict.fromkeys(unset))


def not_set(words: Iterable[str]) -> str:
    """A remark on the variables in these words that are not set, to follow an error; empty if there are none."""
    names = list(dict.fromkeys(name for word in words if isinstance(word, Word) for name in word.unset))
    if not names:
        return ""
    listed = ", ".join(names)
    return f" (the environment variable{'s' * (len(names) > 1)} {listed} {'is' if len(names) == 1 else 'are'} not set)"
