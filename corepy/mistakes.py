"""All mistakes in the directives of a plugin, whose parser ends at the first one.

What is wrong is left out, and the rest is parsed again, until nothing is wrong any more. What a directive is said to
lack after something of it was left out is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from corepy.directive import Directive
from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.plugin import Plugin

_MOST: Final = 100
"""Mistakes of one directive's name in a block: each costs a parse of all its lines, and nobody reads more at once."""


def mistakes(plugin: type[Plugin], directives: Sequence[Directive]) -> list[ConfigError]:
    """What is wrong with the directives of one name in a server block, each mistake once."""
    lines = [directive.unread() for directive in directives]
    maimed: set[Position] = set()
    found: dict[str, ConfigError] = {}
    while lines and len(found) < _MOST:
        lines = [line.unread() for line in lines]
        try:
            plugin.parse_all(lines)
            for line in lines:
                line.finish()
        except ConfigError as raised:
            for error in raised.errors if isinstance(raised, ConfigErrors) else [raised]:
                if error.at not in maimed:
                    found.setdefault(str(error), error)
                if not _leave_out(error.at, lines, maimed):
                    return list(found.values())
            continue
        break
    return list(found.values())


def _leave_out(at: Position | None, lines: list[Directive], maimed: set[Position]) -> bool:
    """Leave out the option that has this place, or else the directive; whether there was one."""
    for line in lines:
        for option in line.block or []:
            if line.block is not None and at in _places(option):
                line.block.remove(option)
                maimed |= {place for place in (line.at, line.opened, line.closed) if place}
                return True
        if at in _places(line):
            lines.remove(line)
            return True
    return False


def _places(line: Directive) -> set[Position | None]:
    """Where a line, and all that is within it, may be said to be wrong."""
    within = (place for option in line.block or [] for place in _places(option))
    return {line.at, line.opened, line.closed, *(word.at for word in line.arguments), *within}
