"""Times that texts say: by a form (`layouts`), which becomes a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from corepy.exprlang.calendar import SECOND, Civil, Month, Weekday, date_of, days
from corepy.exprlang.layouts import PART
from corepy.exprlang.times import UTC, Time, Zone

USUAL: Final = (
    "2006-01-02", "15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00", "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 MST",
)  # fmt: skip
"""Those in which a date is looked for where none is named."""
_FORMS: Final = 64
"""Regular expressions that are remembered: those of a Corefile are few, a function may make up others."""
_HALF_YEAR: Final = 15_768_000
"""Seconds after which a zone that has summer time has the other abbreviation."""
_PIVOT: Final = 69
"""Years of two digits from here on are of the last century."""

_NAMES: Final = {
    "January": "|".join(Month.names[1:]), "Jan": "|".join(name[:3] for name in Month.names[1:]),
    "Monday": "|".join(Weekday.names), "Mon": "|".join(name[:3] for name in Weekday.names),
}  # fmt: skip
_READ: Final = {
    "2006": r"(?P<year>\d{4})", "06": r"(?P<short>\d\d)", "01": r"(?P<month>\d\d)", "1": r"(?P<month>\d{1,2}+)",
    "02": r"(?P<day>\d\d)", "_2": r" ?(?P<day>\d{1,2}+)", "2": r"(?P<day>\d{1,2}+)", "002": r"(?P<yday>\d{3})",
    "__2": r"(?P<yday>  \d| \d\d|\d{3})", "15": r"(?P<hour>\d{1,2}+)", "03": r"(?P<twelve>\d\d)",
    "3": r"(?P<twelve>\d{1,2}+)", "04": r"(?P<minute>\d\d)", "4": r"(?P<minute>\d{1,2}+)", "05": r"(?P<second>\d\d)",
    "5": r"(?P<second>\d{1,2}+)", "PM": r"(?P<half>AM|PM)", "pm": r"(?P<half>am|pm)",
    "January": rf"(?P<name>(?i:{_NAMES['January']}))", "Jan": rf"(?P<name>(?i:{_NAMES['Jan']}))",
    "Monday": rf"(?i:{_NAMES['Monday']})", "Mon": rf"(?i:{_NAMES['Mon']})",
    "MST": r"(?P<zone>GMT(?:[+-]\d{1,2})?|ChST|MeST|WITA|[A-Z]{3}[A-Z]T(?![A-Z])|[A-Z]{3}T(?![A-Z])|[A-Z]{3}(?![A-Z])"
           r"|[+-]\d\d)",
    "07": r"(?P<east>[+-]\d\d)", "0700": r"(?P<east>[+-]\d{4})", "07:00": r"(?P<east>[+-]\d\d:\d\d)",
    "070000": r"(?P<east>[+-]\d{6})", "07:00:00": r"(?P<east>[+-]\d\d:\d\d:\d\d)",
}  # fmt: skip
"""What stands for a part of a form."""
_GROUP: Final = re.compile(r"\?P<(\w+)>")


def read(text: str, layout: str, zone: Zone | None = None) -> Time:
    """The time that a text says in a form; one that says nothing of a zone is in this one. Raises ValueError."""
    match = _pattern(layout).fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time as {layout!r}")
    found = _Found({_base(name): value for name, value in match.groupdict().items() if value is not None})
    return found.time(zone or UTC)


def _base(group: str) -> str:
    """What a group is for: of several for the same, each has a number."""
    return group.rpartition("_")[0]


@lru_cache(_FORMS)
def _pattern(layout: str) -> re.Pattern[str]:
    parts: list[str] = []
    found = [*PART.finditer(layout), None]
    at = 0
    for number, (match, following) in enumerate(pairwise(found)):
        assert match is not None  # noqa: S101 - the last one alone is
        parts.append(_literal(layout[at : match.start()]))
        part = match[0]
        parts.append(_GROUP.sub(rf"?P<\1_{number}>", _reading(part)))
        if part in ("05", "5") and not (following and following[0][0] in ".,"):
            parts.append(rf"(?:[.,](?P<fraction_{number}>\d+))?")   # a fraction may follow unasked
        at = match.end()
    return re.compile("".join(parts) + _literal(layout[at:]), re.ASCII)


def _reading(part: str) -> str:
    if part[0] in ".,":
        digits = f"{{{len(part) - 1}}}" if part[1] == "0" else "+"
        return rf"[.,](?P<fraction>\d{digits})" if part[1] == "0" else rf"(?:[.,](?P<fraction>\d{digits}))?"
    if part[0] == "Z":
        return rf"(?:(?P<utc>Z)|{_READ[part[1:]]})"
    return _READ[part[1:] if part[0] == "-" else part]


def _literal(text: str) -> str:
    """A space stands for any number of them, and at the end for none, too."""
    return "(?: +|$)".join(map(re.escape, re.split(" +", text)))


@dataclass
class _Found:
    """What a text says, by what it is for."""

    parts: dict[str, str]

    def time(self, zone: Zone) -> Time:
        civil, nanosecond = self._civil(), int(self.parts.get("fraction", "0")[:9].ljust(9, "0"))
        if "utc" in self.parts:
            return Time.of(civil, UTC, nanosecond)
        wall = Time.of(civil, UTC, nanosecond)
        if "east" in self.parts:
            return self._east(wall, zone)
        return self._named(wall, zone, self.parts["zone"]) if "zone" in self.parts else Time.of(civil, zone, nanosecond)

    def _number(self, name: str, default: int, least: int, most: int) -> int:
        number = int(self.parts.get(name, default))
        if not least <= number <= most:
            raise ValueError(f"{name} out of range")
        return number

    def _civil(self) -> Civil:
        year = int(self.parts.get("year", 0))
        if "short" in self.parts:
            short = int(self.parts["short"])
            year = short + (1900 if short >= _PIVOT else 2000)
        hour = self._number("hour", 0, 0, 23)
        if "twelve" in self.parts:
            hour = self._number("twelve", 0, 0, 12)
        half = self.parts.get("half", "").upper()
        hour = hour + 12 if half == "PM" and hour < 12 else 0 if half == "AM" and hour == 12 else hour
        return Civil(*self._date(year), hour, self._number("minute", 0, 0, 59), self._number("second", 0, 0, 59))

    def _date(self, year: int) -> tuple[int, int, int]:
        if "yday" in self.parts:
            day = self._number("yday", 1, 1, days(year + 1, 1, 1) - days(year, 1, 1))
            date = date_of(days(year, 1, day))
            if self._number("month", date[1], date[1], date[1]) != date[1]:
                raise ValueError("the day of the year is in another month")
            return date
        month = self._number("month", 1, 1, 12)
        if "name" in self.parts:
            short = self.parts["name"][:3].title()
            month = next(number for number, name in enumerate(Month.names) if name[:3] == short)
        return year, month, self._number("day", 1, 1, days(year, month + 1, 1) - days(year, month, 1))

    def _east(self, wall: Time, zone: Zone) -> Time:
        """So far east: in the zone if it is there at that time, else in one that has no name but what the text says."""
        text = self.parts["east"]
        numbers = [int(number) for number in re.findall(r"\d\d", text)]
        numbers += [0] * (3 - len(numbers))
        if numbers[0] > 24 or numbers[1] > 60 or numbers[2] > 60:   # what Go takes
            raise ValueError(f"no offset {text}")
        east = (numbers[0] * 3600 + numbers[1] * 60 + numbers[2]) * (-1 if text[0] == "-" else 1)
        moment = wall.unix_nano - east * SECOND
        there, name, _summer = zone.at(moment // SECOND)
        if there == east and self.parts.get("zone", name) == name:
            return Time(moment, zone)
        return Time(moment, Zone(self.parts.get("zone", ""), None, east))

    @staticmethod
    def _named(wall: Time, zone: Zone, name: str) -> Time:
        """In the zone if it has this abbreviation; else an hour offset that `GMT+3` says, or none."""
        if name == "UTC":
            return wall
        for near in (0, _HALF_YEAR, -_HALF_YEAR):
            east, there, _summer = zone.at(wall.unix + near)
            if there == name:
                return Time(wall.unix_nano - east * SECOND, zone)
        hours = int(name[3:]) if name.startswith("GMT") and len(name) > 3 else 0
        return Time(wall.unix_nano, Zone(name, None, hours * 3600))
