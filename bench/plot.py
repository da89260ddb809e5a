"""The figures as bars: an SVG without a ground of its own, readable on a light page and a dark one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

from bench.measure import Result

_COLOURS: Final = {
    "corepy": "#2f81f7", "coredns": "#e08a00", "dnsdist": "#1a9c74", "unbound": "#c061a8", "knot": "#8b949e",
}  # fmt: skip
"""Told apart by people who see fewer colours too, and with contrast to white and to black."""
_OTHER: Final = "#b08d57"
_STYLE: Final = """\
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.value { font-size: 10px }
.muted { fill: #59636e }
line { stroke: #8b949e; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .muted { fill: #9198a1 }
}
"""
_WIDTH: Final = 440
"""Of one panel; two stand side by side."""
_LABELS: Final = 74
_VALUES: Final = 62
_BAR: Final = 11
_GAP: Final = 9
_HEAD: Final = 46


class Panel(NamedTuple):
    """One of the figures: its title, what to take of a result, and how that is written."""

    title: str
    better: str
    value: Callable[[Result], float]
    text: Callable[[float], str]


PANELS: Final = (
    Panel("CPU an answer, µs", "less is better", lambda result: result.cpu, "{:.1f}".format),
    Panel("Answers a second", "more is better", lambda result: result.rate, "{:,.0f}".format),
    Panel("Memory, MiB", "less is better", lambda result: result.memory, "{:.0f}".format),
    Panel("Start to first answer, ms", "less is better", lambda result: result.start * 1000, "{:.0f}".format),
)


def svg(results: Sequence[Result], panels: Sequence[Panel] = PANELS) -> str:
    """All panels, two in a row, and a legend above them."""
    servers = list(dict.fromkeys(result.server for result in results))
    groups = _groups(results)
    height = _HEAD + sum(len(group) * _BAR + _GAP for group in groups.values())
    drawn = [_legend(servers)]
    for number, panel in enumerate(panels):
        row, column = divmod(number, 2)
        x, y = column * (_WIDTH + 20) + 10, row * (height + 14) + 34
        drawn.append(f'<g transform="translate({x} {y})">\n{_panel(panel, groups)}</g>\n')
    width, rows = 2 * _WIDTH + 40, (len(panels) + 1) // 2
    total = rows * (height + 14) + 34
    described = f"<title>{escape(' and '.join(servers))} side by side</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}"'
    return f'{head} role="img">\n{described}\n<style>\n{_STYLE}</style>\n{"".join(drawn)}</svg>\n'


def _groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.scenario, []).append(result)
    return groups


def _legend(servers: Sequence[str]) -> str:
    parts = []
    for number, server in enumerate(servers):
        x = 10 + number * 110
        parts.append(f'<rect x="{x}" y="9" width="11" height="11" rx="2" fill="{_COLOURS.get(server, _OTHER)}"/>\n')
        parts.append(_text(x + 17, 19, server))
    return "".join(parts)


def _panel(panel: Panel, groups: dict[str, list[Result]]) -> str:
    most = max((panel.value(result) for group in groups.values() for result in group), default=0) or 1
    room = _WIDTH - _LABELS - _VALUES
    parts = [_text(0, 14, panel.title, "title"), _text(0, 30, panel.better, "muted value")]
    y = _HEAD - 6
    for name, group in groups.items():
        middle = y + len(group) * _BAR / 2 + 4
        parts.append(_text(_LABELS - 8, middle, name, anchor="end"))
        for result in group:
            value = panel.value(result)
            length = max(value / most * room, 1)
            colour = _COLOURS.get(result.server, _OTHER)
            parts.append(
                f'<rect x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" rx="1.5" fill="{colour}"/>\n'
            )
            parts.append(_text(_LABELS + length + 5, y + 8.5, panel.text(value), "value"))
            y += _BAR
        y += _GAP
    parts.append(f'<line x1="{_LABELS}" y1="{_HEAD - 10}" x2="{_LABELS}" y2="{y - _GAP + 2}"/>\n')
    return "".join(parts)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "") -> str:
    attributes = f' class="{kind}"' * bool(kind) + f' text-anchor="{anchor}"' * bool(anchor)
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(text)}</text>\n'


__all__ = ["PANELS", "Panel", "svg"]
