"""Integers and floating point numbers as Go's fmt writes them."""

from __future__ import annotations

import math
from typing import Final

_BASES: Final = {"b": 2, "o": 8, "O": 8, "d": 10, "x": 16, "X": 16, "U": 16}
_FORMS: Final = {"b": "b", "o": "o", "O": "o", "d": "d", "x": "x", "X": "X", "U": "X"}
_PLAIN_BELOW: Final = 6
"""Powers of ten from here on are written with an exponent by `%v` and `%g`."""
_PREFIXES: Final = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


def format_integer(verb: str, flags: str, width: int | None, precision: int | None, value: int) -> str | None:
    """An integer by a verb; None for one that is not for integers. Zeros to the width are in, spaces are not."""
    if verb not in _BASES:
        return None
    digits = format(abs(value), _FORMS[verb])
    if verb == "U":
        code = f"U+{digits.zfill(max(4, precision or 0))}"
        shows = "#" in flags and chr(value % 0x110000).isprintable() and 0 <= value <= 0x10FFFF
        return f"{code} '{chr(value)}'" if shows else code
    if precision == 0 and value == 0:
        return ""
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if "#" in flags else ""
    if verb == "o" and digits.startswith("0"):
        prefix = ""
    if precision is not None:
        digits = digits.zfill(precision)
    elif "0" in flags and width is not None:
        digits = digits.zfill(width - len(sign))
    return sign + prefix + digits


def format_float(verb: str, flags: str, precision: int | None, value: float) -> str | None:
    """A floating point number by a verb; None for one that is not for them. Nothing is padded."""
    if verb not in "beEfFgGvxX":
        return None
    if not math.isfinite(value):
        text = "NaN" if math.isnan(value) else "Inf" if value > 0 else "-Inf"
        return "+" + text if text == "Inf" and ("+" in flags or verb == "v") else text
    text = _finite(verb, precision, value)
    if text.startswith("-"):
        return text
    return ("+" if "+" in flags else " " if " " in flags else "") + text


def _finite(verb: str, precision: int | None, value: float) -> str:
    if verb in "eE":
        return format(value, f".{6 if precision is None else precision}{verb}")
    if verb in "fF":
        return format(value, f".{6 if precision is None else precision}f")
    if verb in "gGv":
        text = _shortest(value) if precision is None else format(value, f".{precision or 1}g")
        return text.upper() if verb == "G" else text
    if verb == "b":
        mantissa, exponent = math.frexp(value)
        return f"{int(mantissa * (1 << 53))}p{exponent - 53:+d}"
    text = _hexadecimal(value)
    return text.upper() if verb == "X" else text


def _shortest(value: float) -> str:
    """As few digits as tell the number from its neighbours; with an exponent below 1e-4 and from 1e6."""
    mantissa, _, exponent = repr(value).partition("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    if not digits:
        return sign + "0"
    power = int(exponent or 0) + (len(whole) if whole != "0" else len(digits) - len(part))
    digits = digits.rstrip("0") or "0"
    if power - 1 < -4 or power - 1 >= _PLAIN_BELOW:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 1 else '+'}{abs(power - 1):02d}"
    if power <= 0:
        return f"{sign}0.{'0' * -power}{digits}"
    return sign + (digits[:power].ljust(power, "0") + (f".{digits[power:]}" if len(digits) > power else ""))


def _hexadecimal(value: float) -> str:
    """`0x1.8p+01`: Go's exponent has two digits at least, and no zeros end the fraction."""
    mantissa, _, exponent = value.hex().partition("p")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = int(exponent)
    return f"{mantissa}p{'-' if power < 0 else '+'}{abs(power):02d}"
