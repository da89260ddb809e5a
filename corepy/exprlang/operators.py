"""What operators do, and to which types."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from corepy import expression
from corepy.exprlang.integers import wrapped
from corepy.exprlang.times import Duration, Time
from corepy.exprlang.types import (
    ANY,
    BOOL,
    BYTES,
    DURATION,
    FLOAT,
    INT,
    MAP,
    NUMBER,
    STRING,
    TIME,
    Bytes,
    Type,
    array,
    comparable,
    fits,
    is_array,
)
from corepy.gotemplate.values import text_of

MAX_RANGE: Final = 1_000_000
"""Elements of `a..b`, which are fewer, as in expr-lang: a typing error must not eat the memory."""
_TEMPORAL: Final = (Time, Duration)
_RESULTS: Final = {
    ("-", TIME, TIME): DURATION, ("-", TIME, DURATION): TIME, ("-", DURATION, DURATION): DURATION,
    ("+", TIME, DURATION): TIME, ("+", DURATION, TIME): TIME, ("+", DURATION, DURATION): DURATION,
    ("*", DURATION, DURATION): DURATION, ("*", DURATION, INT): DURATION, ("*", INT, DURATION): DURATION,
    ("*", DURATION, FLOAT): DURATION, ("*", FLOAT, DURATION): DURATION,
}  # fmt: skip
"""What comes of dates and durations."""


def equal(one: Any, other: Any) -> bool:
    """Whether two values are equal; true is not 1, and in maps an int is no float either."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other) and (not isinstance(one, dict) or _identical(one, other))


