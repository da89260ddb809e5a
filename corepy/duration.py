"""Durations as CoreDNS, and so Go, writes them: `1h30m`, `1.5s`, `300ms`."""

from __future__ import annotations

import re
from typing import Final

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile(r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_LIMIT: Final = 1 << 63
"""Durations are nanoseconds in a signed 64-bit number: about 292 years either way."""
_DIGITS: Final = 20
"""Digits of a fraction that can matter: those of an hour in nanoseconds, and a few more."""


def parse_duration(text: str) -> float:
    """The seconds that a duration says.

    The language is that of Go's time.ParseDuration: an optional sign, then numbers with a unit each, which add
    up (`1h30m`, `-1.5h`, `.5s`); a bare `0` is allowed. Less than a nanosecond is cut off. Raises ValueError
    for everything else, and for more than 292 years.
    """
    return parse_nanoseconds(text) / 1e9


def parse_nanoseconds(text: str) -> int:
    """The same in nanoseconds, exactly."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text.startswith(("-", "+")) else text
    if rest == "0":
        return 0
    total = at = 0
    while match := _PART.match(rest, at):
        whole, fraction, unit = match.groups()
        total += _number(whole) * _NANOSECONDS[unit]
        digits = (fraction or "")[:_DIGITS]
        total += _number(digits) * _NANOSECONDS[unit] // 10 ** len(digits)
        at = match.end()
    if at != len(rest) or not rest or total > (_LIMIT if sign < 0 else _LIMIT - 1):
        raise ValueError(f"{text!r} is no duration")
    return sign * total


def _number(digits: str) -> int:
    """A number of digits, none of them is zero; one beyond the limit stays beyond it, but short."""
    significant = digits.lstrip("0")
    return 2 * _LIMIT if len(significant) > _DIGITS else int(significant or "0")


def format_duration(seconds: float) -> str:
    """How Go prints a duration of so many seconds: `700ms`, `1h0m0s`, `1.5s`, `0s`.

    Rounded to nanoseconds. Raises ValueError or OverflowError for what is no finite number.
    """
    return format_nanoseconds(round(seconds * 1e9))


def format_nanoseconds(nanoseconds: int) -> str:
    """The same for nanoseconds, exactly."""
    sign = "-" if nanoseconds < 0 else ""
    nanoseconds = abs(nanoseconds)
    if nanoseconds == 0:
        return "0s"
    for unit, digits in (("ns", 0), ("\u00b5s", 3), ("ms", 6)):
        if nanoseconds < 10 ** (digits + 3):
            return sign + _decimal(nanoseconds, digits) + unit
    minutes, nanoseconds = divmod(nanoseconds, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{_decimal(nanoseconds, 9)}s"


def _decimal(number: int, digits: int) -> str:
    """The number divided by 10 to the power of `digits`, exactly and without zeros at the end."""
    whole, fraction = divmod(number, 10**digits)
    return f"{whole}.{fraction:0{digits}d}".rstrip("0") if fraction else str(whole)
