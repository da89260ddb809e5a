"""Which server block answers: the one with the longest zone that the name is in.

Zones are keys (wire form, lower case), so a lookup is one dict access for each label that could matter. Where sites
serve only some queries (views), several may share a zone: the first one that takes the query answers, or else one of a
shorter zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from corepy import codes
from corepy import wire as w
from corepy.query import Query

Site = TypeVar("Site")


class Filtered(NamedTuple, Generic[Site]):
    """A site that takes only the queries for which `takes` is true."""

    takes: Callable[[Query], bool]
    site: Site


class Router(Generic[Site]):
    """Zones of one listener and who serves them; `route(query)` is the site, None where nobody takes the query."""

    def __init__(self, zones: Iterable[tuple[bytes, Site | Filtered[Site]]]) -> None:
        self._zones: dict[bytes, Site] = {}
        self._all: dict[bytes, list[Site | Filtered[Site]]] = {}
        for zone, site in zones:
            self._all.setdefault(zone, []).append(site)
            if not isinstance(site, Filtered):
                self._zones[zone] = site
        self._root = self._zones.get(b"\0")
        self._deepest = max(map(w.labels, self._zones), default=0)
        has_views = any(isinstance(site, Filtered) for sites in self._all.values() for site in sites)
        self.route: Callable[[Query], Site | None] = self._route_to_view if has_views else self._route

    def _route(self, query: Query) -> Site | None:
        """The site with the longest zone."""
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

    def _route_to_view(self, query: Query) -> Site | None:
        """As `_route` and `_parent_side`, where a zone has several sites and some do not take every query."""
        found = None
        for suffix in w.suffixes(query.key):
            site = self._taking(suffix, query)
            if site is not None and (found is None or suffix != b"\0"):
                found = site
                if query.qtype != codes.DS:
                    break
        return found

    def _taking(self, zone: bytes, query: Query) -> Site | None:
        """The first site of a zone that takes the query."""
        for site in self._all.get(zone, ()):
            if not isinstance(site, Filtered):
                return site
            if site.takes(query):
                taking: Site = site.site
                return taking
        return None
