"""Functions that every expression has: those of expr-lang on numbers, texts, arrays and maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from corepy.exprlang import encodings, texts
from corepy.exprlang.calendar import Named
from corepy.exprlang.integers import wrapped
from corepy.exprlang.methods import FUNCTIONS as TEMPORAL
from corepy.exprlang.operators import equal, in_order
from corepy.exprlang.times import Duration
from corepy.exprlang.types import (
    AGGREGATE,
    ANY,
    BOOL,
    COUNTABLE,
    DURATION,
    FLOAT,
    INT,
    MAP,
    NUMBER,
    NUMERAL,
    PARTED,
    SIZED,
    STRING,
    Function,
    Type,
    array,
    item_of,
)

_ARRAY: Final = array()
_WORD: Final = (1 << 64) - 1
HANDED_IN: Final = ("now",)
"""Functions of the language that come with the clock."""


def _same(types: list[Type]) -> Type:
    return types[0]


def _item(types: list[Type]) -> Type:
    return item_of(types[0])


def _number_of(types: list[Type]) -> Type:
    """What the greatest or least of such values is."""
    return types[0] if types[0] in (INT, FLOAT, DURATION) and all(each == types[0] for each in types) else ANY


def _plain(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does not look at the context."""
    return lambda _context, *arguments: call(*arguments)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    """Numbers or durations, given one by one or in arrays."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, list):
            found += _numbers(tuple(value))
        elif isinstance(value, bool) or not isinstance(value, int | float | Duration):
            raise TypeError(f"{value!r} is no number")
        else:
            found.append(value)
    return found


def _rounded(call: Callable[[float], float]) -> Callable[[float], float]:
    """What is left of a number, with its sign; what is infinite or no number stays so."""
    return lambda number: math.copysign(float(call(number)), number) if math.isfinite(number) else number


def _counted(value: Any) -> Any:
    """A number; of a duration its nanoseconds, of a day of the week or a month the number."""
    if isinstance(value, Named):
        return value.number
    return value.nanoseconds if isinstance(value, Duration) else value


def _median(*values: Any) -> float:
    ordered = sorted(map(_counted, _numbers(values)))
    if not ordered:
        return 0.0
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _mean(*values: Any) -> float:
    numbers = list(map(_counted, _numbers(values)))
    return float(sum(numbers) / len(numbers)) if numbers else 0.0


def _get(whole: Any, key: Any) -> Any:
    """A part, or nil where there is none."""
    if isinstance(whole, dict):
        return whole.get(key)
    try:
        return whole[key]
    except (LookupError, TypeError):
        return None


def _take(values: list[Any], count: int) -> list[Any]:
    if count < 0:
        raise ValueError("take of fewer than none")
    return values[:count]


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


def _shift(bits: int) -> int:
    if bits < 0:
        raise ValueError("a shift by less than nothing")
    return min(bits, 64)


def _define(parameters: tuple[Type, ...], result: Any, call: Callable[..., Any], **more: Any) -> Function:
    return Function(parameters, result, _plain(call), **more)


BUILTINS: Final[dict[str, Function]] = {
    **TEMPORAL,
    "len": _define((SIZED,), INT, len),
    "abs": _define((NUMBER,), _same, lambda number: wrapped(abs(number))),
    "ceil": _define((NUMBER,), FLOAT, _rounded(math.ceil)),
    "floor": _define((NUMBER,), FLOAT, _rounded(math.floor)),
    "round": _define((NUMBER,), FLOAT, _rounded(lambda number: math.copysign(math.floor(abs(number) + 0.5), number))),
    "int": _define((COUNTABLE,), INT, lambda value: texts.to_int(_counted(value))),
    "float": _define((NUMERAL,), FLOAT, texts.to_float),
    "string": _define((ANY,), STRING, texts.to_text),
    "max": _define((AGGREGATE,), _number_of, lambda *values: max(_numbers(values), default=None), repeated=True),
    "min": _define((AGGREGATE,), _number_of, lambda *values: min(_numbers(values), default=None), repeated=True),
    "mean": _define((AGGREGATE,), FLOAT, _mean, repeated=True),
    "median": _define((AGGREGATE,), FLOAT, _median, repeated=True),
    "trim": _define((STRING, STRING), STRING, texts.trim, optional=1),
    "trimPrefix": _define((STRING, STRING), STRING, lambda text, part=" ": text.removeprefix(part), optional=1),
    "trimSuffix": _define((STRING, STRING), STRING, lambda text, part=" ": text.removesuffix(part), optional=1),
    "upper": _define((STRING,), STRING, texts.upper),
    "lower": _define((STRING,), STRING, texts.lower),
    "split": _define((STRING, STRING, INT), array(STRING), texts.split, optional=1),
    "splitAfter": _define((STRING, STRING, INT), array(STRING), texts.split_after, optional=1),
    "replace": _define((STRING, STRING, STRING, INT), STRING, str.replace, optional=1),
    "repeat": _define((STRING, INT), STRING, texts.repeat),
    "join": _define((array(STRING), STRING), STRING, lambda parts, glue="": glue.join(parts), optional=1),
    "indexOf": _define((STRING, STRING), INT, texts.find),
    "lastIndexOf": _define((STRING, STRING), INT, texts.find_last),
    "hasPrefix": _define((STRING, STRING), BOOL, str.startswith),
    "hasSuffix": _define((STRING, STRING), BOOL, str.endswith),
    "first": _define((_ARRAY,), _item, lambda values: values[0] if values else None),
    "last": _define((_ARRAY,), _item, lambda values: values[-1] if values else None),
    "get": _define((PARTED, ANY), ANY, _get),
    "take": _define((_ARRAY, INT), _same, _take),
    "keys": _define((MAP,), array(STRING), list),
    "values": _define((MAP,), _ARRAY, lambda pairs: list(pairs.values())),
    "toPairs": _define((MAP,), array(_ARRAY), lambda pairs: [list(pair) for pair in pairs.items()]),
    "fromPairs": _define((_ARRAY,), ANY, encodings.from_pairs),
    "toJSON": _define((ANY,), STRING, encodings.to_json),
    "fromJSON": _define((STRING,), ANY, encodings.from_json),
    "toBase64": _define((STRING,), STRING, encodings.to_base64),
    "fromBase64": _define((STRING,), STRING, encodings.from_base64),
    "reverse": _define((_ARRAY,), _same, lambda values: values[::-1]),
    "uniq": _define((_ARRAY,), _same, _unique),
    "concat": _define((_ARRAY,), _ARRAY, lambda *arrays: [each for one in arrays for each in one], repeated=True),
    "flatten": _define((_ARRAY,), _ARRAY, _flat),
    "sort": _define((_ARRAY, STRING), _same, in_order, optional=1),
    "bitand": _define((INT, INT), INT, lambda one, other: one & other),
    "bitor": _define((INT, INT), INT, lambda one, other: one | other),
    "bitxor": _define((INT, INT), INT, lambda one, other: one ^ other),
    "bitnand": _define((INT, INT), INT, lambda one, other: one & ~other),
    "bitnot": _define((INT,), INT, lambda number: ~number),
    "bitshl": _define((INT, INT), INT, lambda number, bits: wrapped(number << _shift(bits))),
    "bitshr": _define((INT, INT), INT, lambda number, bits: number >> _shift(bits)),
    "bitushr": _define((INT, INT), INT, lambda number, bits: wrapped((number & _WORD) >> _shift(bits))),
}
"""By name."""
