"""Where a configuration comes from, as a plugin sees it that follows changes; and such a plugin, as the core does.

This is how a plugin asks for a reload: it puts a Watcher into `site.watcher`. Once its configuration serves, the
process begins to call it, with the Origin of that configuration; after a reload it is the next one's turn.
"""

from __future__ import annotations

from typing import Protocol


class Origin(Protocol):
    """The Corefile of the running configuration, with all that it imports."""

    digest: str
    """Of the running configuration; the same for Corefiles that differ in comments and blanks alone."""

    async def look(self) -> str | None:
        """The digest of the files as they are now; None where the Corefile cannot be read.

        Raises ConfigError where it can be read and makes no sense.
        """

    async def reload(self) -> None:
        """Serve what the files say now. Raises ConfigError, or whatever else is wrong; then the old one goes on."""


class Watcher(Protocol):
    """What is called every now and then to look after the Corefile, from one reload to the next."""

    def begin(self, digest: str) -> float:
        """The configuration of this digest serves; the seconds from one look to the next."""

    async def look(self, origin: Origin) -> None:
        """Look whether anything has changed. Never called again before it has returned."""


__all__ = ["Origin", "Watcher"]
