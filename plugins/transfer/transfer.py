"""Hand out zones that other plugins of the server block have, and notify who should fetch them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.plugin import Address, ConfigError, Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.transfer import lint
from corepy.plugins.transfer.messages import incremental, known_serial, unchanged, whole
from corepy.plugins.transfer.notices import Notice
from corepy.tsig import Key
from corepy.upstream import Options, Target, Upstream, connect
from corepy.zone import EVERYBODY, Peer, Zone, ZoneSource, closest, keys_of, read_peers, since

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.site import Site

_TRANSFERS: Final = frozenset((codes.IXFR, codes.AXFR))
_STREAMS: Final = ("tcp", "tls")
"""Transports that a reply of several messages can go over."""


@dataclass
class Rule:
    """Who may have some zones, and is told of new versions."""

    zones: tuple[bytes, ...]
    """Keys; also for zones below them."""
    to: list[Peer] = field(default_factory=list)
    """Who may ask for the zones, from any port, and is notified at this one; EVERYBODY is not."""
    source: Address | None = None
    """The address that notifications come from, port 0; the system's choice where None."""
    at: Position | None = field(default=None, compare=False)
    """Where the directive stands."""

    def allows(self, query: Query) -> bool:
        """Whether the client may have the zones."""
        return any(peer.is_client_of(query) for peer in self.to)


@dataclass
class Transfer(Plugin):
    """Zones by rules; of several rules the one with the longest zone counts, of those with the same the first."""

    rules: list[Rule]
    _zones: dict[bytes, Rule] = field(default_factory=dict, init=False, compare=False, repr=False)
    _keys: dict[Peer, Key] = field(default_factory=dict, init=False, compare=False, repr=False)
    _sources: list[ZoneSource] = field(default_factory=list, init=False, compare=False, repr=False)
    _servers: dict[tuple[Address, Address | None], Upstream] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        for rule in self.rules:
            for zone in rule.zones:
                self._zones.setdefault(zone, rule)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all rules of a block."""
        return [cls([_read(directive) for directive in directives])]

    def configure(self, site: Site) -> None:
        """Know the other plugins of the block, and the keys that they have."""
        self._site = site
        self._keys = keys_of([peer for rule in self.rules for peer in rule.to], site.plugins, self.name)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:
        """Look at who may have the zones."""
        return lint.check(lines, [plugin.name for plugin in site.plugins])

    def start(self) -> None:
        """Find out which plugins have zones."""
        self._sources = [plugin for plugin in self._site.plugins if isinstance(plugin, ZoneSource)]

    def stop(self) -> None:
        """Notify nobody any more."""
        for server in self._servers.values():
            server.close()

    def branches(self) -> Sequence[Position]:
        """The directives."""
        return [rule.at for rule in self.rules if rule.at is not None]

    # --- transfers ---

    def serve(self, query: Query) -> Outcome:
        """Answer AXFR and IXFR; all other queries are for the next plugin."""
        if query.qtype not in _TRANSFERS:
            return self.next(query)
        if query.endpoint.transport not in _STREAMS:
            return Reply.failed(query, codes.REFUSED)
        origin = closest(query.key, self._zones)
        if origin is None:
            return self.next(query)
        rule = self._zones[origin]
        allowed = rule.allows(query)
        if self.note is not None:
            self.note(query, f"{'allowed' if allowed else 'refused'} by the transfer at {rule.at}", rule.at)
        if not allowed:
            return Reply.failed(query, codes.REFUSED)
        serial = known_serial(query) if query.qtype == codes.IXFR else 0
        if serial is None:
            return Reply.failed(query)
        zone = self._zone(query.key)
        if zone is None:
            return self.next(query)
        return self._answer(query, zone, serial)

    def _answer(self, query: Query, zone: Zone, serial: int) -> Reply:
        """The zone; for who has its serial already, which cannot be 0, the SOA record is enough."""
        steps = since(zone, serial) if query.qtype == codes.IXFR else ()
        if serial != 0 and serial == zone.serial:
            what, reply = "is up to date", unchanged(query, zone)
        elif steps:
            what, reply = f"is handed out from serial {serial} on", incremental(query, zone, steps)
        else:
            what, reply = "is handed out", whole(query, zone)
        remark = f"zone {w.decode_name(zone.origin)} {what}, to {query.client.ip}, serial {zone.serial}"
        self.log.info(remark)
        return reply

    def _zone(self, key: bytes) -> Zone | None:
        for source in self._sources:
            if (zone := source.zone_of(key)) is not None:
                return zone
        return None

    # --- notifications ---

    def announce(self, origin: bytes) -> None:
        """A plugin of the block has a new version of the zone: tell the servers of its rule."""
        zone = closest(origin, self._zones)
        if zone is None:
            return
        rule = self._zones[zone]
        for peer in rule.to:
            if peer.address != EVERYBODY:
                server = self._server(peer.address, rule.source)
                Notice(origin, server, self.clock, self.log.warning, self._keys.get(peer)).send()

    def _server(self, address: Address, source: Address | None) -> Upstream:
        key = address, source
        if key not in self._servers:
            self._servers[key] = connect(Target(address), Options(source=source, owner=self.name), self.clock)
        return self._servers[key]


def _read(directive: Directive) -> Rule:
    """`transfer [ZONES...]` and its block."""
    rule = Rule(directive.origins(), at=directive.at)
    for option in directive.options("to", "source", once=("source",)):
        if option.name == "to":
            rule.to += read_peers(option, everybody=True)
        else:
            rule.source = option.ip_address()
    if not rule.to:
        raise directive.error("'to' is missing", directive.closed, "to ADDRESS... in the block")
    return rule
