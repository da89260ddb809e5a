"""Functions that every expression has: those of expr-lang on numbers, texts, arrays and maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from corepy.exprlang.operators import equal
from corepy.exprlang.types import ANY, BOOL, FLOAT, INT, MAP, NUMBER, STRING, Function, Type, array

MAX_TEXT: Final = 1_000_000
"""Characters that `repeat` makes at most, as in expr-lang: a typing error must not eat the memory."""
_ARRAY: Final = array()
_WORD: Final = (1 << 64) - 1
MISSING: Final = frozenset((
    "date", "duration", "fromBase64", "fromJSON", "fromPairs", "groupBy", "now", "sortBy", "splitAfter", "timezone",
    "toBase64", "toJSON", "toPairs", "type",
))  # fmt: skip
"""Functions of expr-lang that are not here."""


def _same(types: list[Type]) -> Type:
    return types[0]


def _item(types: list[Type]) -> Type:
    return types[0].item or ANY


def _plain(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does not look at the context."""
    return lambda _context, *arguments: call(*arguments)


def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise TypeError(f"{value!r} has no length")
    return len(value)


def _to_int(value: Any) -> int:
    if isinstance(value, str):
        return int(value.strip(), 10) if "_" not in value else int("x")
    return int(_checked_number(value))


def _to_float(value: Any) -> float:
    return float(value) if isinstance(value, str) else float(_checked_number(value))


def _checked_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def _to_text(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _trim(text: str, letters: str | None = None) -> str:
    return text.strip(letters)


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    if most == 0:
        return []
    if not separator:
        return list(text) if most < 0 else [*text[: most - 1], text[most - 1 :]]
    return text.split(separator, most - 1 if most > 0 else -1)


def _repeat(text: str, times: int) -> str:
    if times < 0 or times * len(text) > MAX_TEXT:
        raise ValueError("repeat makes too long a text")
    return text * times


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    """Numbers given one by one, or in arrays."""
    found: list[Any] = []
    for value in values:
        found += _numbers(tuple(value)) if isinstance(value, list) else [_checked_number(value)]
    return found


def _median(*values: Any) -> float:
    ordered = sorted(_numbers(values))
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _mean(*values: Any) -> float:
    numbers = _numbers(values)
    return float(sum(numbers) / len(numbers))


def _get(whole: Any, key: Any) -> Any:
    """A part, or nil where there is none."""
    if isinstance(whole, dict):
        return whole.get(key)
    try:
        return whole[key]
    except (LookupError, TypeError):
        return None


def _unique(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(equal(value, each) for each in found):
            found.append(value)
    return found


def _flat(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        found += _flat(value) if isinstance(value, list) else [value]
    return found


def _sorted(values: list[Any], order: str = "asc") -> list[Any]:
    if order not in ("asc", "desc"):
        raise ValueError(f"{order!r} is no order")
    return sorted(values, reverse=order == "desc")


def _wrapped(number: int) -> int:
    """As a signed number of 64 bits."""
    number &= _WORD
    return number - (1 << 64) if number >> 63 else number


def _shift(bits: int) -> int:
    if bits < 0:
        raise ValueError("a shift by less than nothing")
    return min(bits, 64)


def _define(parameters: tuple[Type, ...], result: Any, call: Callable[..., Any], **more: Any) -> Function:
    return Function(parameters, result, _plain(call), **more)


BUILTINS: Final[dict[str, Function]] = {
    "len": _define((ANY,), INT, _length),
    "abs": _define((NUMBER,), _same, abs),
    "ceil": _define((NUMBER,), FLOAT, lambda number: float(math.ceil(number))),
    "floor": _define((NUMBER,), FLOAT, lambda number: float(math.floor(number))),
    "round": _define((NUMBER,), FLOAT, lambda number: math.copysign(math.floor(abs(number) + 0.5), number)),
    "int": _define((ANY,), INT, _to_int),
    "float": _define((ANY,), FLOAT, _to_float),
    "string": _define((ANY,), STRING, _to_text),
    "max": _define((ANY,), ANY, lambda *values: max(_numbers(values)), repeated=True),
    "min": _define((ANY,), ANY, lambda *values: min(_numbers(values)), repeated=True),
    "mean": _define((ANY,), FLOAT, _mean, repeated=True),
    "median": _define((ANY,), FLOAT, _median, repeated=True),
    "trim": _define((STRING, STRING), STRING, _trim, optional=1),
    "trimPrefix": _define((STRING, STRING), STRING, lambda text, part=" ": text.removeprefix(part), optional=1),
    "trimSuffix": _define((STRING, STRING), STRING, lambda text, part=" ": text.removesuffix(part), optional=1),
    "upper": _define((STRING,), STRING, str.upper),
    "lower": _define((STRING,), STRING, str.lower),
    "split": _define((STRING, STRING, INT), array(STRING), _split, optional=1),
    "replace": _define((STRING, STRING, STRING, INT), STRING, str.replace, optional=1),
    "repeat": _define((STRING, INT), STRING, _repeat),
    "join": _define((array(STRING), STRING), STRING, lambda parts, glue="": glue.join(parts), optional=1),
    "indexOf": _define((STRING, STRING), INT, str.find),
    "lastIndexOf": _define((STRING, STRING), INT, str.rfind),
    "hasPrefix": _define((STRING, STRING), BOOL, str.startswith),
    "hasSuffix": _define((STRING, STRING), BOOL, str.endswith),
    "first": _define((_ARRAY,), _item, lambda values: values[0] if values else None),
    "last": _define((_ARRAY,), _item, lambda values: values[-1] if values else None),
    "get": _define((ANY, ANY), ANY, _get),
    "take": _define((_ARRAY, INT), _same, lambda values, count: values[: max(count, 0)]),
    "keys": _define((MAP,), array(STRING), list),
    "values": _define((MAP,), _ARRAY, lambda pairs: list(pairs.values())),
    "reverse": _define((_ARRAY,), _same, lambda values: values[::-1]),
    "uniq": _define((_ARRAY,), _same, _unique),
    "concat": _define((_ARRAY,), _ARRAY, lambda *arrays: [each for one in arrays for each in one], repeated=True),
    "flatten": _define((_ARRAY,), _ARRAY, _flat),
    "sort": _define((_ARRAY, STRING), _same, _sorted, optional=1),
    "bitand": _define((INT, INT), INT, lambda one, other: one & other),
    "bitor": _define((INT, INT), INT, lambda one, other: one | other),
    "bitxor": _define((INT, INT), INT, lambda one, other: one ^ other),
    "bitnand": _define((INT, INT), INT, lambda one, other: one & ~other),
    "bitnot": _define((INT,), INT, lambda number: ~number),
    "bitshl": _define((INT, INT), INT, lambda number, bits: _wrapped(number << _shift(bits))),
    "bitshr": _define((INT, INT), INT, lambda number, bits: number >> _shift(bits)),
    "bitushr": _define((INT, INT), INT, lambda number, bits: _wrapped((number & _WORD) >> _shift(bits))),
}
"""By name."""
