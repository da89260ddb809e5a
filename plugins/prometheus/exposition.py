"""All metrics of the process as one page in Prometheus's text format, version 0.0.4.

The library brings what is to be told of the process and of Python, and its model of metrics. The lines are written as
Go's library writes them, since dashboards, scripts and tests made for CoreDNS look at them: labels by name, `le` behind
them, and whole numbers without a point.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any, Final

import prometheus_client as library
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

import corepy
from corepy import profiles
from corepy.metrics import FAMILIES, PREFIX, SETTLE, Counter, Distribution, Family, Gauge, Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class _Ours(Collector):
    """What corepy and its plugins count."""

    def collect(self) -> Iterator[Metric]:
        """Every family, by name."""
        for settle in SETTLE:
            settle()
        version = {"version": corepy.__version__, "revision": "", "goversion": f"python{platform.python_version()}"}
        info = GaugeMetricFamily(f"{PREFIX}build_info", "What is running.", labels=list(version))
        info.add_metric(list(version.values()), 1)
        yield info
        for name in sorted(FAMILIES):
            yield _metric(FAMILIES[name])


class _Runtime(Collector):
    """More about Python's own life."""

    def collect(self) -> Iterator[Metric]:
        """One gauge for each number."""
        for name, value in profiles.runtime().items():
            yield GaugeMetricFamily(f"python_{name}", f"Python's {name.replace('_', ' ')}.", value)


def _metric(family: Family) -> Metric:
    """A family in the library's model."""
    name = family.shown
    if isinstance(family, Counter | Gauge):
        kind = CounterMetricFamily if isinstance(family, Counter) else GaugeMetricFamily
        metric = kind(name, family.description, labels=family.labels)
        for labels, value in sorted(family.values.items()):
            metric.add_metric(labels, value)
        return metric
    assert isinstance(family, Histogram)  # noqa: S101 - there are no other kinds
    histogram = HistogramMetricFamily(name, family.description, labels=family.labels)
    for labels, distribution in sorted(family.values.items()):
        histogram.add_metric(labels, _buckets(distribution), distribution.sum)
    return histogram


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    """Upper bounds and how many values are at or below each, the last one being infinity."""
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*distribution.bounds, float("inf")], distribution.counts, strict=True):
        total += count
        buckets.append((_number(bound), total))
    return buckets


def _registry(*, runtime: bool) -> library.CollectorRegistry:
    registry = library.CollectorRegistry()
    registry.register(_Ours())
    library.ProcessCollector(registry=registry)
    library.PlatformCollector(registry=registry)
    library.GCCollector(registry=registry)
    if runtime:
        registry.register(_Runtime())
    return registry


def page(*, runtime: bool = False) -> bytes:
    """The page as it is now; with `runtime`, more about Python."""
    metrics = sorted(_registry(runtime=runtime).collect(), key=lambda metric: metric.name)
    return "".join(line for metric in metrics for line in _lines(metric)).encode()


def _lines(metric: Metric) -> Iterator[str]:
    name = metric.name + "_total" if metric.type == "counter" else metric.name
    yield f"# HELP {name} {_escape(metric.documentation)}\n"
    yield f"# TYPE {name} {metric.type}\n"
    for sample in _in_order(metric):
        yield f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}\n"


def _in_order(metric: Metric) -> list[Sample]:
    """Go's order: the sum of a histogram stands before the count."""
    samples = list(metric.samples)
    for at, sample in enumerate(samples[:-1]):
        if sample.name == f"{metric.name}_count" and samples[at + 1].name == f"{metric.name}_sum":
            samples[at], samples[at + 1] = samples[at + 1], sample
    return samples


def _labels(labels: dict[str, str]) -> str:
    """`{a="1",b="2",le="+Inf"}`, nothing where there are none."""
    names = sorted(labels, key=lambda name: (name == "le", name))
    pairs = ",".join(f'{name}="{_quote(labels[name])}"' for name in names)
    return f"{{{pairs}}}" if pairs else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quote(text: str) -> str:
    return _escape(text).replace('"', '\\"')


def _number(value: Any) -> str:
    """Go's shortest form: 3, 0.00025, 1.7e+09."""
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]  # the library has types for most of it
    return text.removesuffix(".0")
