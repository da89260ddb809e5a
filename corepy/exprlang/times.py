"""Moments, durations and time zones as Go's package time has them: to the nanosecond, and for any year.

Python's `datetime` knows microseconds and the years from 1 on; a time of day without a date is one of the year 0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from functools import total_ordering
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from corepy.duration import format_nanoseconds
from corepy.exprlang.calendar import DAY, SECOND, Civil, Weekday, date_of, days
from corepy.exprlang.integers import held, wrapped
from corepy.exprlang.layouts import PRINTED, show

_KNOWN: Final = (-62_135_500_000, 253_402_200_000)
"""Unix seconds for which rules of zones are asked, of the years 1 to 9999; what is outside has the nearest offset."""
_YEAR_ONE: Final = -62_135_596_800
"""The first second of the year 1, from which times are rounded."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time, printed as `1h30m0s`."""

    nanoseconds: int

    @classmethod
    def _of(cls, nanoseconds: int) -> Self:
        return cls(wrapped(nanoseconds))

    def __add__(self, other: object) -> Duration:
        return self._of(self.nanoseconds + other.nanoseconds) if isinstance(other, Duration) else NotImplemented

    def __sub__(self, other: object) -> Duration:
        return self._of(self.nanoseconds - other.nanoseconds) if isinstance(other, Duration) else NotImplemented

    def __mul__(self, other: object) -> Duration | float:
        """Times a float it is a float, and times a duration a duration: so it is in expr-lang."""
        if isinstance(other, bool) or not isinstance(other, int | float | Duration):
            return NotImplemented
        if isinstance(other, float):
            return self.nanoseconds * other
        return self._of(self.nanoseconds * (other if isinstance(other, int) else other.nanoseconds))

    __rmul__ = __mul__

    def truncate(self, unit: Duration) -> Duration:
        """Without what is less than a unit, towards zero."""
        if unit.nanoseconds <= 0:
            return self
        rest = abs(self.nanoseconds) % unit.nanoseconds
        return Duration(self.nanoseconds - (rest if self.nanoseconds >= 0 else -rest))

    def round(self, unit: Duration) -> Duration:
        """To the nearest multiple of a unit; halves away from zero."""
        if unit.nanoseconds <= 0:
            return self
        size = abs(self.nanoseconds)
        rest = size % unit.nanoseconds
        size += unit.nanoseconds - rest if 2 * rest >= unit.nanoseconds else -rest
        return Duration(held(size if self.nanoseconds >= 0 else -size))

    def __str__(self) -> str:
        return format_nanoseconds(self.nanoseconds)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone: with rules, `Local` that of the machine, or always the same seconds east of Greenwich."""

    name: str
    rules: ZoneInfo | None = None
    east: int = 0

    @classmethod
    def find(cls, name: str) -> Zone:
        """The zone of a name such as `Europe/Berlin`. Raises ValueError or LookupError where there is none."""
        if name in ("", "UTC"):
            return UTC
        return LOCAL if name == "Local" else cls(name, ZoneInfo(name))

    def at(self, unix: int) -> tuple[int, str, bool]:
        """Seconds east, abbreviation, and whether it is summer time, at a moment in unix seconds."""
        known = max(_KNOWN[0], min(unix, _KNOWN[1]))
        if self is LOCAL:
            there = time.localtime(known)
            return there.tm_gmtoff, there.tm_zone, there.tm_isdst > 0
        if self.rules is None:
            return self.east, self.name, False
        moment = datetime.fromtimestamp(known, self.rules)
        east, summer = moment.utcoffset(), moment.dst()
        return int(east.total_seconds()) if east else 0, moment.tzname() or "", bool(summer)

    def __str__(self) -> str:
        return self.name


UTC: Final = Zone("UTC")
LOCAL: Final = Zone("Local")


@total_ordering
class Time:
    """A moment, in nanoseconds since 1970, and the zone in which it is shown. Equal are those at the same moment."""

    __slots__ = ("unix_nano", "zone")

    def __init__(self, unix_nano: int, zone: Zone = UTC) -> None:
        self.unix_nano, self.zone = unix_nano, zone

    @classmethod
    def of(cls, civil: Civil, zone: Zone = UTC, nanosecond: int = 0) -> Self:
        """The moment of a date in a zone; an hour that summer time leaves out is one later (Go's time.Date)."""
        wall = days(civil.year, civil.month, civil.day) * DAY + civil.hour * 3600 + civil.minute * 60 + civil.second
        unix = wall - zone.at(wall)[0]
        return cls((wall - zone.at(unix)[0]) * SECOND + nanosecond, zone)

    @property
    def unix(self) -> int:
        """Seconds since 1970."""
        return self.unix_nano // SECOND

    @property
    def nanosecond(self) -> int:
        """Those of its second."""
        return self.unix_nano % SECOND

    @property
    def civil(self) -> Civil:
        """Date and time of day in its zone."""
        day, second = divmod(self.unix + self.zone.at(self.unix)[0], DAY)
        return Civil(*date_of(day), second // 3600, second // 60 % 60, second % 60)

    @property
    def year_day(self) -> int:
        """The day of the year, from 1."""
        year, month, day, *_ = self.civil
        return days(year, month, day) - days(year, 1, 1) + 1

    @property
    def weekday(self) -> Weekday:
        """The day of the week."""
        year, month, day, *_ = self.civil
        return Weekday((days(year, month, day) + 4) % 7)   # 1970 began on a Thursday

    @property
    def iso_year(self) -> int:
        """The year to which its week belongs (ISO 8601): that of the Thursday."""
        year, month, day, *_ = self.civil
        thursday = days(year, month, day) + 3 - (self.weekday.number + 6) % 7
        return date_of(thursday)[0]

    def moved(self, years: int, months: int, more_days: int) -> Time:
        """Later by so much; a day that the month has not is one of the next month (Go's AddDate)."""
        civil = self.civil
        made = civil._replace(year=civil.year + years, month=civil.month + months, day=civil.day + more_days)
        return Time.of(made, self.zone, self.nanosecond)

    def truncate(self, unit: Duration) -> Time:
        """Down to a multiple of a unit since the year 1."""
        if unit.nanoseconds <= 0:
            return self
        return Time(self.unix_nano - (self.unix_nano - _YEAR_ONE * SECOND) % unit.nanoseconds, self.zone)

    def round(self, unit: Duration) -> Time:
        """To the nearest such multiple; halves up."""
        if unit.nanoseconds <= 0:
            return self
        rest = (self.unix_nano - _YEAR_ONE * SECOND) % unit.nanoseconds
        return Time(self.unix_nano + (-rest if 2 * rest < unit.nanoseconds else unit.nanoseconds - rest), self.zone)

    @property
    def is_zero(self) -> bool:
        """Whether it is the first moment of the year 1."""
        return self.unix_nano == _YEAR_ONE * SECOND

    def __add__(self, other: object) -> Time:
        return Time(self.unix_nano + other.nanoseconds, self.zone) if isinstance(other, Duration) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        if isinstance(other, Time):
            return Duration(held(self.unix_nano - other.unix_nano))
        return Time(self.unix_nano - other.nanoseconds, self.zone) if isinstance(other, Duration) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.unix_nano == other.unix_nano

    def __lt__(self, other: object) -> bool:
        return self.unix_nano < other.unix_nano if isinstance(other, Time) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.unix_nano)

    def __str__(self) -> str:
        return show(self, PRINTED)
