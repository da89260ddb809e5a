"""Times as text, by an example of the form: `2006-01-02 15:04:05` (Go's package time)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from corepy.exprlang.calendar import Civil, Month

if TYPE_CHECKING:
    from corepy.exprlang.times import Time

PART: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|3|4|5|PM|pm"
    r"|[-Z]07(?::00:00|0000|:00|00)?|[.,](?:0+|9+)(?![0-9])"
)
PRINTED: Final = "2006-01-02 15:04:05.999999999 -0700 MST"
RFC3339: Final = "2006-01-02T15:04:05.999999999Z07:00"


def show(moment: Time, layout: str) -> str:
    """A time in a form."""
    return PART.sub(lambda match: _shown(moment, match[0]), layout)


def _shown(moment: Time, part: str) -> str:
    if part[0] in "-Z" or part == "MST":
        return _offset(moment, part)
    if part[0] in ".,":
        digits = f"{moment.nanosecond:09}".ljust(len(part) - 1, "0")[: len(part) - 1]
        digits = digits if part[1] == "0" else digits.rstrip("0")
        return part[0] + digits if digits else ""
    return _SHOWN[part](moment, moment.civil)


_SHOWN: Final[dict[str, Callable[[Time, Civil], str]]] = {
    "January": lambda _moment, civil: str(Month(civil.month)),
    "Jan": lambda _moment, civil: str(Month(civil.month))[:3],
    "Monday": lambda moment, _civil: str(moment.weekday),
    "Mon": lambda moment, _civil: str(moment.weekday)[:3],
    "2006": lambda _moment, civil: f"{civil.year:04}" if civil.year >= 0 else f"-{-civil.year:04}",
    "06": lambda _moment, civil: f"{civil.year % 100:02}",
    "01": lambda _moment, civil: f"{civil.month:02}",
    "1": lambda _moment, civil: str(civil.month),
    "02": lambda _moment, civil: f"{civil.day:02}",
    "_2": lambda _moment, civil: f"{civil.day:2}",
    "2": lambda _moment, civil: str(civil.day),
    "002": lambda moment, _civil: f"{moment.year_day:03}",
    "__2": lambda moment, _civil: f"{moment.year_day:3}",
    "15": lambda _moment, civil: f"{civil.hour:02}",
    "03": lambda _moment, civil: f"{civil.hour % 12 or 12:02}",
    "3": lambda _moment, civil: str(civil.hour % 12 or 12),
    "04": lambda _moment, civil: f"{civil.minute:02}",
    "4": lambda _moment, civil: str(civil.minute),
    "05": lambda _moment, civil: f"{civil.second:02}",
    "5": lambda _moment, civil: str(civil.second),
    "PM": lambda _moment, civil: "PM" if civil.hour >= 12 else "AM",
    "pm": lambda _moment, civil: "pm" if civil.hour >= 12 else "am",
}


def _offset(moment: Time, part: str) -> str:
    """The zone: its abbreviation, or how far east it is."""
    east, name, _summer = moment.zone.at(moment.unix)
    if part == "MST" and name:
        return name
    if part[0] == "Z" and not east:
        return "Z"
    minutes, seconds = divmod(abs(east), 60)
    colon = ":" if ":" in part else ""
    wanted = 2 if part == "MST" else len(part.replace(":", "")) // 2
    numbers = [minutes // 60, minutes % 60, seconds][:wanted]
    return ("-" if east < 0 else "+") + colon.join([f"{number:02}" for number in numbers])
