"""Take only the queries for which all expressions are true; others go to the next block for the zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

from corepy.errors import Position
from corepy.exprlang import EvaluationError, ExpressionError, Program, compile_expression
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query
from corepy.plugins.view.functions import FUNCTIONS
from corepy.words import Word

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
            plugin.programs.append(_program(option))
        return plugin

    def configure(self, site: Site) -> None:
        """Let the block take only what the expressions are true for."""
        site.view = self.label
        site.takes = self.takes
        self._site = site

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


def _program(option: Directive) -> Program:
    """The program of an `expr` line, whose words are one text again. Raises ConfigError at the place in question."""
    words = option.words("an expression", at_least=1)
    try:
        return compile_expression(" ".join(words), FUNCTIONS)
    except ExpressionError as error:
        raise _located(option, words, error) from None


def _located(option: Directive, words: list[Word], error: ExpressionError) -> ConfigError:
    """The error at its place in the Corefile; a quoted word is as far off as its quote and escapes are."""
    at = error.at
    for word in words:
        if at <= len(word) or word is words[-1]:
            return option.error(str(error), _within(word, min(at, len(word))))
        at -= len(word) + 1
    return option.error(str(error))


def _within(word: Word, at: int) -> Position:
    return replace(word.at, column=word.at.column + at)
