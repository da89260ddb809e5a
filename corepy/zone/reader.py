"""A zone file, record by record (RFC 1035 5): directives, and what a record leaves out.

What CoreDNS takes is taken: a record without a TTL has that of `$TTL`, or else the last one that was written; without
either it has 0 if it names its class, and is an error if it does not. `$GENERATE` does not look at `$TTL`: its
records live for an hour unless they say otherwise. `$INCLUDE` is relative to the file that it stands in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from corepy import codes
from corepy.records import DEFAULT_TTL, EncodedRecord, parse_record, parse_ttl
from corepy.records.fields import read_name
from corepy.records.words import split
from corepy.zone.errors import ZoneError
from corepy.zone.generate import expand, numbers
from corepy.zone.lines import Entry, entries

Take = Callable[[EncodedRecord], object]
"""What becomes of each record; a ValueError of it is reported at the record's place."""

_DEEPEST: Final = 7
"""Files that include each other, one inside of the other (CoreDNS's figure)."""
_MOST_FILES: Final = 10_000
"""Files of one zone: included ones may include others several times, and seven levels of that are a lot."""
_UNSAID: Final = -1
"""In place of a TTL or class, to tell whether a record has its own."""


def read(path: Path, origin: bytes, take: Take) -> None:
    """Hand all records of a zone file to `take`; `origin` completes its names until an `$ORIGIN` does.

    Raises OSError where the file itself cannot be read, and ZoneError, with the place, for all that is wrong with it.
    """
    _File(path, origin, take, [0]).read(_text(path))


def _text(path: Path) -> str:
    """The text of a file; octets that are not UTF-8 are kept. Raises OSError, for what is no file too."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(f"{path} is no file")   # a pipe would keep us waiting
    try:
        return path.read_text("utf-8", "surrogateescape")
    except ValueError:
        raise OSError("no path has a NUL") from None


class _File:
    """One file: where its names begin, and what its records have in common."""

    def __init__(self, path: Path, origin: bytes, take: Take, opened: list[int], depth: int = 0) -> None:
        self._path = path
        self._origin = origin
        self._take = take
        self._opened = opened
        self._depth = depth
        self._ttl = _UNSAID
        self._by_directive = False
        self._owner: bytes | None = None

    def read(self, text: str) -> None:
        """Hand on all records. Raises ZoneError."""
        for entry in entries(text):
            try:
                if entry.text[0] == "$" and (directive := self._directive(entry)):
                    directive(entry)
                else:
                    self._record(entry.text)
            except (ValueError, OSError) as error:
                raise self._error(entry, str(error)) from None

    def _error(self, entry: Entry, what: str) -> ZoneError:
        return ZoneError(what, entry.position(str(self._path), what))

    def _record(self, text: str) -> None:
        """A record, completed."""
        record = parse_record(text, origin=self._origin, ttl=self._ttl, rclass=_UNSAID, owner=self._owner)
        owner, rtype, rclass, ttl, rdata = record
        self._owner = owner
        if ttl == _UNSAID:
            if rclass == _UNSAID and not text[0].isspace():
                raise ValueError("a record without TTL, and no $TTL before it")
            ttl = 0
        elif not self._by_directive:
            self._ttl = ttl
        self._take(EncodedRecord(owner, rtype, codes.IN if rclass == _UNSAID else rclass, ttl, rdata))

    # --- directives ---

    def _directive(self, entry: Entry) -> Callable[[Entry], None] | None:
        """What to do with an entry that begins with a dollar sign; None where that is just a name."""
        directives = {
            "$TTL": self._set_ttl, "$ORIGIN": self._set_origin, "$INCLUDE": self._include, "$GENERATE": self._generate,
        }  # fmt: skip
        return directives.get(entry.text.split(None, 1)[0].upper())

    def _set_ttl(self, entry: Entry) -> None:
        """`$TTL TTL` (RFC 2308 4)."""
        [word] = _arguments(entry, 1, 1)
        self._ttl, self._by_directive = parse_ttl(word), True

    def _set_origin(self, entry: Entry) -> None:
        """`$ORIGIN NAME`."""
        [word] = _arguments(entry, 1, 1)
        self._origin = read_name(word, self._origin)

    def _include(self, entry: Entry) -> None:
        """`$INCLUDE FILE [ORIGIN]`: neither the origin nor the TTL that it sets is left behind."""
        word, *more = _arguments(entry, 1, 2)
        if self._depth >= _DEEPEST:
            raise ValueError(f"files include each other more than {_DEEPEST} levels deep")
        if self._opened[0] >= _MOST_FILES:
            raise ValueError(f"more than {_MOST_FILES} files are included")
        self._opened[0] += 1
        path = self._path.parent / word
        try:
            text = _text(path)
        except OSError as error:
            raise ValueError(f"cannot read {word!r}, included as {path}: {error.strerror or error}") from None
        origin = read_name(more[0], self._origin) if more else self._origin
        inner = _File(path, origin, self._take, self._opened, self._depth + 1)
        inner._ttl, inner._by_directive = self._ttl, self._by_directive
        inner.read(text)

    def _generate(self, entry: Entry) -> None:
        """`$GENERATE RANGE TEXT`."""
        word, *_ = _arguments(entry, 2, None)
        text = entry.text[entry.text.index(word) + len(word) :].lstrip()
        for one in expand(text, numbers(word)):
            owner, rtype, rclass, ttl, rdata = parse_record(one, origin=self._origin, ttl=DEFAULT_TTL)
            self._take(EncodedRecord(owner, rtype, rclass, ttl, rdata))


def _arguments(entry: Entry, at_least: int, at_most: int | None) -> list[str]:
    """The words behind a directive's name. Raises ValueError where they are not as many as they should be."""
    name, *words = split(entry.text)
    if len(words) < at_least:
        raise ValueError(f"{name!r} lacks an argument")
    if at_most is not None and len(words) > at_most:
        raise ValueError(f"unexpected {words[at_most]!r} behind {name}")
    return words
