"""Take only the queries for which all expressions are true; others go to the next block for the zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from corepy.exprlang import EvaluationError, Program
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query
from corepy.plugins.view import lint
from corepy.queryexpr import read_expression

if TYPE_CHECKING:
    from corepy.site import Site


@dataclass
class View(Plugin):
    """A server block for some queries; `label` is what metrics and metadata call it."""

    once: ClassVar[bool] = True

    label: str
    programs: list[Program] = field(default_factory=list)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `view NAME` and its expressions."""
        plugin = cls(directive.word("the name of the view"))
        directive.no_more()
        for option in directive.options("expr"):
            plugin.programs.append(read_expression(option))
        return plugin

    def configure(self, site: Site) -> None:
        """Let the block take only what the expressions are true for."""
        site.view = self.label
        site.takes = self.takes
        self._site = site
        for program in self.programs:
            program.clock = self.clock

    def check(self, lines: Sequence[Directive], _site: Site) -> Iterator[ConfigError]:
        """Look at expressions that cannot be true."""
        return lint.check(lines, self.programs)

    def takes(self, query: Query) -> bool:
        """Whether all expressions are true. One that has no value, or another one than true, is not.

        Metadata are collected before; another block that takes the query instead finds them, too (CoreDNS).
        """
        if self._site.collect is not None:
            self._site.collect(query)
        try:
            return all(program.run(query) is True for program in self.programs)
        except EvaluationError:
            return False

    def metadata(self, _query: Query) -> Mapping[str, str]:
        """The name of the view."""
        return {"view/name": self.label}

    def serve(self, query: Query) -> Outcome:
        """Nothing more to do: the query is here because it was taken."""
        return self.next(query)
