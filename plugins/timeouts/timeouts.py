"""How long connections are kept, and for how many queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from corepy.plugin import Directive, Plugin

if TYPE_CHECKING:
    from corepy.site import Site

_SHORTEST: Final = 1.0
_LONGEST: Final = 86400.0
"""Seconds; CoreDNS's bounds, which tell a mistake from an intention."""
_EXPECTED: Final = "a duration from 1s to 24h"


@dataclass
class TimeoutSettings(Plugin):
    """What the lines say, by the field of `Timeouts`; what is not given stays as the listener has it.

    Not in the chain: it shapes the listener.
    """

    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all lines; of what is said twice, the last one counts."""
        plugin = cls()
        for directive in directives:
            directive.no_more()
            found = False
            for option in directive.options("read", "write", "idle", "maxtcpqueries"):
                plugin._read(option)
                found = True
            if not found:
                raise directive.error("no timeout is given", expected="read, write, idle or maxtcpqueries in a block")
        return [plugin]

    def _read(self, option: Directive) -> None:
        if option.name == "maxtcpqueries":
            word = option.word("a number of queries, or -1 for any")
            number = option.as_integer(word, "a number of queries, or -1 for any,", minimum=-1)
            if not number:
                raise option.error("maxtcpqueries of 0 would answer nothing", word, "a number, or -1 for any")
            self.settings["max_queries"] = max(number, 0)
            return
        word = option.word(_EXPECTED)
        seconds = float(word) if word.isdecimal() and word.isascii() else option.as_duration(word, _EXPECTED)
        if not _SHORTEST <= seconds <= _LONGEST:
            raise option.error(f"a timeout of {word}", word, _EXPECTED)
        self.settings[str(option.name)] = seconds

    def configure(self, site: Site) -> None:
        """Hand the settings to the listeners."""
        site.timeouts = site.timeouts._replace(**self.settings)
