"""Collect what plugins know about a query, so that others can look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from corepy import wire as w
from corepy.plugin import Directive, Outcome, Plugin, Query

if TYPE_CHECKING:
    from corepy.site import Site


@dataclass
class Metadata(Plugin):
    """Plugins are asked about queries for names in `zones` (keys).

    What they find out later, such as which upstream was asked, they tell of every query in the server block.
    """

    once: ClassVar[bool] = True

    zones: tuple[bytes, ...] = (b"\0",)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `metadata [ZONES...]`."""
        return cls(directive.origins())

    def configure(self, site: Site) -> None:
        """Get to know the other plugins."""
        self._site = site
        site.collect = self.collect

    def start(self) -> None:
        """Find those that tell something beforehand."""
        self._ask = [plugin.metadata for plugin in self._site.plugins if plugin.metadata is not None]

    def serve(self, query: Query) -> Outcome:
        """Pass the query on with a place for what is known about it."""
        self.collect(query)
        return self.next(query)

    def collect(self, query: Query) -> None:
        """Ask the plugins what they know beforehand; a view may want that before the query is served."""
        query.metadata = {}
        if self._ask and any(w.is_subdomain(query.key, zone) for zone in self.zones):
            for ask in self._ask:
                query.metadata.update(ask(query))
