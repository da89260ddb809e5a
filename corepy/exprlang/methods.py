"""What dates and durations can be asked, as `now().Hour()`, and the functions that make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from corepy.duration import parse_nanoseconds
from corepy.exprlang import dates
from corepy.exprlang.calendar import SECOND, Month
from corepy.exprlang.integers import held, wrapped
from corepy.exprlang.layouts import show
from corepy.exprlang.times import LOCAL, UTC, Duration, Time, Zone
from corepy.exprlang.types import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    LOCATION,
    MONTH,
    STRING,
    TIME,
    WEEKDAY,
    Function,
    Type,
    type_of,
)


def _method(result: Type, call: Callable[..., Any], *parameters: Type) -> Function:
    """A method: its function gets the value, then the arguments."""
    return Function(parameters, result, lambda _context, *arguments: call(*arguments))


_STRING: Final = _method(STRING, str)
_TIME: Final[dict[str, Function]] = {
    "Add": _method(TIME, lambda moment, span: moment + span, DURATION),
    "AddDate": _method(TIME, Time.moved, INT, INT, INT),
    "After": _method(BOOL, lambda moment, other: moment > other, TIME),
    "Before": _method(BOOL, lambda moment, other: moment < other, TIME),
    "Compare": _method(INT, lambda moment, other: (moment > other) - (moment < other), TIME),
    "Day": _method(INT, lambda moment: moment.civil.day),
    "Equal": _method(BOOL, lambda moment, other: moment == other, TIME),
    "Format": _method(STRING, show, STRING),
    "Hour": _method(INT, lambda moment: moment.civil.hour),
    "ISOWeek": _method(INT, lambda moment: moment.iso_year),   # of Go's two values the first one
    "In": _method(TIME, lambda moment, zone: Time(moment.unix_nano, zone), LOCATION),
    "IsDST": _method(BOOL, lambda moment: moment.zone.at(moment.unix)[2]),
    "IsZero": _method(BOOL, lambda moment: moment.is_zero),
    "Local": _method(TIME, lambda moment: Time(moment.unix_nano, LOCAL)),
    "Location": _method(LOCATION, lambda moment: moment.zone),
    "Minute": _method(INT, lambda moment: moment.civil.minute),
    "Month": _method(MONTH, lambda moment: Month(moment.civil.month)),
    "Nanosecond": _method(INT, lambda moment: moment.nanosecond),
    "Round": _method(TIME, Time.round, DURATION),
    "Second": _method(INT, lambda moment: moment.civil.second),
    "String": _STRING,
    "Sub": _method(DURATION, lambda moment, other: moment - other, TIME),
    "Truncate": _method(TIME, Time.truncate, DURATION),
    "UTC": _method(TIME, lambda moment: Time(moment.unix_nano, UTC)),
    "Unix": _method(INT, lambda moment: moment.unix),
    "UnixMicro": _method(INT, lambda moment: wrapped(moment.unix_nano // 1_000)),
    "UnixMilli": _method(INT, lambda moment: moment.unix_nano // 1_000_000),
    "UnixNano": _method(INT, lambda moment: wrapped(moment.unix_nano)),
    "Weekday": _method(WEEKDAY, lambda moment: moment.weekday),
    "Year": _method(INT, lambda moment: moment.civil.year),
    "YearDay": _method(INT, lambda moment: moment.year_day),
    "Zone": _method(STRING, lambda moment: moment.zone.at(moment.unix)[1]),
}
_DURATION: Final[dict[str, Function]] = {
    "Abs": _method(DURATION, lambda span: Duration(held(abs(span.nanoseconds)))),
    "Hours": _method(FLOAT, lambda span: span.nanoseconds / (3600 * SECOND)),
    "Microseconds": _method(INT, lambda span: int(span.nanoseconds / 1_000)),
    "Milliseconds": _method(INT, lambda span: int(span.nanoseconds / 1_000_000)),
    "Minutes": _method(FLOAT, lambda span: span.nanoseconds / (60 * SECOND)),
    "Nanoseconds": _method(INT, lambda span: span.nanoseconds),
    "Round": _method(DURATION, Duration.round, DURATION),
    "Seconds": _method(FLOAT, lambda span: span.nanoseconds / SECOND),
    "String": _STRING,
    "Truncate": _method(DURATION, Duration.truncate, DURATION),
}
METHODS: Final[dict[Type, dict[str, Function]]] = {
    TIME: _TIME, DURATION: _DURATION, WEEKDAY: {"String": _STRING}, MONTH: {"String": _STRING},
    LOCATION: {"String": _STRING},
}  # fmt: skip
"""By type and name."""


def method_of(value: object, name: str) -> Function:
    """The method of a value whose type was not known before. Raises TypeError where it has none."""
    method = METHODS.get(type_of(value), {}).get(name)
    if method is None:
        raise TypeError(f"{value!r} has no method {name}")
    return method


def now_function(wall: Callable[[], float]) -> Function:
    """`now()`, `now(ZONE)`: the time by a clock that tells unix seconds."""

    def now(_context: object, zone: Zone = LOCAL) -> Time:
        return Time(round(wall() * 1e6) * 1_000, zone)

    return Function((LOCATION,), TIME, now, optional=1)


def _date(_context: object, *arguments: Any) -> Time:
    """`date([ZONE,] TEXT [, FORM [, ZONE NAME]])`. Raises ValueError, LookupError or TypeError."""
    zone = arguments[0] if isinstance(arguments[0], Zone) else None
    words = arguments[1:] if zone is not None else arguments
    if not 1 <= len(words) <= 3 or not all(isinstance(word, str) for word in words):
        raise TypeError("date takes a text, a form and the name of a zone")
    if len(words) == 3:
        return dates.read(words[0], words[1], Zone.find(words[2]))
    if len(words) == 2:
        return dates.read(words[0], words[1], zone)
    for form in dates.USUAL:
        try:
            return dates.read(words[0], form, zone)
        except ValueError:
            continue   # in another form, perhaps
    raise ValueError(f"{words[0]!r} is no date")


FUNCTIONS: Final = {
    "date": Function((ANY, ANY, ANY, ANY), TIME, _date, optional=3),
    "duration": Function((STRING,), DURATION, lambda _context, text: Duration(parse_nanoseconds(text))),
    "timezone": Function((STRING,), LOCATION, lambda _context, name: Zone.find(name)),
}
