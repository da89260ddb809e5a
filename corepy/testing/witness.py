"""What the plugins of a server in this process did with the questions of a test, for the report of a failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from corepy.explain import Trace, places, table

if TYPE_CHECKING:
    from corepy.corefile import Corefile
    from corepy.errors import Position
    from corepy.explain import Step
    from corepy.plugin import Plugin, Serve
    from corepy.site import Configuration

_KEPT: Final = 1000
"""Steps of plugins that are remembered: some hundred questions, of which the last ones are what a test is about."""


class Witness:
    """Sees all queries of a server; a question is told by when it was sent."""

    def __init__(self) -> None:
        self._trace = Trace(most=_KEPT)
        self._places: dict[int, Position] = {}

    def wrap(self, plugin: Plugin, serve: Serve) -> Serve:
        """Watch a plugin: for `site.build`."""
        return self._trace.wrap(plugin, serve)

    def learn(self, corefile: Corefile, configuration: Configuration) -> None:
        """Know where the plugins of a configuration stand, beside those of the one before it."""
        self._places |= places(configuration, corefile)

    def mark(self) -> object:
        """A moment, for `since`."""
        moments = self._trace.moments()
        return moments[-1] if moments else None

    def since(self, mark: object) -> Statement:
        """What has been done after a moment: up to now, whatever is done later."""
        moments = list(self._trace.moments())   # one operation, while the server may go on in its thread
        at = next((number for number in range(len(moments), 0, -1) if moments[number - 1] is mark), 0)
        return Statement(moments[at:], self._places)


class Statement:
    """What plugins did, put into words when somebody wants to read it."""

    def __init__(self, moments: Sequence[tuple[Step, bool]], where: dict[int, Position]) -> None:
        self._moments, self._places = moments, where

    def __str__(self) -> str:
        return "\n".join(table(self._moments, self._places))


__all__ = ["Statement", "Witness"]
