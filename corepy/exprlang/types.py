"""The types of values, as far as they are known before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from corepy.exprlang.calendar import Month, Weekday
from corepy.exprlang.times import Duration, Time, Zone


class Type(NamedTuple):
    """What a value is; `item` is the type of what is in an array."""

    name: str
    item: Type | None = None

    def __str__(self) -> str:
        return f"[]{self.item}" if self.item is not None else self.name


ANY: Final = Type("unknown")
"""Anything: known only when the program runs."""
NIL: Final = Type("nil")
BOOL: Final = Type("bool")
INT: Final = Type("int")
FLOAT: Final = Type("float64")
STRING: Final = Type("string")
MAP: Final = Type("map")
TIME: Final = Type("time.Time")
DURATION: Final = Type("time.Duration")
WEEKDAY: Final = Type("time.Weekday")
MONTH: Final = Type("time.Month")
LOCATION: Final = Type("*time.Location")
BYTE: Final = Type("uint8")
BYTES: Final = Type("array", BYTE)
"""Of `b'...'`; a `Bytes` when the program runs."""
FUNCTION: Final = Type("function without parentheses")
NUMBER: Final = Type("number")
NUMERAL: Final = Type("number or string")
COUNTABLE: Final = Type("number, string or duration")
QUANTITY: Final = Type("number or duration")
AGGREGATE: Final = Type("number, duration or array")
SIZED: Final = Type("string, array or map")
PARTED: Final = Type("array or map")
"""Types of parameters that take values of several types."""


def array(item: Type = ANY) -> Type:
    """The type of an array."""
    return Type("array", item)


_ALTERNATIVES: Final = {
    NUMBER: (INT, FLOAT, BYTE), NUMERAL: (INT, FLOAT, BYTE, STRING), AGGREGATE: (INT, FLOAT, BYTE, DURATION, array()),
    COUNTABLE: (INT, FLOAT, BYTE, STRING, DURATION, WEEKDAY, MONTH), QUANTITY: (INT, FLOAT, BYTE, DURATION),
    SIZED: (STRING, array(), MAP), PARTED: (array(), MAP),
}  # fmt: skip


class Bytes(list[int]):
    """Octets, each of them a number."""

    __slots__ = ()


def item_of(of: Type) -> Type:
    """What the elements of an array are, as far as is known; an octet of many is an int."""
    return INT if of == BYTES else of.item or ANY


def is_array(of: Type) -> bool:
    """Whether it is sure to be an array."""
    return of.name == "array"


class Reference:
    """A function that is not called."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"func {self.name}"


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value of one type may be given for another; where nothing is known it may."""
    if ANY in (given, wanted) or given == wanted:
        return True
    if wanted in _ALTERNATIVES:
        return any(fits(given, each) for each in _ALTERNATIVES[wanted])
    if is_array(given) and is_array(wanted):
        return fits(given.item or ANY, wanted.item or ANY)
    return False


def comparable(one: Type, other: Type) -> bool:
    """Whether it makes sense to ask if values of two types are equal."""
    if NIL in (one, other) or (is_array(one) and is_array(other)):
        return True
    return fits(one, other) or fits(other, one) or (fits(one, NUMBER) and fits(other, NUMBER))


def common(types: list[Type]) -> Type:
    """The type that several values share; ANY where they have none."""
    first = types[0] if types else ANY
    return first if all(each == first for each in types) else ANY


class Function(NamedTuple):
    """What an expression may call by its name.

    `call` gets the context of the run and the arguments; TypeError and ValueError that it raises, and a few others,
    become an EvaluationError. `result` is a type, or a function of the arguments' types.
    """

    parameters: tuple[Type, ...]
    result: Type | Callable[[list[Type]], Type]
    call: Callable[..., Any]
    optional: int = 0
    """How many of the last parameters may be left out."""
    repeated: bool = False
    """Whether the last parameter may come any number of times."""


_KINDS: Final[dict[str, type]] = {
    "int": int, "uint8": int, "float64": float, "string": str, "array": list, "map": dict, "nil": type(None),
    "bool": bool, TIME.name: Time, DURATION.name: Duration, WEEKDAY.name: Weekday, MONTH.name: Month,
    LOCATION.name: Zone, FUNCTION.name: Reference,
}  # fmt: skip
_TEMPORAL: Final = {Time: TIME, Duration: DURATION, Weekday: WEEKDAY, Month: MONTH, Zone: LOCATION}


def type_of(value: object) -> Type:
    """The type of a date, a duration or a part of one; ANY for other values."""
    return _TEMPORAL.get(type(value), ANY)


def matches_at_run(value: Any, wanted: Type) -> bool:
    """Whether a value is of the type that is wanted."""
    if wanted == ANY:
        return True
    if wanted in _ALTERNATIVES:
        return any(matches_at_run(value, each) for each in _ALTERNATIVES[wanted])
    if isinstance(value, bool):
        return wanted == BOOL
    if not isinstance(value, _KINDS[wanted.name]):
        return False
    item = wanted.item or ANY
    return item == ANY or not isinstance(value, list) or all(matches_at_run(each, item) for each in value)
