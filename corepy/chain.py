"""The plugins of a server block as one callable.

The chain is a fold from its end: each plugin's `next` is the `serve` of the one behind it. Nothing here knows a
plugin by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from corepy.errors import Failure
from corepy.plugin import Plugin, Serve
from corepy.query import Query


def fold(plugins: Sequence[Plugin]) -> Serve | None:
    """The chain of the plugins that serve, the first one first; None where there are none."""
    serving = [plugin for plugin in plugins if plugin.serve is not None]
    serve: Serve | None = None
    for plugin in reversed(serving):
        plugin.next = serve or _end(plugin.name)
        serve = plugin.serve
    return serve


def _end(name: str) -> Serve:
    """What stands behind the last plugin, when that one does not answer (CoreDNS: SERVFAIL)."""

    def no_next(_query: Query) -> NoReturn:
        raise Failure(f"plugin/{name}: no next plugin found")

    return no_next
