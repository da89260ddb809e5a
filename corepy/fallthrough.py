"""`fallthrough [ZONES...]`: for which names a plugin that has no answer lets the next one try.

Several plugins share the option and its meaning: without it a name that is not found ends there; without zones it
is for every name.
"""

from __future__ import annotations

from collections.abc import Iterable

from corepy import wire as w
from corepy.directive import Directive


class Fallthrough:
    """The zones (keys) whose names fall through; none for no name, the root for every name."""

    def __init__(self, zones: Iterable[bytes] = ()) -> None:
        self.zones = tuple(zones)

    @classmethod
    def parse(cls, option: Directive) -> Fallthrough:
        """From the option's line: its zones, or all names where it has none. Raises ConfigError."""
        return cls(option.as_zones(option.words()) or (b"\0",))

    def through(self, key: bytes) -> bool:
        """Whether a name, given as its key, falls through."""
        return w.in_zones(key, self.zones)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fallthrough) and self.zones == other.zones

    def __hash__(self) -> int:
        return hash(self.zones)
