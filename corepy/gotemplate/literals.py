r"""Numbers, characters and strings as Go writes them (The Go Programming Language Specification, Literals)."""

from __future__ import annotations

import re
from typing import Final

from corepy.gotemplate.tree import Number

_ESCAPE: Final = re.compile(
    r"""\\(?: (?P<letter>[abfnrtv\\'"]) | (?P<octal>[0-7]{3}) | x(?P<octet>[0-9a-fA-F]{2})
        | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>[0-9a-fA-F]{8}) )""",
    re.VERBOSE,
)
_LETTERS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_UNDERSCORES: Final = re.compile(r"__|_$|^[+-]?_|[^0-9a-fA-FxXoObB]_|_[^0-9a-fA-F]")
_OCTAL: Final = re.compile(r"[+-]?0[0-7_]+")
_PREFIXED: Final = re.compile(r"[+-]?0[xXoObB]")
_UINT64: Final = 1 << 64
_INT64: Final = 1 << 63
_MAX_DIGITS: Final = 400
"""Letters of a number, at most: a float64 has 309 digits before the point, and reading digits is quadratic."""


def read_string(text: str) -> str:
    """A literal with its quotes, `"..."` or raw, as the string that it means. Raises ValueError."""
    if text.startswith("`"):
        return text[1:-1].replace("\r", "")
    return _unescape(text[1:-1], "'")


def _unescape(inner: str, foreign: str) -> str:
    r"""Escapes as octets, so that `\xc3\xa9` is one letter; `foreign` is the quote that must not be escaped."""
    parts: list[bytes] = []
    at = 0
    while (back := inner.find("\\", at)) >= 0:
        parts.append(inner[at:back].encode("utf-8", "surrogateescape"))
        match = _ESCAPE.match(inner, back)
        if match is None or match["letter"] == foreign:
            raise ValueError(f"unknown escape {inner[back : back + 2]}")
        parts.append(_escaped(match))
        at = match.end()
    parts.append(inner[at:].encode("utf-8", "surrogateescape"))
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _escaped(match: re.Match[str]) -> bytes:
    if letter := match["letter"]:
        return _LETTERS.get(letter, letter).encode()
    if match["octal"] or match["octet"]:
        octet = int(match["octal"], 8) if match["octal"] else int(match["octet"], 16)
        if octet > 255:
            raise ValueError(f"{match[0]} is no octet")
        return bytes((octet,))
    return _character(int(match["short"] or match["long"], 16)).encode()


def _character(number: int) -> str:
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError(f"{number:#x} is no character")
    return chr(number)


def read_character(text: str) -> int:
    """A literal such as `'a'` as the number of its character. Raises ValueError."""
    inner = text[1:-1]
    match = _ESCAPE.fullmatch(inner)
    if match is not None and (match["octal"] or match["octet"]):
        return _escaped(match)[0]
    value = _unescape(inner, '"')
    if len(value) != 1:
        raise ValueError(f"{text} is not one character")
    return ord(value)


def read_number(text: str, at: int) -> Number:
    """A literal as all the numbers that it can be. Raises ValueError."""
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number of too many digits")
    if text.startswith("'"):
        code = read_character(text)
        return Number(at, text, code, float(code), code)
    if text.endswith("i"):
        return _imaginary(text, at)
    if _UNDERSCORES.search(text):
        raise ValueError(f"bad number {text}")
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return Number(at, text, integer, float(integer), integer)
    real = _real(plain)
    integer = int(real) if real == int(real) and abs(real) < _INT64 else None
    written_as_real = any(letter in text for letter in ".eEpP")
    return Number(at, text, integer, real, real if written_as_real or integer is None else integer)


def _integer(text: str) -> int | None:
    """The number if it is a whole one of 64 bits; ValueError where it is whole and larger."""
    try:
        number = int(text, 8) if _OCTAL.fullmatch(text) else int(text, 0)
    except ValueError:
        return None
    if not -_INT64 <= number < _UINT64:
        raise ValueError(f"{text} has more than 64 bits")
    return number


def _real(text: str) -> float:
    try:
        number = float.fromhex(text) if _PREFIXED.match(text) and "p" in text.lower() else float(text)
    except (ValueError, OverflowError):
        raise ValueError(f"bad number {text}") from None
    if number in (float("inf"), float("-inf")) or number != number:  # noqa: PLR0124 - only NaN is not itself
        raise ValueError(f"bad number {text}")
    return number


def _imaginary(text: str, at: int) -> Number:
    """`2i`, or `1+2i` with a real part."""
    split = max(text.rfind("+", 1, -1), text.rfind("-", 1, -1))
    while split > 0 and text[split - 1] in "eEpP":
        split = max(text.rfind("+", 1, split), text.rfind("-", 1, split))
    real = _real(text[:split]) if split > 0 else 0.0
    imaginary = _real(text[max(split, 0) : -1])
    value = complex(real, imaginary)
    if imaginary:
        return Number(at, text, None, None, value)
    return Number(at, text, int(real) if real == int(real) else None, real, value)


__all__ = ["read_character", "read_number", "read_string"]
