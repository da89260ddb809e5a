"""Dates of the Gregorian calendar, of any year, with the names of its months and days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
DAY: Final = 86_400
"""Seconds."""


class Civil(NamedTuple):
    """A date and a time of day."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A number that is printed as a name."""

    number: int
    names: ClassVar[tuple[str, ...]]

    def __str__(self) -> str:
        return self.names[self.number]


class Weekday(Named):
    """A day of the week; Sunday is 0."""

    __slots__ = ()
    names = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class Month(Named):
    """A month; January is 1."""

    __slots__ = ()
    names = ("", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
             "November", "December")  # fmt: skip


def days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date in the Gregorian calendar; a month or day beyond the last one counts on."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    year -= month <= 2   # a year that begins in March has its leap day at the end
    since_march = (153 * ((month + 9) % 12) + 2) // 5
    return 365 * year + year // 4 - year // 100 + year // 400 + since_march + day - 1 - 719_468


def date_of(day: int) -> tuple[int, int, int]:
    """Year, month and day, so many days after the first one of 1970."""
    era, rest = divmod(day + 719_468, 146_097)
    year = (rest - rest // 1_460 + rest // 36_524 - rest // 146_096) // 365
    rest -= 365 * year + year // 4 - year // 100
    month = (5 * rest + 2) // 153
    day = rest - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return 400 * era + year + (month <= 2), month, day
