"""The settings of `rrl`, and its block: the options of coredns/rrl, and their meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from corepy.plugin import Directive
from corepy.plugins.rrl.accounts import SECOND
from corepy.plugins.rrl.category import Category

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}")
_RATES: Final = {
    "responses-per-second": Category.RESPONSE,
    "nodata-per-second": Category.NODATA,
    "nxdomains-per-second": Category.NXDOMAIN,
    "referrals-per-second": Category.REFERRAL,
    "errors-per-second": Category.ERROR,
}
_OTHERS: Final = (
    "requests-per-second", "window", "ipv4-prefix-length", "ipv6-prefix-length", "slip-ratio", "max-table-size",
    "report-only",
)  # fmt: skip
_OPTIONS: Final = (*_RATES, *_OTHERS)


@dataclass(frozen=True)
class Settings:
    """What the Corefile says; times in nanoseconds, an interval of 0 is no limit."""

    intervals: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    """Between two replies, by category."""
    requests: int = 0
    """Between two queries."""
    window: int = 15 * SECOND
    prefix4: int = 24
    prefix6: int = 56
    slip: int = 0
    capacity: int = 100_000
    report_only: bool = False


def read(directive: Directive) -> Settings:
    """The block of `rrl`: each option may stand once."""
    settings, intervals = dict[str, int](), dict[Category, int]()
    for option in directive.options(*_OPTIONS, once=_OPTIONS):
        if option.name in _RATES:
            intervals[_RATES[option.name]] = _interval(option)
        else:
            key, value = _other(option)
            settings[key] = value
    default = intervals.get(Category.RESPONSE, 0)
    all_of_them = tuple(intervals.get(category, default) for category in Category)
    report_only = bool(settings.pop("report_only", 0))
    return Settings(all_of_them, report_only=report_only, **settings)  # type: ignore[arg-type]  # one for each category


def _other(option: Directive) -> tuple[str, int]:
    """The field for an option that is no rate of replies, and its value."""
    match option.name:
        case "requests-per-second":
            return "requests", _interval(option)
        case "window":
            return "window", int(_number(option, "a number of seconds above 0", above_zero=True) * SECOND)
        case "ipv4-prefix-length":
            return "prefix4", option.integer("a length in bits", 1, 32)
        case "ipv6-prefix-length":
            return "prefix6", option.integer("a length in bits", 1, 128)
        case "slip-ratio":
            return "slip", option.integer(minimum=0, maximum=10)
        case "max-table-size":
            return "capacity", option.integer("a number of accounts", minimum=0)
        case _:
            return "report_only", 1


def _interval(option: Directive) -> int:
    """The time between two of so many a second; 0 where there is no limit."""
    rate = _number(option, "a number a second such as 10 or 0.5")
    return int(SECOND / rate) if rate else 0


def _number(option: Directive, expected: str, *, above_zero: bool = False) -> float:
    word = option.word(expected)
    if not _NUMBER.fullmatch(word) or (above_zero and not float(word)):
        raise option.error(f"invalid argument {str(word)!r}", word, expected)
    return float(word)
