"""Go through a client's search path for it, when its first query shows that it is going to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.metrics import Counter
from corepy.plugin import ConfigError, Directive, Failure, Outcome, Plugin, Query, Reply
from corepy.records import EncodedRecord, decode
from corepy.renaming import rebuild, with_question
from corepy.words import Word, shown

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.site import Site

_ROOT: Final = b"\0"
_MAX_FILE: Final = 65536
"""Octets of a resolv.conf that are read: far more than a resolver library takes."""
_FOUND: Final = Counter("autopath_success_total", "Queries that were answered under a completed name.", ("server",))

SearchPath = Callable[[Query], Sequence[bytes]]
"""What a plugin has that knows search paths, as `search_path`: for a client's query its domains, as keys."""


@dataclass
class Autopath(Plugin):
    """For names in `zones`. The domains of `search`, as keys, are those of all clients."""

    once: ClassVar[bool] = True

    zones: tuple[bytes, ...]
    search: tuple[bytes, ...] = ()
    source: str = ""
    """The plugin that knows the search path of each client; it need not be in the server block."""
    at: Position | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `autopath [ZONE...] RESOLV-CONF|@PLUGIN`, and the file."""
        *zones, source = directive.words("a file such as resolv.conf, or @PLUGIN", at_least=1)
        plugin = cls(directive.as_zones(zones) or directive.zones, at=source.at)
        if source.startswith("@"):
            plugin.source = source[1:]
        else:
            plugin.search = _read(directive, source)
        return plugin

    def configure(self, site: Site) -> None:
        """Get to know the other plugins."""
        self._site = site

    def check(self, lines: Sequence[Directive], site: Site) -> Sequence[ConfigError]:  # noqa: ARG002 - it has the names
        """Look for the plugin, as `start` does. Raises ConfigError."""
        self._find(site)
        return ()

    def start(self) -> None:
        """Find the plugin that knows search paths; without it nothing is completed, as on CoreDNS."""
        self._search_path = self._find(self._site)

    def _find(self, site: Site) -> SearchPath | None:
        """What knows search paths in this server block. Raises ConfigError where the plugin that should does not."""
        path: SearchPath | None = None
        for plugin in site.plugins:
            if self.source and plugin.name == self.source:
                path = getattr(plugin, "search_path", None)
                if path is None:
                    raise ConfigError(f"the plugin {self.source} knows no search paths", self.at, plugin=self.name)
        return path

    def serve(self, query: Query) -> Outcome:
        """Complete a name below the first domain of the client's search path; pass on any other."""
        key = query.key
        if not any(w.is_subdomain(key, zone) for zone in self.zones):
            return self.next(query)
        search = tuple(self._search_path(query)) if self._search_path is not None else self.search
        if not search or search[0] == _ROOT or not w.is_subdomain(key, search[0]):
            return self.next(query)
        if key == search[0]:
            raise Failure(f"nothing is left of {query.name} without its search domain")
        return self._complete(query, search)

    async def _complete(self, query: Query, search: Sequence[bytes]) -> Reply:
        """The first reply under one of the domains, or under none, that somebody had and is not NXDOMAIN.

        Without one, the reply to the query as it was asked (as CoreDNS).
        """
        base = query.qname[: -len(search[0])]
        first: Reply | None = None
        for domain in (*search, _ROOT):
            name = base + domain
            try:
                asked = query if first is None else query.with_wire(_renamed(query, name))
            except Malformed:   # the name would be too long
                continue
            reply = await self.next(asked)
            first = first or reply
            if not reply.wire or reply.unserved or reply.rcode == codes.NXDOMAIN:
                continue
            _FOUND.add(query.endpoint.server)
            return reply if asked is query else _under(query, reply)
        assert first is not None  # noqa: S101 - the query itself was the first
        return first


def _renamed(query: Query, name: bytes) -> bytes:
    return query.wire[:12] + name + query.wire[query.qend - 4 :]


def _under(query: Query, reply: Reply) -> Reply:
    """The reply to a completed name as one to the query, with an alias that leads from one name to the other."""
    try:
        answer, authority, additional = decode(reply.wire)
        target = next((record for record in answer if w.key(record.owner) != query.key), None)
        if target is None:
            return Reply(with_question(reply.wire, query.question), reply.plain)
        alias = EncodedRecord(query.qname, codes.CNAME, codes.IN, target.ttl, target.owner)
        return Reply(rebuild(reply.wire, query.question, [alias, *answer], authority, additional), reply.plain)
    except Malformed as error:
        raise Failure(f"no reply to complete: {error}") from None


def _read(directive: Directive, word: Word) -> tuple[bytes, ...]:
    """The domains of a resolv.conf: those of its last `search` or `domain` line."""
    try:
        with Path(word).open(encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(_MAX_FILE).splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise directive.error(f"cannot read {shown(word)}: {reason}", word) from None
    names: list[str] = []
    for line in lines:
        first, *rest = line.split() or [""]
        if first in ("search", "domain"):
            names = rest if first == "search" else rest[:1]
    try:
        return tuple(w.key(w.encode_name(name)) for name in names)
    except ValueError as error:
        raise directive.error(f"{shown(word)} has a bad search domain: {error}", word) from None
