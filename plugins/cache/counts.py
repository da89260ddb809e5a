"""What the cache counts, on the way in plain attributes, and as metrics when somebody looks."""

from __future__ import annotations

from typing import Final

from corepy.metrics import SETTLE, Across, Counter, Gauge

_PLACE: Final = ("server", "zones", "view")
_KIND: Final = ("server", "type", "zones", "view")
_ENTRIES: Final = Gauge("cache_entries", "Replies that are kept.", _KIND, across=Across.SUM)
_REQUESTS: Final = Counter("cache_requests_total", "Queries that came by.", _PLACE)
_HITS: Final = Counter("cache_hits_total", "Queries that were answered.", _KIND)
_MISSES: Final = Counter("cache_misses_total", "Queries that went on; requests less hits say the same.", _PLACE)
_PREFETCHES: Final = Counter("cache_prefetch_total", "Replies that were asked for again.", _PLACE)
_DROPS: Final = Counter("cache_drops_total", "Replies that did not belong to their query.", _PLACE)
_SERVED_STALE: Final = Counter("cache_served_stale_total", "Queries that were answered after the time.", _PLACE)
_EVICTIONS: Final = Counter("cache_evictions_total", "Replies that had to go for others.", _KIND)


class Kind:
    """Numbers of successes, or of denials."""

    __slots__ = ("entries", "evictions", "hits")

    def __init__(self) -> None:
        self.hits = self.evictions = self.entries = 0


class Counts:
    """What has happened in one cache on one listener."""

    __slots__ = ("denials", "drops", "misses", "place", "prefetches", "stale", "successes")

    def __init__(self, place: tuple[str, str, str]) -> None:
        self.place = place
        """Listener, zones and view, as labels."""
        self.successes, self.denials = Kind(), Kind()
        self.misses = self.prefetches = self.drops = self.stale = 0

    def settle(self) -> None:
        """Hand the numbers to the metrics; what has never happened has no series, as in CoreDNS."""
        server, zones, view = self.place
        requests = self.misses
        for name, kind in (("success", self.successes), ("denial", self.denials)):
            labels = (server, name, zones, view)
            requests += kind.hits
            _tell(_HITS, kind.hits, labels)
            _tell(_EVICTIONS, kind.evictions, labels)
            _ENTRIES.set(kind.entries, *labels)
        _tell(_REQUESTS, requests, self.place)
        _tell(_MISSES, self.misses, self.place)
        _tell(_PREFETCHES, self.prefetches, self.place)
        _tell(_DROPS, self.drops, self.place)
        _tell(_SERVED_STALE, self.stale, self.place)


def _tell(counter: Counter, number: int, labels: tuple[str, ...]) -> None:
    if number:
        counter.values[labels] = number


_all: Final[dict[tuple[str, str, str], Counts]] = {}


def counts(server: str, zones: str, view: str) -> Counts:
    """The numbers of a cache on a listener; those of the process, so that a reload finds them again."""
    place = (server, zones, view)
    if place not in _all:
        _all[place] = Counts(place)
    return _all[place]


def settle() -> None:
    """Bring all metrics up to date."""
    for each in _all.values():
        each.settle()


SETTLE.append(settle)
