"""What a `cache` line says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from corepy.plugin import Directive
from corepy.words import Word, shown

SHARDS: Final = 256
"""Capacities are a multiple of this, 4 times it at least: CoreDNS has so many shards of equal size."""
MAX_SERVFAIL: Final = 300
"""Seconds that a failure may be kept (RFC 2308 7.1)."""
MAX_RECHECK: Final = 300
"""Seconds to wait after a refresh that has failed, at most (RFC 8767 5)."""
MAX_TTL: Final = (1 << 31) - 1
"""Seconds (RFC 2181 8)."""
_PERCENT: Final = range(10, 91)


@dataclass
class Limits:
    """How much is kept for how long, of successes or of denials: entries, and seconds."""

    capacity: int
    ttl: int
    minimum: int = 5


@dataclass
class Stale:
    """What `serve_stale` says; times in seconds."""

    up_to: float = 3600.0
    verify: bool = False
    timeout: float = 0.0
    """How long a client waits while an entry is verified; 0: until the upstream has failed."""
    ttl: int = 0
    """That of replies; 0 where nothing else was said."""
    recheck: float = 0.0
    """No refresh for so long after one that has failed."""


@dataclass
class Settings:
    """All that the block can say, with CoreDNS's defaults."""

    success: Limits = field(default_factory=lambda: Limits(9984, 3600))
    denial: Limits = field(default_factory=lambda: Limits(9984, 1800))
    prefetch: int = 0
    """Queries that make an entry popular; 0: nothing is prefetched."""
    gap: float = 60.0
    """Seconds between two queries that end its popularity."""
    percent: int = 10
    """Of the TTL: with less left, a popular entry is fetched."""
    stale: Stale | None = None
    prefer_positive: bool = False
    servfail: float = 5.0
    """Seconds that a failure is kept."""
    no_success: tuple[bytes, ...] = ()
    """Zones (keys) of which no answers are kept."""
    no_denial: tuple[bytes, ...] = ()
    keepttl: bool = False


def read(directive: Directive) -> tuple[Settings, tuple[bytes, ...]]:
    """The settings of a directive and its zones; raises ConfigError."""
    settings = Settings()
    words = directive.words()
    if words and _is_number(words[0]):
        ttl = directive.as_integer(words.pop(0), "a TTL in seconds", 1, MAX_TTL)
        settings.success.ttl = settings.denial.ttl = ttl
    zones = directive.as_zones(words) or directive.zones
    policy: Directive | None = None
    for option in directive.options(*_READERS, once=("serve_stale_policy",)):
        if option.name == "serve_stale_policy":
            policy = option
        _READERS[option.name](settings, option)
    if policy is not None and settings.stale is None:
        raise policy.error("serve_stale_policy without serve_stale")
    return settings, zones


def _is_number(word: Word) -> bool:
    """Whether a word can only be a TTL, right or wrong."""
    return word.lstrip("+-").isdecimal() and word.isascii()


def _limits(limits: Limits, option: Directive) -> None:
    """`CAPACITY [TTL] [MINTTL]`."""
    capacity = option.integer("a capacity, the number of replies to keep")
    limits.capacity = max(capacity // SHARDS, 4) * SHARDS
    if (ttl := option.optional()) is not None:
        limits.ttl = option.as_integer(ttl, "a TTL in seconds", 1, MAX_TTL)
    if (minimum := option.optional()) is not None:
        limits.minimum = option.as_integer(minimum, "the lowest TTL in seconds", 0, MAX_TTL)


def _success(settings: Settings, option: Directive) -> None:
    _limits(settings.success, option)


def _denial(settings: Settings, option: Directive) -> None:
    _limits(settings.denial, option)


def _prefetch(settings: Settings, option: Directive) -> None:
    """`AMOUNT [DURATION [PERCENTAGE%]]`."""
    settings.prefetch = option.integer("how many queries make a name popular", 0)
    if (gap := option.optional()) is not None:
        settings.gap = option.as_duration(gap)
    if (percent := option.optional()) is not None:
        settings.percent = _percentage(option, percent)


def _percentage(option: Directive, word: Word) -> int:
    number = word.removesuffix("%")
    if number == word or not number.isdecimal() or not number.isascii() or int(number[:4]) not in _PERCENT:
        raise option.error(f"invalid argument {shown(word)}", word, "a percentage from 10% to 90%")
    return int(number)


def _serve_stale(settings: Settings, option: Directive) -> None:
    """`[DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]`."""
    settings.stale = stale = Stale()
    if (up_to := option.optional()) is not None:
        stale.up_to = option.as_duration(up_to, minimum=0)
    if (mode := option.optional()) is not None:
        stale.verify = option.as_choice(mode, "immediate", "verify", fold_case=True) == "verify"
    if stale.verify and (timeout := option.optional()) is not None:
        stale.timeout = option.as_duration(timeout, minimum=0)
    if (ttl := option.optional()) is not None:
        stale.ttl = _whole_seconds(option, ttl)
    if (recheck := option.optional()) is not None:
        stale.recheck = _up_to(option, recheck, MAX_RECHECK)


def _whole_seconds(option: Directive, word: Word) -> int:
    expected = "a TTL as a duration of whole seconds, such as 30s"
    seconds = option.as_duration(word, expected, 0)
    if seconds != int(seconds) or seconds > MAX_TTL:
        raise option.error(f"invalid argument {shown(word)}", word, expected)
    return int(seconds)


def _up_to(option: Directive, word: Word, most: int) -> float:
    expected = f"a duration of at most {most // 60}m"
    seconds = option.as_duration(word, expected, 0)
    if seconds > most:
        raise option.error(f"invalid {option.name} duration {shown(word)}", word, expected)
    return seconds


def _policy(settings: Settings, option: Directive) -> None:
    option.choice("prefer_positive", fold_case=True)
    settings.prefer_positive = True


def _servfail(settings: Settings, option: Directive) -> None:
    settings.servfail = _up_to(option, option.word("a duration"), MAX_SERVFAIL)


def _disable(settings: Settings, option: Directive) -> None:
    kind = option.choice("success", "denial")
    zones = option.as_zones(option.words()) or (b"\0",)
    if kind == "success":
        settings.no_success = zones
    else:
        settings.no_denial = zones


def _keepttl(settings: Settings, option: Directive) -> None:
    option.no_more()
    settings.keepttl = True


_READERS: Final[dict[str, Callable[[Settings, Directive], None]]] = {
    "success": _success,
    "denial": _denial,
    "prefetch": _prefetch,
    "serve_stale": _serve_stale,
    "serve_stale_policy": _policy,
    "servfail": _servfail,
    "disable": _disable,
    "keepttl": _keepttl,
}
