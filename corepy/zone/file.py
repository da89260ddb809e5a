"""A zone from its file."""

from __future__ import annotations

from pathlib import Path

from corepy import codes
from corepy.errors import Position
from corepy.records import EncodedRecord
from corepy.zone.errors import Unchanged, ZoneError
from corepy.zone.reader import read
from corepy.zone.store import Builder, Zone


def load(path: Path, origin: bytes, *, known: int | None = None) -> Zone:
    """The zone of a file; `origin` is its name, as a key.

    Raises OSError where the file cannot be read, ZoneError for what is wrong with it, and Unchanged where its SOA
    record has the serial `known`: nothing behind that record is read then.
    """
    builder = Builder(origin)
    seen = False

    def take(record: EncodedRecord) -> None:
        nonlocal seen
        builder.add(record)
        if record.rtype == codes.SOA and not seen:
            seen = True
            if known is not None and int.from_bytes(record.rdata[-20:-16], "big") == known:
                raise Unchanged

    read(path, origin, take)
    try:
        return builder.build()
    except ValueError as error:
        raise ZoneError(str(error), Position(str(path), 1, 1)) from None
