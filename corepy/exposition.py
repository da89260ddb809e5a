"""Pages of metrics in Prometheus's text format (version 0.0.4): several processes' pages as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from corepy.metrics import FAMILIES, PREFIX, Across, Counter, Gauge

_FOREIGN: Final = {
    "coredns_build_info": Across.SAME,
    "process_max_fds": Across.SAME,
    "process_start_time_seconds": Across.MAX,
    "python_info": Across.SAME,
}
"""Gauges that are made where the page is, or by its library; others of them add up."""


def is_metrics(content_type: str) -> bool:
    """Whether a page of this type is one of metrics."""
    return content_type.startswith("text/plain; version=0.0.4")


def merge(pages: list[bytes]) -> bytes:
    """The pages of all workers, and what this process has counted itself, as one."""
    families: dict[str, _Family] = {}
    for page in [*(page.decode() for page in pages), "".join(_own())]:
        current: _Family | None = None
        for line in page.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                current = families.setdefault(name, _Family(line))
            elif current is not None and line.startswith("# TYPE "):
                current.kind = line
            elif current is not None and line:
                current.add(*line.rsplit(" ", 1))
    return "".join(families[name].page() for name in sorted(families)).encode()


class _Family:
    """The lines of one name."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.kind = ""
        self._samples: dict[str, str] = {}

    def add(self, series: str, value: str) -> None:
        """One more process's value of a series."""
        if series not in self._samples:
            self._samples[series] = value
            return
        across = _across(series.partition("{")[0]) if self.kind.endswith(" gauge") else Across.SUM
        if across is not Across.SAME:
            both = float(self._samples[series]), float(value)
            self._samples[series] = _number(max(both) if across is Across.MAX else sum(both))

    def page(self) -> str:
        """Description, kind, and all series."""
        return "\n".join([self.description, self.kind, *map(" ".join, self._samples.items()), ""])


def _across(name: str) -> Across:
    """What the values of a gauge are together; this process knows the plugins that the others run."""
    family = FAMILIES.get(name.removeprefix(PREFIX))
    return family.across if isinstance(family, Gauge) else _FOREIGN.get(name, Across.SUM)


def begin_anew() -> None:
    """Count from nothing, as a new process does that has its parent's memory."""
    for family in FAMILIES.values():
        if isinstance(family, Counter | Gauge):
            family.values.clear()
            if not family.labels:
                family.values[()] = 0


def _own() -> Iterator[str]:
    """What this process counts, for reloads are its business and no worker's."""
    for _, family in sorted(FAMILIES.items()):
        if isinstance(family, Counter | Gauge) and any(family.values.values()):
            yield f"# HELP {family.shown} {family.description}\n# TYPE {family.shown} {family.kind}\n"
            for labels, value in family.values.items():
                pairs = sorted(zip(family.labels, labels, strict=True))
                text = ",".join(f'{label}="{_quote(word)}"' for label, word in pairs)
                yield f"{family.shown}{f'{{{text}}}' if text else ''} {_number(value)}\n"


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


__all__ = ["begin_anew", "is_metrics", "merge"]
