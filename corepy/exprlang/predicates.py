"""Functions that ask something about each element of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from corepy.exprlang.integers import wrapped
from corepy.exprlang.operators import in_order
from corepy.exprlang.times import Duration
from corepy.exprlang.types import ANY, BOOL, INT, QUANTITY, Type, array

_Each = Callable[[int, Any], Any]
"""The predicate: for an index and the element that is there."""


class Result(NamedTuple):
    """`call(values, predicate)`, and the type of what comes of it, by those of the elements and of the predicate."""

    call: Callable[..., Any]
    result: Callable[[Type, Type], Type]


def _true(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _places(values: list[Any], each: _Each) -> list[int]:
    """Where the predicate is true."""
    return [index for index, value in enumerate(values) if _true(each(index, value))]


def _sum(values: list[Any], each: _Each) -> Any:
    total: Any = 0
    for index, value in enumerate(values):
        number = each(index, value)
        if not isinstance(number, int | float | Duration) or isinstance(number, bool):
            raise TypeError(f"{number!r} is no number")
        total = total + number if index else number
    return wrapped(total)


def _find(values: list[Any], each: _Each) -> Any:
    return next((value for index, value in enumerate(values) if _true(each(index, value))), None)


def _find_index(values: list[Any], each: _Each) -> int | None:
    return next((index for index, value in enumerate(values) if _true(each(index, value))), None)


def _last_index(values: list[Any], each: _Each) -> int | None:
    return next((index for index in reversed(range(len(values))) if _true(each(index, values[index]))), None)


def _find_last(values: list[Any], each: _Each) -> Any:
    index = _last_index(values, each)
    return None if index is None else values[index]


def _reduce(values: list[Any], step: Callable[[int, Any, Any], Any], *start: Any) -> Any:
    """Element by element; without a start, the first one is it."""
    if not start and not values:
        raise ValueError("reduce of an empty array")
    before, skipped = (start[0], 0) if start else (values[0], 1)
    for index, value in enumerate(values[skipped:], skipped):
        before = step(index, value, before)
    return before


def _group(values: list[Any], each: _Each) -> dict[Any, list[Any]]:
    """By what the predicate says: the elements for which it does."""
    found: dict[Any, list[Any]] = {}
    for index, value in enumerate(values):
        found.setdefault(each(index, value), []).append(value)
    return found


def _sort(values: list[Any], each: _Each, order: str = "asc") -> list[Any]:
    return in_order(values, order, [each(*one) for one in enumerate(values)])


def _bool(_item: Type, _body: Type) -> Type:
    return BOOL


def _int(_item: Type, _body: Type) -> Type:
    return INT


def _any(_item: Type, _body: Type) -> Type:
    return ANY


RESULTS: Final[dict[str, Result]] = {
    "all": Result(lambda values, each: all(_true(each(*one)) for one in enumerate(values)), _bool),
    "any": Result(lambda values, each: any(_true(each(*one)) for one in enumerate(values)), _bool),
    "none": Result(lambda values, each: not any(_true(each(*one)) for one in enumerate(values)), _bool),
    "one": Result(lambda values, each: len(_places(values, each)) == 1, _bool),
    "count": Result(lambda values, each: len(_places(values, each)), _int),
    "filter": Result(
        lambda values, each: [values[index] for index in _places(values, each)], lambda item, _body: array(item)
    ),
    "map": Result(lambda values, each: [each(*one) for one in enumerate(values)], lambda _item, body: array(body)),
    "sum": Result(_sum, lambda _item, body: body),
    "find": Result(_find, _any),
    "findIndex": Result(_find_index, _any),
    "findLast": Result(_find_last, _any),
    "findLastIndex": Result(_last_index, _any),
    "reduce": Result(_reduce, _any),
    "groupBy": Result(_group, _any),
    "sortBy": Result(_sort, lambda item, _body: array(item)),
}
CHECKS: Final = {
    "all": BOOL, "any": BOOL, "none": BOOL, "one": BOOL, "count": BOOL, "filter": BOOL, "find": BOOL,
    "findIndex": BOOL, "findLast": BOOL, "findLastIndex": BOOL, "sum": QUANTITY,
}  # fmt: skip
"""What the predicate has to be."""