def _identical(one: Any, other: Any) -> bool:
    """Whether two equal values are of the same types, in all their parts."""
    if isinstance(one, dict):
        return all(_identical(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(map(_identical, one, other))
    return type(one) is type(other)


def contained(one: Any, many: Any) -> bool:
    """Whether a value is in an array, or the key of a map; nothing is in nil."""
    if isinstance(many, dict):
        return one in many
    return many is not None and any(equal(one, each) for each in _a(many, list))


def _a(value: Any, kind: type | tuple[type, ...]) -> Any:
    """The value, if it is of a kind; raises TypeError."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r} does not fit")
    return value


def _number(value: Any) -> Any:
    return _a(value, (int, float))


def _add(one: Any, other: Any) -> Any:
    if type(one) is int and type(other) is int:
        return wrapped(one + other)
    if isinstance(one, str):
        return one + _a(other, str)
    return wrapped(one + other if _temporal(one, other) else _number(one) + _number(other))


def _subtract(one: Any, other: Any) -> Any:
    return wrapped(one - other if _temporal(one, other) else _number(one) - _number(other))


def _multiply(one: Any, other: Any) -> Any:
    return wrapped(one * other if _temporal(one, other) else _number(one) * _number(other))


def _temporal(one: Any, other: Any) -> bool:
    """Whether one of two values is a date or duration, which know what fits them."""
    return isinstance(one, _TEMPORAL) or isinstance(other, _TEMPORAL)


def _divide(one: Any, other: Any) -> float:
    """A quotient as IEEE 754 has it: infinite, or no number, for a divisor of zero."""
    dividend, divisor = float(_number(one)), float(_number(other))
    if divisor:
        return dividend / divisor
    return math.nan if dividend == 0 or math.isnan(dividend) else math.copysign(math.inf, dividend)


def _remainder(one: Any, other: Any) -> int:
    """What is left, with the sign of the dividend."""
    rest: int = abs(_a(one, int)) % abs(_a(other, int))
    return -rest if one < 0 else rest


def _power(base: Any, exponent: Any) -> float:
    """A power as IEEE 754 has it: infinite where it is too large, no number for a root of less than zero."""
    try:
        return math.pow(_number(base), _number(exponent))
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:   # a root, or the inverse of zero
        if base:
            return math.nan
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


def _on_texts(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """Nil has nothing in common with any string."""
    return lambda one, other: one is not None and other is not None and compare(_a(one, str), _a(other, str))


_search: Final = _on_texts(lambda one, other: bool(expression.compile(other).search(one)))


def written(value: Any) -> Any:
    """Octets as text, for a regular expression; all else as it is."""
    return text_of(bytes(value)) if isinstance(value, Bytes) else value


def _span(first: Any, last: Any) -> list[int]:
    if _a(last, int) - _a(first, int) >= MAX_RANGE - 1:
        raise ValueError("a range of too many numbers")
    return list(range(first, last + 1))


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(one: Any, other: Any) -> bool:
        if type(one) is int and type(other) is int:   # nearly always, and quickly seen
            return compare(one, other)
        if isinstance(one, str):
            return compare(one, _a(other, str))
        return compare(one, other) if isinstance(one, _TEMPORAL) else compare(_number(one), _number(other))

    return ordered


def in_order(values: list[Any], order: str = "asc", keys: list[Any] | None = None) -> list[Any]:
    """Numbers or strings sorted, or values by such keys; in the other direction with an order of `desc`."""
    if order not in ("asc", "desc"):
        raise ValueError(f"{order!r} is no order")
    keys = values if keys is None else keys
    if len(keys) > 1:
        kind = type(keys[0]) if isinstance(keys[0], (str, *_TEMPORAL)) else (int, float)
        keys = [_a(key, kind) for key in keys]
    places = sorted(range(len(keys)), key=keys.__getitem__, reverse=order == "desc")
    return [values[place] for place in places]


BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": equal,
    "!=": lambda one, other: not equal(one, other),
    "<": _ordered(lambda one, other: one < other),
    ">": _ordered(lambda one, other: one > other),
    "<=": _ordered(lambda one, other: one <= other),
    ">=": _ordered(lambda one, other: one >= other),
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _remainder,
    "**": _power,
    "^": _power,
    "..": _span,
    "in": contained,
    "contains": _on_texts(lambda one, other: other in one),
    "startsWith": _on_texts(str.startswith),
    "endsWith": _on_texts(str.endswith),
    "matches": lambda one, other: _search(written(one), other),
}
"""What each does to two values; TypeError, ValueError and ArithmeticError where there is no result."""

UNARY: Final[dict[str, Callable[[Any], Any]]] = {
    "not": lambda value: not _a(value, bool),
    "!": lambda value: not _a(value, bool),
    "-": lambda value: wrapped(-_number(value)),
    "+": _number,
}


def _both(left: Type, right: Type, wanted: Type) -> bool:
    return fits(left, wanted) and fits(right, wanted)


def result_of_binary(operator: str, left: Type, right: Type) -> Type | None:
    """The type of a result, None where the types do not fit (as CoreDNS finds when it starts)."""
    if operator in ("==", "!="):
        return BOOL if comparable(left, right) else None
    if operator == "in":
        return BOOL if _may_contain(right, left) else None
    if operator == "matches" and left == BYTES:
        left = STRING
    if operator in ("matches", "contains", "startsWith", "endsWith"):
        return BOOL if _both(left, right, STRING) else None
    if operator in ("<", ">", "<=", ">="):
        return BOOL if any(_both(left, right, wanted) for wanted in (NUMBER, STRING, TIME, DURATION)) else None
    if operator == "..":
        return array(INT) if _both(left, right, INT) else None
    return _arithmetic(operator, left, right)


def _may_contain(many: Type, one: Type) -> bool:
    if is_array(many):
        return comparable(one, many.item or ANY)
    return many == ANY or (many == MAP and fits(one, STRING))


def _arithmetic(operator: str, left: Type, right: Type) -> Type | None:
    if not {TIME, DURATION}.isdisjoint((left, right)):
        fitting = ("+", "-") if TIME in (left, right) else ("+", "-", "*")
        return ANY if ANY in (left, right) and operator in fitting else _RESULTS.get((operator, left, right))
    if operator == "%":
        return INT if _both(left, right, INT) else None
    if operator == "+" and _both(left, right, STRING) and ANY not in (left, right):
        return STRING
    if not _both(left, right, NUMBER):
        return ANY if operator == "+" and _both(left, right, STRING) else None
    if operator in ("/", "**", "^"):
        return FLOAT
    if ANY in (left, right):
        return ANY
    return INT if left == right == INT else FLOAT


def result_of_unary(operator: str, operand: Type) -> Type | None:
    """The type of a result, None where the operand does not fit."""
    if operator in ("not", "!"):
        return BOOL if fits(operand, BOOL) else None
    return operand if fits(operand, NUMBER) else None
