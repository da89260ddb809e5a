"""Errors that are alike, counted over a while and reported in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from corepy import expression
from corepy.clock import Timer
from corepy.duration import format_duration
from corepy.expression import Expression
from corepy.plugin import Clock, Directive, Log
from corepy.words import shown

LEVELS: Final = ("warning", "error", "info", "debug")


@dataclass
class Consolidation:
    """One `consolidate` line: errors whose text matches `expression` are counted for `period` seconds.

    The period begins with the first error and is not extended by others. `level` is the level of all lines about
    these errors; with `show_first` the first error of a period is written at once.
    """

    period: float
    expression: Expression
    level: str = "error"
    show_first: bool = False
    count: int = field(default=0, compare=False)
    """Errors since the period began; 0 where none is running."""
    _timer: Timer | None = field(default=None, compare=False, repr=False)

    @classmethod
    def parse(cls, option: Directive) -> Self:
        """Read `DURATION REGEX [LEVEL] [show_first]`."""
        period = option.duration()
        word = option.word("a regular expression")
        try:
            pattern = expression.compile(word)
        except ValueError as error:
            raise option.error(str(error), word) from None
        level, show_first = "error", False
        rest = option.optional()
        if rest in LEVELS:
            level, rest = str(rest), option.optional()
        if rest == "show_first":
            show_first, rest = True, option.optional()
        if rest is not None:
            expected = f"one of {', '.join(LEVELS)}, and then show_first"
            raise option.error(f"consolidate does not take {shown(rest)} here", rest, expected)
        return cls(period, pattern, level, show_first)

    def add(self, clock: Clock, log: Log) -> bool:
        """Count an error; whether its own line is to be written all the same."""
        self.count += 1
        if self.count > 1:
            return False
        self._timer = clock.later(self.period, lambda: self.report(log))
        return self.show_first

    def report(self, log: Log) -> None:
        """End the period; say how many errors there were, unless the one that there was has been shown."""
        count, self.count = self.count, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if count > self.show_first:
            period = format_duration(self.period)
            self.write(log, f"{count} errors like '{self.expression.pattern}' occurred in last {period}")

    def write(self, log: Log, text: str) -> None:
        """A line at the level of these errors."""
        write = {"warning": log.warning, "error": log.error, "info": log.info, "debug": log.debug}
        write[self.level](text)
