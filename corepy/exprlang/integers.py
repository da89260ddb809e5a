"""Integers of 64 bits with a sign, which overflow as Go's do."""

from __future__ import annotations

from typing import Any, Final

_WORD: Final = 1 << 64
SIGN: Final = 1 << 63


def wrapped(number: Any) -> Any:
    """An integer as a signed one of 64 bits; all else as it is."""
    if isinstance(number, int) and not -SIGN <= number < SIGN:
        return (number + SIGN) % _WORD - SIGN
    return number


def held(number: int) -> int:
    """The nearest integer that is there."""
    return max(-SIGN, min(number, SIGN - 1))
