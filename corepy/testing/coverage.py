"""What of Corefiles the tests have met: server blocks, the plugins in them, and the rules of plugins.

Corefiles in files are watched, by their path, over all servers of a test run; one that is written in a test is the
test's own business. A plugin is met when a query comes to it, a rule when it decides what becomes of one; plugins that
are not in the chain are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os.path import relpath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from corepy.chain import listen

if TYPE_CHECKING:
    from corepy.blocks import ServerBlock
    from corepy.corefile import Corefile
    from corepy.errors import Position
    from corepy.plugin import Plugin, Serve
    from corepy.query import Query
    from corepy.reply import Outcome
    from corepy.site import Configuration


class Place(NamedTuple):
    """A server block, a directive in it, or a rule of one, by where it stands."""

    file: str
    line: int
    block: int
    """The number of its server block: what is imported several times stands in several."""
    what: str
    """Its text; what begins with a space is within the block, what begins with several within a directive."""


Row: TypeAlias = tuple[str, int, int, str, int]
"""A place, and how many queries came to it: plain values, which another process can take over."""


class Coverage:
    """How many queries came to each place, of all servers that were watched."""

    def __init__(self) -> None:
        self._counts: dict[Place, int] = {}
        self._places: dict[int, list[Place]] = {}
        self._branches: dict[tuple[int, Position], Place] = {}
        self._kept: list[Plugin] = []  # so that no other plugin gets the id of one

    def wrap(self, plugin: Plugin, serve: Serve) -> Serve:
        """Count the queries that come to a plugin, and those that its rules decide about: for `site.build`."""

        def note(_query: Query, _text: str, at: Position | None = None, /) -> None:
            place = self._branches.get((id(plugin), at)) if at else None
            if place is not None:
                self._counts[place] += 1

        def counted(query: Query) -> Outcome:
            for place in self._places.get(id(plugin), ()):
                self._counts[place] += 1
            return serve(query)

        listen(plugin, note)
        return counted

    def watch(self, corefile: Corefile, configuration: Configuration) -> list[Place]:
        """Count for this Corefile what comes to the plugins of its configuration, before it is served.

        Its places, in the same order for every configuration of it.
        """
        found: list[Place] = []
        for number, (block, site) in enumerate(zip(corefile.blocks, configuration.sites, strict=True), 1):
            at = block.at
            whole = Place(at.file, at.line, number, at.text.strip().removesuffix("{").rstrip())
            found.append(whole)
            serving = [plugin for plugin in site.plugins if plugin.serve is not None]
            chooser = getattr(site.takes, "__self__", None)   # has chosen what comes to the block: that it did, counts
            placed = _placed(block, number, serving)
            at_once = [whole, *(place for plugin, place in placed if plugin is chooser)]
            for plugin, place in placed:
                mine = [place] if plugin is not chooser else []
                self._places[id(plugin)] = at_once + mine if plugin is serving[0] else mine
                self._kept.append(plugin)
                found.append(place)
                for which, branch in enumerate(plugin.branches(), 1):
                    what = f"      rule {which} of {plugin.name}: {branch.text.strip().removesuffix('{').rstrip()}"
                    rule = Place(branch.file, branch.line, number, what)
                    self._branches[id(plugin), branch] = rule
                    found.append(rule)
        for place in found:
            self._counts.setdefault(place, 0)
        return found

    def counts(self, places: Sequence[Place]) -> list[int]:
        """How many queries came to these places so far."""
        return [self._counts[place] for place in places]

    def data(self) -> list[Row]:
        """Everything that was counted, for `add`."""
        return [(*place, count) for place, count in sorted(self._counts.items(), key=_in_order)]

    def add(self, rows: Iterable[Row]) -> None:
        """Add what somebody else has counted."""
        for file, line, block, what, count in rows:
            place = Place(file, line, block, what)
            self._counts[place] = self._counts.get(place, 0) + count

    @property
    def percent(self) -> float:
        """How many of all places were met; 100 where there is none."""
        met = sum(1 for count in self._counts.values() if count)
        return 100 * met / len(self._counts) if self._counts else 100.0

    def table(self) -> list[str]:
        """A line for each place with its count, file by file, and how much of all was met."""
        rows = self.data()
        lines = []
        for file, line, _, what, count in rows:
            shown = f"{count:6}" if count else " never"
            lines.append(f"{shown}  {relpath(file)}:{line}  {what}")
        met = sum(1 for *_, count in rows if count)
        return [*lines, f"{met} of {len(rows)} server blocks, plugins and rules were met"]

    def as_json(self) -> dict[str, object]:
        """The same as values: numbers of all places and of those that were met, and each place with its `count`."""
        rows = self.data()
        places = [
            {"file": relpath(file), "line": line, "block": block, "what": what.strip(), "count": count}
            for file, line, block, what, count in rows
        ]
        return {"places": len(rows), "met": sum(1 for *_, count in rows if count), "counts": places}

    def as_lcov(self) -> str:
        """The lines of a trace file of lcov (geninfo(1)), which editors and code hosts show beside the Corefile.

        A line counts as often as what is met least of all that stands on it: it is done when all of it is.
        """
        files: dict[str, dict[int, int]] = {}
        for file, line, _, _, count in self.data():
            lines = files.setdefault(relpath(file), {})
            lines[line] = min(count, lines.get(line, count))
        text = "TN:\n"
        for file, lines in files.items():
            text += f"SF:{file}\n"
            text += "".join(f"DA:{line},{count}\n" for line, count in sorted(lines.items()))
            text += f"LF:{len(lines)}\nLH:{sum(1 for count in lines.values() if count)}\nend_of_record\n"
        return text


def _in_order(row: tuple[Place, int]) -> tuple[str, int, bool, int, int]:
    """File by file and block by block, each with its own line first, wherever its plugins were imported from."""
    place = row[0]
    depth = len(place.what) - len(place.what.lstrip())
    return place.file, place.block, depth > 0, place.line, depth


def _placed(block: ServerBlock, number: int, plugins: list[Plugin]) -> list[tuple[Plugin, Place]]:
    """The plugins of a block with their places: each on its own line where there are as many plugins as lines."""
    found = []
    for plugin in plugins:
        lines = [one for one in block.directives if str(one.name) == plugin.name]
        alike = [id(one) for one in plugins if one.name == plugin.name]
        line = lines[alike.index(id(plugin)) if len(lines) == len(alike) else 0]
        place = Place(line.at.file, line.at.line, number, " ".join(("   ", plugin.name, *line.arguments)))
        found.append((plugin, place))
    return found


__all__ = ["Coverage", "Place", "Row"]
