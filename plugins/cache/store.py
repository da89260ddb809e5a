"""A mapping of fixed capacity: what is there, what goes when there is no room."""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

CHANCES: Final = 8
"""Entries that are spared in a row because somebody has asked for them: a new entry costs the same, however many."""


class Asked(Protocol):
    """What a store holds: something that remembers whether it was asked for."""

    asked: bool


T = TypeVar("T", bound=Asked)


class Store(Generic[T]):
    """At most `capacity` entries. The oldest goes first, but one that was asked for since gets another round.

    That is the CLOCK algorithm: a ring of keys and a hand that moves along it. A look-up only sets a flag, and an
    entry takes eight octets here beside its place in the dictionary.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.entries: dict[bytes, T] = {}
        """For whoever looks for one, and sets `asked` then; entries may be taken out."""
        self._ring: list[bytes] = []
        """Keys in their order; that of an entry which was taken out stays until the hand comes by."""
        self._hand = 0

    def put(self, key: bytes, entry: T) -> bool:
        """Keep an entry; whether another one had to go for it."""
        entries, ring = self.entries, self._ring
        evicted = False
        if key not in entries:
            if len(ring) < self.capacity:
                ring.append(key)
            else:
                at, evicted = self._make_room()
                ring[at] = key
        entries[key] = entry
        return evicted

    def _make_room(self) -> tuple[int, bool]:
        """A place of the ring, and whether it was taken until now."""
        entries, ring = self.entries, self._ring
        chances = CHANCES
        while True:
            at = self._hand
            self._hand = at + 1 if at + 1 < self.capacity else 0
            key = ring[at]
            entry = entries.pop(key, None)
            if entry is None or not entry.asked or not chances:
                return at, entry is not None
            chances -= 1
            entry.asked = False
            entries[key] = entry
