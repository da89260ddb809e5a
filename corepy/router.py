"""Which server block answers: the one with the longest zone that the name is in.

Zones are keys (wire form, lower case), so a lookup is one dict access for each label that could matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from corepy import codes
from corepy import wire as w
from corepy.query import Query

Site = TypeVar("Site")


class Router(Generic[Site]):
    """Zones of one listener and who serves them."""

    def __init__(self, zones: Iterable[tuple[bytes, Site]]) -> None:
        self._zones = dict(zones)
        self._root = self._zones.get(b"\0")
        self._deepest = max(map(w.labels, self._zones), default=0)

    def route(self, query: Query) -> Site | None:
        """The site for a query, None where the name is in no zone."""
        if not self._deepest:
            return self._root
        if query.qtype == codes.DS:
            return self._parent_side(query.key)
        zones, key = self._zones, query.key
        at = 0
        while length := key[at]:
            if (site := zones.get(key[at:])) is not None:
                return site
            at += length + 1
        return self._root

    def _parent_side(self, key: bytes) -> Site | None:
        """DS records live above a zone cut (RFC 4035 2.4): the topmost zone is asked, the root only for want of one."""
        found = None
        for suffix in w.suffixes(key):
            if suffix != b"\0":
                found = self._zones.get(suffix, found)
        return found or self._root
