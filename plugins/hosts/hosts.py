"""Answer A, AAAA and PTR queries from a hosts file and from entries in the Corefile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.errors import Position
from corepy.fallthrough import Fallthrough
from corepy.metrics import Across, Gauge
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.hosts import lint
from corepy.plugins.hosts.lint import OPTIONS
from corepy.plugins.hosts.table import Table, count, parse, parse_address, parse_reverse, under_name
from corepy.watched import WatchedFile
from corepy.words import nearest, shown

if TYPE_CHECKING:
    from corepy.rules import Note
    from corepy.site import Site

_RECORD_SIZE: Final = {codes.A: 16, codes.AAAA: 28}
"""Octets of an encoded record whose owner is a pointer."""
_record_size: Final = _RECORD_SIZE.get

_ENTRIES: Final = Gauge(
    "hosts_entries", "Records of a hosts file and of the Corefile together.", ("hostsfile",), across=Across.SAME
)
_MODIFIED: Final = Gauge(
    "hosts_reload_timestamp_seconds", "Modification time of the hosts file that was read last.", across=Across.MAX
)


@dataclass
class Hosts(Plugin):
    """Names in `zones` (keys), and in any zone the names of reverse mapping for their addresses."""

    once: ClassVar[bool] = True

    zones: tuple[bytes, ...]
    path: Path = Path("/etc/hosts")
    """Where the entries are; below `root` if relative."""
    inline: bytes = b""
    """Entries of the Corefile, in the form of a hosts file; they come after those of the file."""
    ttl: int = 3600
    """Seconds; 1 to 65,535."""
    reload: float = 5.0
    """Seconds between two looks whether the file has changed; 0 for none."""
    reverse: bool = True
    fallthrough: Fallthrough = field(default_factory=Fallthrough)
    unsupported: bool = False
    """Whether types other than A, AAAA and PTR fall through where names do."""
    at: Position | None = field(default=None, compare=False)
    """Where the Corefile names the file; None where it does not, and nobody minds if there is none."""
    places: Sequence[Position] = field(default=(), compare=False)
    """Where the lines of `inline` stand."""
    _tables: tuple[Table, ...] = field(default=(), init=False, compare=False, repr=False)
    """That of the file, then that of the Corefile; what is empty is left out."""

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `hosts [FILE [ZONES...]]` and its block, in which a line that is no option is an entry."""
        file = directive.optional()
        made = cls(directive.origins())
        if file is not None:
            made.path, made.at = Path(file), file.at
        entries: list[str] = []
        places: list[Position] = []
        for line in directive.lines():
            if line.name in OPTIONS:
                made._read(line)
            elif made.fallthrough.zones:
                what = f"unknown option {shown(line.name)} behind fallthrough"
                raise line.error(what, line.name, f"one of {', '.join(OPTIONS)}", nearest(line.name, OPTIONS))
            else:
                entries.append(" ".join([line.name, *line.words()]))
                places.append(line.at)
        if made.unsupported and not made.fallthrough.zones:
            what = "fallthrough_unsupported stands without fallthrough"
            raise directive.error(what, directive.closed, "fallthrough before the end of the block")
        made.inline, made.places = "\n".join(entries).encode("utf-8", "surrogateescape"), places
        return made

    def _read(self, option: Directive) -> None:
        match option.name:
            case "fallthrough":
                self.fallthrough = Fallthrough.parse(option)
            case "fallthrough_unsupported":
                self.unsupported = True
            case "no_reverse":
                self.reverse = False
            case "reload":
                self.reload = option.duration(minimum=0)
            case _:
                self.ttl = option.integer("a number of seconds", minimum=1, maximum=65535)

    def configure(self, site: Site) -> None:
        """Learn where relative paths begin."""
        self.path = site.path(self.path)

    def ends(self) -> Sequence[bytes]:
        """Its zones, unless some of their names fall through."""
        return () if self.fallthrough.zones else self.zones

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the path
        """Look at the file and the entries, as `start` does."""
        return lint.check(self.path if self.at else None, lines[0])

    async def start(self) -> None:
        """Read the file, and watch it. Raises ConfigError where the Corefile names one that is out of reach."""
        self._warn()
        self._inline = self._parse(self.inline)
        self._file = WatchedFile(self.path, self._parse, self._use)
        self._serve(Table())
        with contextlib.suppress(OSError):  # there was a warning, and the file may come later
            await self._file.read()
        self._file.watch(self.clock, self.reload, self._complain)

    def stop(self) -> None:
        """Look no more."""
        self._file.stop()

    # --- answers ---

    def serve(self, query: Query) -> Outcome:
        """Answer what the tables have; say NODATA for other types of their names; let go of other zones."""
        qtype, key = query.qtype, query.key
        size = _record_size(qtype)
        if size:
            records = self._addresses(qtype, key)
            if records:
                if self.note is not None:
                    self._tell(self.note, query, records)
                return _answer(query, records, len(records) // size)
        elif qtype == codes.PTR:
            # Reverse mapping asks neither for zones nor for fallthrough (as CoreDNS).
            records = self._pointers(key)
            if not records:
                return self._let_go(query, "no entry")
            if self.note is not None:
                self._tell(self.note, query, records)
            return _answer(query, records, count(records))
        return self._without_answer(query, key)

    def _without_answer(self, query: Query, key: bytes) -> Outcome:
        if not w.in_zones(key, self.zones):
            return self._let_go(query, "the name is in none of its zones")
        falls = self.fallthrough.through(key)
        if falls and self.unsupported and query.qtype not in _RECORD_SIZE:
            return self._let_go(query, "the type is unsupported, falls through")
        if self._tables and (self._addresses(codes.A, key) or self._addresses(codes.AAAA, key)):
            return Reply.build(query, flags=w.AA)
        if falls:
            return self._let_go(query, "no entry, falls through")
        if self.note is not None:
            self.note(query, "no entry, and no fallthrough for the name")
        # NXDOMAIN needs a SOA (RFC 2308 3), which a hosts file does not have: CoreDNS says SERVFAIL.
        return Reply.failed(query)

    def _let_go(self, query: Query, why: str) -> Outcome:
        if self.note is not None:
            self.note(query, why)
        return self.next(query)

    def branches(self) -> Sequence[Position]:
        """The entries of the Corefile."""
        return self.places

    def _tell(self, note: Note, query: Query, records: bytes) -> None:
        """Note which entries of the Corefile have a part in these records."""
        packed = parse_reverse(query.key) or b""
        for table, at in zip(self._by_line, self.places, strict=False):   # without any entry there is one empty line
            mine = table.pointers(packed) if query.qtype == codes.PTR else table.addresses(query.qtype, query.key)
            if mine and mine in records:
                note(query, f"the entry at {at} is for it", at)

    @cached_property
    def _by_line(self) -> list[Table]:
        return [self._parse(line) for line in self.inline.split(b"\n")]

    def _addresses(self, rtype: int, key: bytes) -> bytes:
        """The A or AAAA records of a name."""
        tables = self._tables
        if len(tables) == 1:   # nearly always, and then it should be quick
            return tables[0].addresses(rtype, key)
        return b"".join([table.addresses(rtype, key) for table in tables])

    def _pointers(self, key: bytes) -> bytes:
        """The PTR records of a name of reverse mapping."""
        packed = parse_reverse(key)
        return b"".join([table.pointers(packed) for table in self._tables]) if packed else b""

    # --- the file ---

    def _parse(self, text: bytes) -> Table:
        return parse(text, self.zones, ttl=self.ttl, reverse=self.reverse)

    def _use(self, table: Table) -> None:
        """Answer from what the file has become."""
        self._serve(table)
        _MODIFIED.set(self._file.modified)

    def _serve(self, table: Table) -> None:
        """Answer from this table, and from that of the Corefile."""
        self._tables = tuple(each for each in (table, self._inline) if each.entries)
        entries = table.entries + self._inline.entries
        _ENTRIES.set(entries, str(self.path))
        remark = f"{self.path} and the Corefile have {entries} records"
        self.log.debug(remark)

    def _warn(self) -> None:
        """Say what may not be as intended: a file that is none, and lines of the Corefile that are no entries."""
        for line in self.inline.split(b"\n") if self.inline else []:
            word = line.split()[:1]
            if word and not parse_address(word[0]):
                text = word[0].decode("utf-8", "backslashreplace")
                remark = f"{shown(text)} is neither an address nor an option: the line is left out"
                self.log.warning(remark)
        if self.at is None:
            return
        try:
            remark = lint.look(self.path)
        except ConfigError as error:
            raise error.locate(self.at, self.name) from None
        if remark:
            self.log.warning(remark)

    def _complain(self, error: Exception) -> None:
        """The file is out of reach for the moment: what was read last goes on to be served."""
        remark = f"{self.path}: {error}"
        self.log.debug(remark)


def _answer(query: Query, records: bytes, number: int) -> Reply:
    """The reply with these records, whose owner is in lower case whatever the question's case (as CoreDNS)."""
    key = query.key
    if not query.wire.startswith(key, 12):
        records = under_name(records, key, query.qend)
    return Reply.build(query, flags=w.AA, counts=(number, 0, 0), body=records)
