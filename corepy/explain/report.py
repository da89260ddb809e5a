"""An explanation as text for people, and as JSON for programs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from corepy import codes, display
from corepy.records import decode

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.explain.question import Explanation
    from corepy.explain.trace import Step

_LINE: Final = 90
"""Letters of what a plugin did that fit into a line beside its name."""


def as_text(found: Explanation) -> str:
    """The way of the question in sections: where it went, what plugins did, and the reply as dig shows it."""
    lines = [_headline(found)]
    if found.door:
        lines.append(f"; {found.door}")
    if found.zones:
        lines += ["", f";; SERVER BLOCKS on {found.listener}:"]
        lines += _table((str(zone.at), zone.zone, zone.why) for zone in found.zones)
    elif not found.trace.steps and found.reply and not found.door:
        lines += ["", f";; SERVER BLOCKS on {found.listener}:", "none for this name"]
    if found.trace.steps:
        lines += ["", ";; PLUGINS:", *table(found.trace.moments(), found.places)]
    lines += ["", ";; REPLY:", display.show(found.reply) if found.reply else ";; none: the client hears nothing"]
    return "\n".join(lines)


def _headline(found: Explanation) -> str:
    asked = found.asked
    text = f"; {display.question(asked.wire)} from {found.client} over {found.transport}"
    return text if found.live else f"{text}; offline: no upstream is asked"


def table(moments: Sequence[tuple[Step, bool]], places: Mapping[int, Position]) -> list[str]:
    """A line for each thing that a plugin did: its name, its place (by the plugin's id), and what it was."""
    return _table(_rows(moments, places))


def _rows(moments: Sequence[tuple[Step, bool]], places: Mapping[int, Position]) -> Iterable[tuple[str, str, str]]:
    """What plugins did, on the way there and on the way back, in the order of doing."""
    for step, back in moments:
        words = step.on_the_way_back() if back else step.on_the_way()
        at = places.get(id(step.plugin))
        place = f"{at.file}:{at.line}" if at else ""
        name = "  " * step.depth + step.plugin.name
        joined = "; ".join(words)
        for number, text in enumerate([joined] if not back and len(joined) <= _LINE else words):
            yield ("", "", text) if number else (name, place, f"reply: {text}" if back else text)


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows in columns; the last one is as long as it is."""
    rows = list(rows)
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]


def as_json(found: Explanation) -> dict[str, Any]:
    """The same as values; records are text as in a zone file, messages base64."""
    asked = found.asked
    chosen = next((zone for zone in found.zones if zone.chosen), None)
    return {
        "question": display.question(asked.wire),
        "transport": found.transport,
        "peer": str(asked.peer),
        "client": str(found.client),
        "live": found.live,
        "door": found.door,
        "listener": found.listener,
        "block": None if chosen is None else {"at": str(chosen.at), "zone": chosen.zone},
        "zones": [{"at": str(zone.at), "zone": zone.zone, "why": zone.why} for zone in found.zones],
        "plugins": [_step(step, found) for step in found.trace.steps],
        "reply": message_values(found.reply),
    }


def _step(step: Step, found: Explanation) -> dict[str, Any]:
    at = found.places.get(id(step.plugin))
    return {
        "plugin": step.plugin.name,
        "at": str(at) if at else None,
        "depth": step.depth,
        "question": display.question(step.query.wire),
        "outcome": step.outcome,
        "said": step.on_the_way(),
        "reply": step.on_the_way_back(),
    }


def message_values(wire: bytes) -> dict[str, Any] | None:
    """A message as values: flags, rcode, sections as in a zone file, octets in base64; None for silence."""
    if not wire:
        return None
    sections = [[display.show_record(each) for each in some if each.rtype != codes.OPT] for some in decode(wire)]
    return {
        "rcode": codes.rcode_name(display.rcode(wire)),
        "flags": display.flags(wire),
        **dict(zip(("answer", "authority", "additional"), sections, strict=True)),
        "wire": base64.b64encode(wire).decode(),
    }
