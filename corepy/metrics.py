"""Numbers for monitoring: counters, gauges and histograms that a plugin makes where it is defined, and just bumps.

    BLOCKED = Counter("acl_blocked_requests_total", "Queries that were refused.", ("server", "zone"))
    BLOCKED.add(query.endpoint.server, ".")

They belong to the process, so they live through reloads, and nobody needs to look at them: the `prometheus` plugin
reads `FAMILIES` when it is asked. All is plain numbers in dicts, by the values of the labels in their order; a name
gets CoreDNS's prefix, `coredns_`, when it is shown. What CoreDNS does not count begins with `corepy_` instead.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from enum import Enum
from typing import ClassVar, Final

Labels = tuple[str, ...]

TIME_BUCKETS: Final = tuple(0.00025 * 2**power for power in range(16))
"""Upper bounds in seconds, from 0.25 ms to 8 s; CoreDNS's for queries."""
SLIM_TIME_BUCKETS: Final = (0.00025, 0.0025, 0.025, 0.25, 2.5)
"""CoreDNS's where five have to do."""
SIZE_BUCKETS: Final = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)
"""Upper bounds in octets; CoreDNS's, 8291 included."""


PREFIX: Final = "coredns_"
"""The beginning of all names as they are shown: dashboards and alerts ask for them so."""
OWN: Final = "corepy_"
"""The beginning of names for what CoreDNS does not count."""


class Family:
    """All series of one name, which differ in the values of their labels. Raises ValueError for a name in use."""

    watched: ClassVar[bool] = False
    """Whether anybody looks at metrics in this process; what costs more than a bump can be left out if not."""
    kind: ClassVar[str]
    """What Prometheus calls it."""

    def __init__(self, name: str, description: str, labels: Labels = ()) -> None:
        if name in FAMILIES:
            raise ValueError(f"there is a metric {name!r} already")
        self.name = name
        self.description = description
        self.labels = labels
        FAMILIES[name] = self

    @property
    def shown(self) -> str:
        """The name in full."""
        return self.name if self.name.startswith(OWN) else PREFIX + self.name


FAMILIES: Final[dict[str, Family]] = {}
"""By name; those of plugins that no Corefile has named are not there."""

SETTLE: Final[list[Callable[[], None]]] = []
"""Called before the numbers are shown: for who counts in plain attributes and makes series of them when one looks."""


class Counter(Family):
    """How often something has happened; the name ends in `_total`. Without labels it is there from the beginning."""

    kind = "counter"

    def __init__(self, name: str, description: str, labels: Labels = ()) -> None:
        super().__init__(name, description, labels)
        self.values: dict[Labels, int] = {} if labels else {(): 0}

    def add(self, *labels: str, count: int = 1) -> None:
        """Once more, or several times."""
        self.values[labels] = self.values.get(labels, 0) + count


class Across(Enum):
    """What a gauge is where several processes serve together, each with a value of its own."""

    SUM = "sum"
    """Each has some of it: entries of a cache."""
    MAX = "max"
    """The largest tells how far they have got: when a file was read."""
    SAME = "same"
    """All say the same: records of a file, a version. Any of them stands for all."""


class Gauge(Family):
    """How much there is of something. Without labels it is 0 in the beginning.

    `across` says what several processes' values are together.
    """

    kind = "gauge"

    def __init__(self, name: str, description: str, labels: Labels = (), *, across: Across) -> None:
        super().__init__(name, description, labels)
        self.across = across
        self.values: dict[Labels, float] = {} if labels else {(): 0}

    def set(self, value: float, *labels: str) -> None:
        """From now on it is so much."""
        self.values[labels] = value

    def clear(self) -> None:
        """Forget what was set, of what may be gone."""
        self.values.clear()


class Distribution:
    """One series of a histogram: how many values there were in each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """The largest value of each bucket, ascending; one more bucket is for what is larger."""
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Histogram(Family):
    """How values of something are distributed over `bounds`."""

    kind = "histogram"

    def __init__(
        self, name: str, description: str, labels: Labels = (), bounds: tuple[float, ...] = TIME_BUCKETS
    ) -> None:
        super().__init__(name, description, labels)
        self.bounds = bounds
        self.values: dict[Labels, Distribution] = {} if labels else {(): Distribution(bounds)}

    def of(self, *labels: str) -> Distribution:
        """The series with these labels, for who adds to it often."""
        if labels not in self.values:
            self.values[labels] = Distribution(self.bounds)
        return self.values[labels]

    def add(self, value: float, *labels: str) -> None:
        """One more value."""
        self.of(*labels).add(value)


__all__ = [
    "FAMILIES", "OWN", "PREFIX", "SETTLE", "SIZE_BUCKETS", "SLIM_TIME_BUCKETS", "TIME_BUCKETS", "Across", "Counter",
    "Distribution", "Family", "Gauge", "Histogram", "Labels",
]  # fmt: skip
