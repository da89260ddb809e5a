"""Give up on queries that take too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from corepy.deferred import settle
from corepy.duration import format_duration
from corepy.plugin import Directive, Failure, Outcome, Plugin, Query, Reply

_TIMEOUT: Final = 5.001
"""Seconds: just behind the five after which most clients stop waiting (CoreDNS's)."""


@dataclass
class Cancel(Plugin):
    """A query without a reply after `timeout` seconds has failed; what still comes is thrown away."""

    timeout: float = _TIMEOUT

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all lines, of which the last one counts."""
        return [cls.parse(directive) for directive in directives][-1:]

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `cancel [TIMEOUT]`."""
        word = directive.optional()
        if word is None:
            return cls()
        plugin = cls(directive.as_duration(word))
        if plugin.timeout <= 0:
            raise directive.error(f"a timeout of {word}", word, "more than 0s")
        return plugin

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, and watch the time of a reply that is not there at once.

        All plugins behind that have had a look at the outcome hear of its failure: errors are logged and counted.
        """
        outcome = self.next(query)
        if outcome.__class__ is Reply:
            return outcome
        deferred = settle(outcome)
        if deferred.result is None:
            failure = Failure(f"no reply within {format_duration(self.timeout)}")
            timer = self.clock.later(self.timeout, lambda: deferred.settle(failure))

            def on_time(reply: Reply) -> Reply:
                timer.cancel()
                return reply

            def failed(error: Exception) -> Exception:
                timer.cancel()
                return error

            deferred.then(on_time, failed)
        return deferred
