"""Functions on strings, as Go's package strings has them."""

from __future__ import annotations

import re
from typing import Any, Final

from corepy.gotemplate.formatting import print_
from corepy.gotemplate.values import octets, text_of

MAX_TEXT: Final = 1_000_000
"""Characters that `repeat` makes at most, as in expr-lang: a typing error must not eat the memory."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_HEXADECIMAL: Final = re.compile(r"[+-]?0[xX][^_]*[pP][^_]*")
_BITS: Final = 63   # of a Go int, beside its sign


def to_int(value: Any) -> int:
    """A number without its fraction, or what a string says in decimal."""
    if not isinstance(value, str):
        return int(value)
    if not _INTEGER.fullmatch(value) or not -(1 << _BITS) <= (number := int(value)) < 1 << _BITS:
        raise ValueError(f"{value!r} is no number")
    return number


def to_float(value: Any) -> float:
    """A number, or what a string says, in decimal or with a hexadecimal mantissa."""
    if not isinstance(value, str):
        return float(value)
    if _HEXADECIMAL.fullmatch(value):
        return float.fromhex(value)
    if not value.isascii() or value != value.strip():
        raise ValueError(f"{value!r} is no number")
    return float(value)


def to_text(value: Any) -> str:
    """A value as Go prints it."""
    return print_([value])


def trim(text: str, letters: str | None = None) -> str:
    """Without these letters, or without white space, at both ends."""
    return text.strip(letters)


def upper(text: str) -> str:
    """In upper case, letter by letter."""
    return text.upper() if text.isascii() else "".join(map(_one_upper, text))


def _one_upper(letter: str) -> str:
    changed = letter.upper()
    return changed if len(changed) == 1 else letter


def lower(text: str) -> str:
    """In lower case, letter by letter."""
    return text.lower() if text.isascii() else "".join([letter.lower()[0] for letter in text])


def find(text: str, part: str) -> int:
    """Where the part is for the first time, in octets; -1 for nowhere."""
    return octets(text).find(octets(part))


def find_last(text: str, part: str) -> int:
    """Where the part is for the last time, in octets; -1 for nowhere."""
    return octets(text).rfind(octets(part))


def part(text: str, start: int | None, end: int | None) -> str:
    """`text[start:end]`, counted in octets."""
    return text[start:end] if text.isascii() else text_of(octets(text)[start:end])


def split(text: str, separator: str, most: int = -1) -> list[str]:
    """The parts between separators, `most` of them at most; single letters for an empty separator."""
    if most == 0:
        return []
    if not separator:
        return list(text) if most < 0 else [*text[: most - 1], *filter(None, [text[most - 1 :]])]
    return text.split(separator, most - 1 if most > 0 else -1)


def split_after(text: str, separator: str, most: int = -1) -> list[str]:
    """The same, each part with the separator behind it."""
    parts = split(text, separator, most)
    return [each + separator for each in parts[:-1]] + parts[-1:]


def repeat(text: str, times: int) -> str:
    """The text so many times."""
    if times < 0 or times * len(text) >= MAX_TEXT:
        raise ValueError("repeat makes too long a text")
    return text * times
