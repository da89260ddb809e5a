"""corepy.exposition: the pages of several processes as one."""

from __future__ import annotations

import pytest

from corepy.exposition import begin_anew, is_metrics, merge
from corepy.metrics import FAMILIES, Across, Counter, Gauge

ONE = b"""\
# HELP coredns_build_info What is running.
# TYPE coredns_build_info gauge
coredns_build_info{version="1"} 1
# HELP coredns_cache_entries Entries.
# TYPE coredns_cache_entries gauge
coredns_cache_entries{type="success"} 3
# HELP coredns_time_seconds Time.
# TYPE coredns_time_seconds histogram
coredns_time_seconds_bucket{le="0.5"} 1
coredns_time_seconds_bucket{le="+Inf"} 2
coredns_time_seconds_sum 1.25
coredns_time_seconds_count 2
"""
OTHER = b"""\
# HELP coredns_build_info What is running.
# TYPE coredns_build_info gauge
coredns_build_info{version="1"} 1
# HELP coredns_cache_entries Entries.
# TYPE coredns_cache_entries gauge
coredns_cache_entries{type="success"} 4
coredns_cache_entries{type="a b\\" c"} 5
# HELP coredns_asked_total Asked.
# TYPE coredns_asked_total counter
coredns_asked_total 7
# HELP coredns_time_seconds Time.
# TYPE coredns_time_seconds histogram
coredns_time_seconds_bucket{le="0.5"} 10
coredns_time_seconds_bucket{le="+Inf"} 20
coredns_time_seconds_sum 0.5
coredns_time_seconds_count 20
"""
BOTH = """\
# HELP coredns_asked_total Asked.
# TYPE coredns_asked_total counter
coredns_asked_total 7
# HELP coredns_build_info What is running.
# TYPE coredns_build_info gauge
coredns_build_info{version="1"} 1
# HELP coredns_cache_entries Entries.
# TYPE coredns_cache_entries gauge
coredns_cache_entries{type="success"} 7
coredns_cache_entries{type="a b\\" c"} 5
# HELP coredns_time_seconds Time.
# TYPE coredns_time_seconds histogram
coredns_time_seconds_bucket{le="0.5"} 11
coredns_time_seconds_bucket{le="+Inf"} 22
coredns_time_seconds_sum 1.75
coredns_time_seconds_count 22
"""


@pytest.fixture(autouse=True)
def _nothing_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(FAMILIES):
        monkeypatch.delitem(FAMILIES, name)


def test_series_add_up_but_for_what_is_the_same_in_all() -> None:
    assert merge([ONE, OTHER]).decode() == BOTH
    assert merge([OTHER]).decode().splitlines()[2] == "coredns_asked_total 7"
    assert merge([]) == b""


def page(name: str, *lines: str) -> bytes:
    return "\n".join([f"# HELP {name} X.", f"# TYPE {name} gauge", *lines, ""]).encode()


@pytest.mark.parametrize(("across", "expected"), [(Across.SUM, "12"), (Across.MAX, "7"), (Across.SAME, "5")])
def test_a_gauge_says_what_it_is_across_processes(across: Across, expected: str) -> None:
    Gauge("x", "X.", ("name",), across=across)
    one, other = page("coredns_x", 'coredns_x{name="a"} 5'), page("coredns_x", 'coredns_x{name="a"} 7')
    assert merge([one, other]).decode().splitlines()[2] == f'coredns_x{{name="a"}} {expected}'
    more = page("coredns_x", 'coredns_x{name="b"} 1')
    assert merge([one, other, more]).decode().splitlines()[3] == 'coredns_x{name="b"} 1'


@pytest.mark.parametrize(
    ("name", "expected"),
    [("process_open_fds", "12"), ("process_start_time_seconds", "7"), ("process_max_fds", "5"), ("python_info", "5")],
)
def test_gauges_of_the_library(name: str, expected: str) -> None:
    assert merge([page(name, f"{name} 5"), page(name, f"{name} 7")]).decode().splitlines()[2] == f"{name} {expected}"


def test_what_this_process_counts_is_added() -> None:
    counter = Counter("asked_total", "Asked.", ("zone", "server"))
    assert merge([]) == b""
    counter.add('a"', "b")
    page = b"# HELP coredns_asked_total Asked.\n# TYPE coredns_asked_total counter\n"
    page += b'coredns_asked_total{server="b",zone="a\\""} '
    assert merge([]) == page + b"1\n"
    assert merge([page + b"41\n"]) == page + b"42\n"
    begin_anew()
    assert merge([]) == b""
    Counter("other_total", "Other.")
    begin_anew()
    assert FAMILIES["other_total"].values == {(): 0}  # type: ignore[attr-defined]  # it is a Counter


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("text/plain; version=0.0.4; charset=utf-8", True), ("text/plain; charset=utf-8", False)],
)
def test_which_pages_are_metrics(content_type: str, expected: bool) -> None:
    assert is_metrics(content_type) == expected
