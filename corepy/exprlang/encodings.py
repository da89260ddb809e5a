"""JSON and base64, as Go's packages write and read them."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final

from corepy.exprlang.calendar import Named
from corepy.exprlang.layouts import RFC3339, show
from corepy.exprlang.times import Duration, Time
from corepy.exprlang.types import Bytes
from corepy.gotemplate.values import octets, text_of

_ESCAPED: Final = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})
_EXPONENT: Final = re.compile(r"e([-+])0(?=\d)")
_PLAIN: Final = (1e-6, 1e21)
"""Between these, Go writes a number without exponent."""


def to_json(value: Any, margin: str = "") -> str:
    """JSON in lines, two spaces deeper with each bracket, with sorted keys; TypeError for what has no JSON."""
    inner = margin + "  "
    if isinstance(value, dict):
        pairs = [f"{_text(key)}: {to_json(value[key], inner)}" for key in sorted(value)]
        return _lines("{", pairs, margin, "}")
    if isinstance(value, list) and not isinstance(value, Bytes):
        return _lines("[", [to_json(each, inner) for each in value], margin, "]")
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Bytes):
        return _text(base64.b64encode(bytes(value)).decode())
    if isinstance(value, Time):
        return _text(show(value, RFC3339))
    if isinstance(value, Duration | Named):
        return str(value.nanoseconds if isinstance(value, Duration) else value.number)
    return _number(value) if isinstance(value, float) else json.dumps(value)


def _lines(opening: str, parts: list[str], margin: str, closing: str) -> str:
    if not parts:
        return opening + closing
    inner = f"\n{margin}  "
    return f"{opening}{inner}{f',{inner}'.join(parts)}\n{margin}{closing}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no key of JSON")
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPED)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    least, most = _PLAIN
    if value == 0 or least <= abs(value) < most:
        text = f"{value:f}" if "e" in repr(value) else repr(value)
        return text.removesuffix(".0").rstrip("0").rstrip(".") if "e" in repr(value) else text.removesuffix(".0")
    return _EXPONENT.sub(r"e\1", repr(value))


def from_json(text: str) -> Any:
    """What JSON says, every number as a float; ValueError where it is none."""
    return json.loads(text, parse_int=float, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def to_base64(text: str) -> str:
    """The octets of a text in base64 (RFC 4648 section 4)."""
    return base64.b64encode(octets(text)).decode()


def from_base64(text: str) -> str:
    """The text whose octets they are; ends of lines count for nothing."""
    return text_of(base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True))


def from_pairs(pairs: Iterable[Any]) -> dict[Any, Any]:
    """`[[key, value]]` as a map."""
    found = {}
    for pair in pairs:
        if not isinstance(pair, list):
            raise TypeError(f"{pair!r} is no pair")
        key, value = pair
        found[key] = value
    return found
