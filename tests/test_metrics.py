"""Counters, gauges and histograms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from corepy import metrics
from corepy.metrics import FAMILIES, SIZE_BUCKETS, SLIM_TIME_BUCKETS, TIME_BUCKETS, Across, Counter, Gauge, Histogram


@pytest.fixture(autouse=True)
def _own_families(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(metrics, "FAMILIES", {})
    yield
    assert "x_total" not in FAMILIES


def test_counters() -> None:
    plain, labelled = Counter("x_total", "X."), Counter("y_total", "Y.", ("server", "zone"))
    assert (plain.values, labelled.values) == ({(): 0}, {})
    plain.add()
    for zone in ("a.", "b.", "a."):
        labelled.add("dns://:53", zone)
    assert plain.values == {(): 1}
    assert labelled.values == {("dns://:53", "a."): 2, ("dns://:53", "b."): 1}
    assert list(metrics.FAMILIES.values()) == [plain, labelled]


def test_gauges() -> None:
    plain, labelled = Gauge("x", "X.", across=Across.SUM), Gauge("y", "Y.", ("name",), across=Across.MAX)
    plain.set(1.5)
    labelled.set(1, "a")
    labelled.set(2, "a")
    assert (plain.values, labelled.values) == ({(): 1.5}, {("a",): 2})
    labelled.clear()
    assert labelled.values == {}


def test_histograms_count_a_bound_below_itself() -> None:
    histogram = Histogram("x", "X.", ("name",), (1, 2, 4))
    for value in (0, 1, 1.1, 2, 4, 4.1, 100):
        histogram.add(value, "a")
    histogram.add(3, "b")
    assert histogram.of("a").counts == [2, 2, 1, 2]
    assert histogram.of("a").sum == pytest.approx(112.2)
    assert histogram.of("b").counts == [0, 0, 1, 0]
    assert Histogram("y", "Y.").values[()].counts == [0] * 17


def test_a_name_is_used_once() -> None:
    Counter("x_total", "X.")
    with pytest.raises(ValueError, match="x_total"):
        Gauge("x_total", "Y.", across=Across.SUM)


def test_buckets_are_coredns() -> None:
    assert (TIME_BUCKETS[0], TIME_BUCKETS[-1], len(TIME_BUCKETS)) == (0.00025, 8.192, 16)
    assert SLIM_TIME_BUCKETS == (0.00025, 0.0025, 0.025, 0.25, 2.5)
    assert (SIZE_BUCKETS[5], SIZE_BUCKETS[9], SIZE_BUCKETS[-1]) == (511, 8291, 64000)
