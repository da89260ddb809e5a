"""Log every query that failed behind this plugin. The failure goes on to whoever is in front."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import ClassVar, Self

from corepy import codes
from corepy.plugin import Directive, Failure, Outcome, Plugin, Query, Reply, after
from corepy.plugins.errors.consolidate import Consolidation


@dataclass
class Errors(Plugin):
    """`consolidations` are asked in their order, the first that matches counts; what matches none is written."""

    once: ClassVar[bool] = True

    consolidations: list[Consolidation] = field(default_factory=list)
    stacktrace: bool = False
    """Whether an exception that is no Failure, and so a bug, is written with its traceback, each time."""
    _stopped: bool = field(default=False, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `errors [stdout]` and its block; there is no other place to log to."""
        plugin = cls()
        target = directive.optional()
        if target is not None:
            directive.as_choice(target, "stdout")
        directive.no_more()
        for option in directive.options("consolidate", "stacktrace"):
            if option.name == "consolidate":
                plugin.consolidations.append(Consolidation.parse(option))
            else:
                plugin.stacktrace = True
        return plugin

    def serve(self, query: Query) -> Outcome:
        """Pass the query on; a reply comes back as it is."""
        try:
            outcome = self.next(query)
        except Exception as error:
            self._report(query, error)
            raise
        if outcome.__class__ is Reply:
            return outcome
        return after(outcome, _unchanged, lambda error: self._report(query, error))

    def stop(self) -> None:
        """Report what has been counted so far; errors that still come are written one by one."""
        self._stopped = True
        for consolidation in self.consolidations:
            consolidation.report(self.log)

    def _report(self, query: Query, error: Exception) -> Exception:
        """Write or count the error, and give it back."""
        known = isinstance(error, Failure)
        what = str(error) if known else f"{type(error).__name__}: {error}"
        line = f"{_rcode(error)} {query.name} {codes.type_label(query.qtype)}: {what}"
        alike = next((each for each in self.consolidations if each.expression.search(what)), None)
        if alike is None:
            self.log.error(line)
        elif self._stopped or alike.add(self.clock, self.log):
            alike.write(self.log, line)
        else:
            return error
        if self.stacktrace and not known:
            self.log.lines("".join(traceback.format_exception(error)))
        return error


def _rcode(error: Exception) -> int:
    """What the client is told; of a bug, SERVFAIL."""
    return error.rcode if isinstance(error, Failure) else codes.SERVFAIL


def _unchanged(reply: Reply) -> Reply:
    return reply
