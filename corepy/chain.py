"""The plugins of a server block as one callable.

The chain is a fold from its end: each plugin's `next` is the `serve` of the one behind it. Nothing here knows a
plugin by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from corepy import codes
from corepy.errors import Failure
from corepy.plugin import Plugin, Serve
from corepy.query import Query
from corepy.reply import Outcome, Reply

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.rules import Note

Wrap = Callable[[Plugin, Serve], Serve]
"""What goes around each plugin of a chain that is watched: it gets the plugin's `serve`, and what it returns is called
in its place."""


def fold(plugins: Sequence[Plugin], follow: Plugin | None = None, wrap: Wrap | None = None) -> Serve | None:
    """The chain of the plugins that serve, the first one first; None where there are none.

    Behind the plugin `follow`, if there is one, each query notes the plugin it gets to (`Query.reached`). That costs
    a call for each of them, so it is only done for a plugin that wants to know. So it is with `wrap`, for everything.
    """
    serving = [plugin for plugin in plugins if plugin.serve is not None]
    serve: Serve | None = None
    for plugin in reversed(serving):
        plugin.next = serve or _end(plugin)
        serve = plugin.serve
        if plugin is follow:
            follow = None
        elif follow is not None and serve is not None:
            serve = _noted(plugin.name, serve)
        if wrap is not None and serve is not None:
            serve = wrap(plugin, serve)
    return serve


def around(*wraps: Wrap) -> Wrap:
    """One `Wrap` of several, the first of them the innermost."""

    def wrap(plugin: Plugin, serve: Serve) -> Serve:
        for each in wraps:
            serve = each(plugin, serve)
        return serve

    return wrap


def listen(plugin: Plugin, note: Note) -> None:
    """Let `note` hear what the plugin says of its decisions, after those that hear it already: for a `Wrap`."""
    before = plugin.note
    if before is None:
        plugin.note = note
        return

    def both(query: Query, text: str, at: Position | None = None, /) -> None:
        before(query, text, at)
        note(query, text, at)

    plugin.note = both


def _noted(name: str, serve: Serve) -> Serve:
    """The plugin, and before it a note that the query got there."""

    def note(query: Query) -> Outcome:
        query.reached[0] = name
        return serve(query)

    return note


def _end(plugin: Plugin) -> Serve:
    """What stands behind the last plugin, when that one does not answer.

    An authority refuses what it does not have, for others something is missing (CoreDNS: REFUSED and SERVFAIL).
    """
    if plugin.authoritative:
        return _refused

    def no_next(_query: Query) -> NoReturn:
        raise Failure(f"plugin/{plugin.name}: no next plugin found")

    return no_next


def _refused(query: Query) -> Reply:
    return Reply.failed(query, codes.REFUSED)
