"""What a template may call in addition to Go's own functions."""

from __future__ import annotations

import re
from typing import Final

from corepy.gotemplate import Function, Uint

_PREFIXES: Final = {2: "0b", 8: "0o", 16: "0x"}
_OCTAL: Final = re.compile(r"0(?:_?[0-7])+")
"""Only read so where the base is left to the text."""
_MAX_DIGITS: Final = 100
"""Longer than 64 bits in any base: reading digits is quadratic."""


def parse_uint(text: str, base: int, bits: int) -> Uint:
    """An unsigned number of a base from 2 to 36, or 0 to go by its prefix, and of 1 to 64 bits, or 0 for 64.

    As Go's strconv.ParseUint: nothing but digits, with prefix and underscores for base 0 alone. Raises ValueError.
    """
    if base and not 2 <= base <= 36:
        raise ValueError(f"invalid base {base}")
    if not 0 <= bits <= 64:
        raise ValueError(f"invalid bit size {bits}")
    number = _number(text, base)
    if number is None:
        raise ValueError(f"{text!r} is no number" + f" of base {base}" * bool(base))
    if number >> (bits or 64):
        raise ValueError(f"{text} has more than {bits or 64} bits")
    return Uint(number)


def _number(text: str, base: int) -> int | None:
    """Digits as a number; what Python reads besides, such as signs and blanks, is none."""
    if not text.isascii() or not text.replace("_", "").isalnum() or len(text) > _MAX_DIGITS or text[0] == "_":
        return None
    if base and ("_" in text or text[:2].lower() == _PREFIXES.get(base)):
        return None
    try:
        return int(text.replace("_", ""), 8) if not base and _OCTAL.fullmatch(text) else int(text, base)
    except ValueError:
        return None


FUNCTIONS: Final = {"parseInt": Function(parse_uint, ("string", "int", "int"))}
