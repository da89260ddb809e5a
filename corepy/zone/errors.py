"""What is wrong with a zone."""

from __future__ import annotations

from corepy.errors import ConfigError


class ZoneError(ConfigError):
    """A zone file that cannot be served: what is wrong, and at which file, line and column."""


class Unchanged(Exception):  # noqa: N818 - it says what was found, and that is no error
    """The zone has the serial that is known already; raised while it is read, as soon as that shows."""
