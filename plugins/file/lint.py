"""What a `file` line says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from corepy import wire as w
from corepy.plugin import ConfigError
from corepy.plugins.file.source import Source
from corepy.rules import Rule
from corepy.words import NOWHERE, shown
from corepy.zone import ZoneError, load

NO_FILE: Final = Rule(
    "CPY210",
    "The zone file is not there",
    "The server starts without it and looks for it from time to time; until then queries for the zone fail.",
    "example.org {\n    file nowhere/db.example.org\n}\n",
)


def check(origin: bytes, source: Source, *, written: bool = False) -> Iterator[ConfigError]:
    """Read the file of a zone (a key); `written`: it need not be there, since the server itself writes such files."""
    try:
        load(source.path, origin)
    except ZoneError as error:
        yield error
    except OSError as error:
        reason = f"{error.strerror or error}: zone {w.decode_name(origin)}"
        what = f"cannot read zone file {shown(str(source.path))}: {reason}"
        at = source.at or NOWHERE
        if not source.reload:
            yield ConfigError(what, at)
        elif not written:
            yield NO_FILE.warn(what, at)
