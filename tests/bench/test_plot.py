"""bench.plot: an SVG that is one, with every figure in it and within its bounds."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bench.measure import Result
from bench.plot import PANELS, svg
from tests.bench.test_report import RESULTS

NS = {"svg": "http://www.w3.org/2000/svg"}
POSITIVE = st.floats(0, 1e7)


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iterfind(".//svg:text", NS)]


def test_every_figure_is_there() -> None:
    root = ET.fromstring(svg(RESULTS))  # noqa: S314 - of our own making
    found = texts(root)
    for text in ("corepy", "coredns", "static", "zone", "5.0", "10.3", "80,123", "35", "301", "less is better"):
        assert text in found, text
    assert [found.count(panel.title) for panel in PANELS] == [1] * 4
    assert "prefers-color-scheme: dark" in (root.findtext("svg:style", "", NS))


def test_names_are_text() -> None:
    root = ET.fromstring(svg([Result("<a&b>", "x & y", 1, 1, 1, 1, 0, 0)]))  # noqa: S314 - of our own making
    assert {"<a&b>", "x & y"} <= set(texts(root))


@given(st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE, POSITIVE), max_size=12))
def test_bars_stay_within_the_drawing(figures: list[tuple[float, float, float, float]]) -> None:
    results = [Result(f"s{number // 3}", f"n{number % 3}", *four, 0, 0) for number, four in enumerate(figures)]
    root = ET.fromstring(svg(results))  # noqa: S314 - of our own making
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for group in root.iterfind("svg:g", NS):
        x, y = map(float, group.get("transform", "")[len("translate(") : -1].split())
        for bar in group.iterfind("svg:rect", NS):
            right = x + float(bar.get("x", 0)) + float(bar.get("width", 0))
            assert 0 < right <= width
            assert 0 < y + float(bar.get("y", 0)) + float(bar.get("height", 0)) <= height
