"""What of Corefiles the tests have met: server blocks, and the plugins in them.

Corefiles in files are watched, by their path, over all servers of a test run; one that is written in a test is the
test's own business. A plugin is met when a query comes to it; those that are not in the chain are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os.path import relpath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from corepy.blocks import ServerBlock
    from corepy.corefile import Corefile
    from corepy.plugin import Plugin, Serve
    from corepy.query import Outcome, Query
    from corepy.site import Configuration


class Place(NamedTuple):
    """A server block or a directive in it, by where it stands."""

    file: str
    line: int
    block: int
    """The number of its server block: what is imported several times stands in several."""
    what: str


Row: TypeAlias = tuple[str, int, int, str, int]
"""A place, and how many queries came to it: plain values, which another process can take over."""


class Coverage:
    """How many queries came to each server block and plugin, of all servers that were watched."""

    def __init__(self) -> None:
        self._counts: dict[Place, int] = {}
        self._places: dict[int, tuple[Place, ...]] = {}
        self._kept: list[Plugin] = []  # so that no other plugin gets the id of one

    def wrap(self, plugin: Plugin, serve: Serve) -> Serve:
        """Count the queries that come to a plugin: for `site.build`."""

        def counted(query: Query) -> Outcome:
            for place in self._places.get(id(plugin), ()):
                self._counts[place] += 1
            return serve(query)

        return counted

    def watch(self, corefile: Corefile, configuration: Configuration) -> None:
        """Count for this Corefile what comes to the plugins of its configuration, before it is served."""
        for number, (block, site) in enumerate(zip(corefile.blocks, configuration.sites, strict=True), 1):
            at = block.at
            whole = Place(at.file, at.line, number, at.text.strip().removesuffix("{").rstrip())
            self._counts.setdefault(whole, 0)
            serving = [plugin for plugin in site.plugins if plugin.serve is not None]
            for plugin, place in _placed(block, number, serving):
                self._counts.setdefault(place, 0)
                first = plugin is serving[0]
                self._places[id(plugin)] = (whole, place) if first else (place,)
                self._kept.append(plugin)

    def data(self) -> list[Row]:
        """Everything that was counted, for `add`."""
        return [(*place, count) for place, count in self._counts.items()]

    def add(self, rows: Iterable[Row]) -> None:
        """Add what somebody else has counted."""
        for file, line, block, what, count in rows:
            place = Place(file, line, block, what)
            self._counts[place] = self._counts.get(place, 0) + count

    def table(self) -> list[str]:
        """A line for each place with its count, file by file, and how much of all was met."""
        lines = []
        for place, count in sorted(self._counts.items(), key=_in_order):
            shown = f"{count:6}" if count else " never"
            lines.append(f"{shown}  {relpath(place.file)}:{place.line}  {place.what}")
        met = sum(1 for count in self._counts.values() if count)
        return [*lines, f"{met} of {len(self._counts)} server blocks and plugins were met"]


def _in_order(row: tuple[Place, int]) -> tuple[str, int, bool, int]:
    """File by file and block by block, each with its own line first, wherever its plugins were imported from."""
    place = row[0]
    return place.file, place.block, place.what.startswith(" "), place.line


def _placed(block: ServerBlock, number: int, plugins: list[Plugin]) -> Iterator[tuple[Plugin, Place]]:
    """The plugins of a block with their places: each on its own line where there are as many plugins as lines."""
    for plugin in plugins:
        lines = [one for one in block.directives if str(one.name) == plugin.name]
        alike = [id(one) for one in plugins if one.name == plugin.name]
        line = lines[alike.index(id(plugin)) if len(lines) == len(alike) else 0]
        yield plugin, Place(line.at.file, line.at.line, number, " ".join(("   ", plugin.name, *line.arguments)))


__all__ = ["Coverage", "Place", "Row"]
