"""A mapping of fixed capacity: what is there, what goes when there is no room."""

from __future__ import annotations

from typing import Final, TypeAlias

from corepy.plugins.cache.entry import EXPIRES, Entry, Head, State, unpack

CHANCES: Final = 8
"""Entries that are spared in a row because somebody has asked for them: a new entry costs the same, however many."""


class Store:
    """At most `capacity` entries. The oldest goes first, but one that was asked for since gets another round.

    That is the CLOCK algorithm: a ring of keys and a hand that moves along it. A look-up only sets a flag, and an
    entry takes ten octets here beside its place in the dictionary.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.entries: dict[bytes, Entry] = {}
        """Entries may be taken out."""
        self.states: dict[bytes, State] = {}
        """What is known about some of the entries; that of an entry which was taken out may stay as long as its key."""
        self.asked = bytearray(1 << capacity.bit_length())
        """Whether somebody has asked for an entry since the hand came by, at the hash of its key.

        Whoever serves one sets it. Where two keys share a flag, one may be spared that nobody has asked for.
        """
        self.mask = len(self.asked) - 1
        self._ring: list[bytes] = []
        """Keys in their order; that of an entry which was taken out stays until the hand comes by."""
        self._hand = 0

    def find(self, key: bytes, alive: float) -> Found | None:
        """The entry of a key that expires later than `alive`, on the clock."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        head = unpack(entry)
        return (self, entry, head) if head[EXPIRES] > alive else None

    def state(self, key: bytes) -> State:
        """What is known about an entry, made when it is first needed."""
        if (state := self.states.get(key)) is None:
            state = self.states[key] = State()
        return state

    def put(self, key: bytes, entry: Entry) -> bool:
        """Keep an entry, of which nothing is known yet; whether another one had to go for it."""
        entries, ring = self.entries, self._ring
        evicted = False
        if key not in entries:
            if len(ring) < self.capacity:
                ring.append(key)
            else:
                at, evicted = self._make_room()
                ring[at] = key
        entries[key] = entry
        if self.states:
            self.states.pop(key, None)
        return evicted

    def _make_room(self) -> tuple[int, bool]:
        """A place of the ring, and whether it was taken until now."""
        entries, ring, asked, mask = self.entries, self._ring, self.asked, self.mask
        chances = CHANCES
        while True:
            at = self._hand
            self._hand = at + 1 if at + 1 < self.capacity else 0
            key = ring[at]
            place = hash(key) & mask
            if chances and asked[place] and key in entries:
                chances -= 1
                asked[place] = 0
                continue
            if self.states:
                self.states.pop(key, None)
            return at, entries.pop(key, None) is not None


Found: TypeAlias = tuple[Store, Entry, Head]
"""An entry with its head, and where it is kept."""
