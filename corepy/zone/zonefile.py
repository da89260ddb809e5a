"""A zone that follows its file: loaded again when the serial in the file is another one.

CoreDNS's rule is the serial, up or down, so that a zone that is being written is not served by halves: the last thing
one changes is the serial. Reading goes on in a thread; a zone is used as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from corepy.watched import Watched
from corepy.zone.difference import succeed
from corepy.zone.errors import Unchanged
from corepy.zone.file import load
from corepy.zone.store import Zone


class ZoneFile(Watched[Zone]):
    """The file at `path`, which is the zone `origin` (a key); each new version is handed to `use`.

    With `by_mtime` it is read again when the file has been written, whatever the serial. `read` raises OSError where
    the file cannot be read, and ZoneError where it is no zone.
    """

    def __init__(self, path: Path, origin: bytes, use: Callable[[Zone], None], *, by_mtime: bool = False) -> None:
        super().__init__(self._look, use)
        self.path = path
        self.origin = origin
        self._by_mtime = by_mtime
        self._modified: int | None = None
        self._zone: Zone | None = None

    def _look(self) -> tuple[Zone] | None:
        modified = self.path.stat().st_mtime_ns
        if self._by_mtime and modified == self._modified:
            return None
        try:
            known = None if self._by_mtime or self._zone is None else self._zone.serial
            zone = load(self.path, self.origin, known=known)
        except Unchanged:
            return None
        succeed(self._zone, zone)
        self._modified, self._zone = modified, zone
        return (zone,)
