"""Zones between plugins: who has them, and who tells others that they have changed.

One plugin does not know another; both know the server block, and what a plugin there can do shows by its methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from corepy.zone.store import Zone


@runtime_checkable
class ZoneSource(Protocol):
    """A plugin that has zones, and lets others hand them out."""

    def zone_of(self, origin: bytes) -> Zone | None:
        """The zone of this name, a key; None where it has none of exactly this name, or its records are missing."""


@runtime_checkable
class Announcer(Protocol):
    """A plugin that wants to know of new versions of zones."""

    def announce(self, origin: bytes) -> None:
        """The zone of this name, a key, is there or has changed."""


@runtime_checkable
class ZoneObserver(Protocol):
    """A plugin that wants to know which zones there are, besides those that the Corefile names."""

    def zone_added(self, origin: bytes) -> None:
        """There is a zone of this name, a key; said again when it has changed."""

    def zone_removed(self, origin: bytes) -> None:
        """There is none any more."""


def announce(plugins: Iterable[object], origin: bytes) -> None:
    """Tell all of these plugins that want to know that a zone is there or has changed."""
    for plugin in plugins:
        if isinstance(plugin, Announcer):
            plugin.announce(origin)
