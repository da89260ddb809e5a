"""What a configuration takes over from the one before it: sessions of doors, and what its plugins keep.

Who follows whom: a listener the one of the same address; a server block the one that had one of its zones on one of its
addresses; a plugin the one of the same directive there, the first the first, the second the second. Each has at most
one successor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from corepy.log import log

if TYPE_CHECKING:
    from corepy.plugin import Plugin
    from corepy.site import Configuration, Site


def hand_over(old: Configuration, new: Configuration) -> None:
    """Let the new configuration take over; what cannot be taken over begins anew, and that is all."""
    for bind, listener in new.listeners.items():
        before = old.listeners.get(bind)
        if before is not None and before.door is not None and listener.door is not None:
            listener.door.adopt(before.door)
    for predecessor, plugin in _pairs(old, new):
        try:
            plugin.adopt(predecessor)
        except Exception as error:  # noqa: BLE001 - a reload that has got so far goes on
            log.error(f"plugin/{plugin.name}: {error!r} while it took over")


def _pairs(old: Configuration, new: Configuration) -> Iterator[tuple[Plugin, Plugin]]:
    """The plugins that stood where a new one stands, each with that one."""
    owners = {place: site for site in old.sites for place in _places(site)}
    taken: set[int] = set()
    for site in new.sites:
        before = next((owners[place] for place in _places(site) if place in owners), None)
        if before is None or id(before) in taken:
            continue
        taken.add(id(before))
        by_name = defaultdict[str, list["Plugin"]](list)
        for plugin in before.plugins:
            by_name[plugin.name].append(plugin)
        for plugin in site.plugins:
            same = by_name[plugin.name]
            if same and type(same[0]) is type(plugin):
                yield same.pop(0), plugin


def _places(site: Site) -> Iterator[tuple[str, str, int, bytes]]:
    """Where a server block is served: each of its zones on each of its addresses."""
    for host in site.hosts:
        for key in site.keys:
            yield key.scheme, host, key.port, key.zone


__all__ = ["hand_over"]
