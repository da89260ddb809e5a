"""Answer from zones that are fetched from their primaries, as those would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.fallthrough import Fallthrough
from corepy.plugin import Address, Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.secondary.catalog import Member, members
from corepy.plugins.secondary.follower import Follower
from corepy.plugins.secondary.primary import Primary
from corepy.tsig import Key
from corepy.upstream import Options, Target, Upstream, connect
from corepy.zone import Authority, Peer, Zone, announce, closest, keys_of, read_peers

if TYPE_CHECKING:
    from corepy.site import Site

_TRANSFERS: Final = frozenset((codes.IXFR, codes.AXFR))


@dataclass
class Source:
    """Where a zone comes from."""

    primaries: list[Peer] = field(default_factory=list)
    """Asked in this order; who has one of the addresses may say that there is a new version."""
    catalog: tuple[bytes, ...] | None = None
    """Not None for a catalog zone: its members may be these zones (keys) and those below; without any, all zones."""


@dataclass
class Secondary(Plugin):
    """Zones by their names, which are keys; a query goes to the one with the longest name."""

    sources: dict[bytes, Source]
    fallthrough: Fallthrough = field(default_factory=Fallthrough)
    """For names that a zone does not have."""
    authoritative: ClassVar[bool] = True
    _followers: dict[bytes, Follower] = field(default_factory=dict, init=False, compare=False, repr=False)
    _serving: dict[bytes, Authority] = field(default_factory=dict, init=False, compare=False, repr=False)
    _owners: dict[bytes, tuple[bytes, Member]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Of zones that a catalog has brought: the catalog, and what it says of them."""
    _keys: dict[Peer, Key] = field(default_factory=dict, init=False, compare=False, repr=False)
    _upstreams: dict[Address, Upstream] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all zones of a block; the last `fallthrough` counts for all of them (as CoreDNS)."""
        made = cls({})
        for directive in directives:
            made._read(directive)
        return [made]

    def _read(self, directive: Directive) -> None:
        """`secondary [ZONES...]` and its block."""
        source = Source()
        self.sources.update(dict.fromkeys(directive.origins(), source))
        for option in directive.options("transfer", "catalog", "fallthrough"):
            match option.name:
                case "transfer":
                    option.choice("from")
                    source.primaries += read_peers(option)
                case "catalog":
                    zones = option.as_zones(option.words())
                    everything = not zones or source.catalog == ()
                    source.catalog = () if everything else (source.catalog or ()) + zones
                case _:
                    self.fallthrough = Fallthrough.parse(option)
        if not source.primaries:
            raise directive.error("there is no primary", directive.closed, "transfer from ADDRESS... in the block")

    def configure(self, site: Site) -> None:
        """Know who may want to know of new zones, and the keys that others have."""
        self._site = site
        peers = [peer for source in self.sources.values() for peer in source.primaries]
        self._keys = keys_of(peers, site.plugins, self.name)

    def ends(self) -> Sequence[bytes]:
        """The zones, unless some of their names fall through."""
        return () if self.fallthrough.zones else tuple(self.sources)

    def start(self) -> None:
        """Begin to fetch the zones; until they are there, they fail."""
        for origin, source in self.sources.items():
            self._follow(origin, source.primaries)

    def stop(self) -> None:
        """Follow no zone any more."""
        for follower in self._followers.values():
            follower.stop()
        for upstream in self._upstreams.values():
            upstream.close()

    def adopt(self, old: Self) -> None:
        """Serve what has been fetched before a reload, until it is fetched again."""
        for origin, follower in self._followers.items():
            authority = old._serving.get(origin)
            if authority is not None and origin not in self._serving:
                follower.zone = authority.zone
                self._serve(authority.zone)

    def _follow(self, origin: bytes, peers: Sequence[Peer]) -> None:
        primaries = [Primary(self._upstream(peer.address), self.clock, self._keys.get(peer)) for peer in peers]
        follower = self._followers[origin] = Follower(origin, primaries, self.clock, self.log, self._use)
        follower.start()

    def _upstream(self, address: Address) -> Upstream:
        if address not in self._upstreams:
            self._upstreams[address] = connect(Target(address), Options(expire=0, owner=self.name), self.clock)
        return self._upstreams[address]

    def _use(self, zone: Zone) -> None:
        """Serve a version that has been fetched. Raises ValueError for a catalog zone that is none."""
        source = self.sources.get(zone.origin)
        if source is not None and source.catalog is not None:
            self._apply(zone.origin, source, members(zone))
        self._serve(zone)
        announce(self._site.plugins, zone.origin)

    def _serve(self, zone: Zone) -> None:
        falls = self.fallthrough.through if self.fallthrough.zones else None
        self._serving[zone.origin] = Authority(zone, self.resolve, falls)

    def zone_of(self, origin: bytes) -> Zone | None:
        """The zone of this name, a key, as others may hand it out; None where there is none that is fresh."""
        authority = self._serving.get(origin)
        return None if authority is None or self._followers[origin].expired else authority.zone

    # --- catalogs ---

    def _apply(self, catalog: bytes, source: Source, listed: dict[bytes, Member]) -> None:
        """Follow the zones that a catalog lists, and let go of those that it does not list any more."""
        for origin, member in listed.items():
            if source.catalog and not w.in_zones(origin, source.catalog):
                self._say(origin, catalog, "is not one of the zones that the catalog may add")
            elif (owned := self._owners.get(origin)) is None and origin in self._followers:
                self._say(origin, catalog, "is there already")
            elif owned is None or self._may_take(catalog, member, owned):
                if owned is not None:
                    self._forget(origin)
                self._owners[origin] = catalog, member
                self._follow(origin, source.primaries)
                self._say(origin, catalog, "is added")
            elif owned[0] == catalog:
                self._owners[origin] = catalog, member
            else:
                self._say(origin, catalog, f"belongs to catalog {w.decode_name(owned[0])}")
        for origin, (owner, _) in list(self._owners.items()):
            if owner == catalog and origin not in listed:
                self._forget(origin)
                self._say(origin, catalog, "is removed")

    def _may_take(self, catalog: bytes, member: Member, owned: tuple[bytes, Member]) -> bool:
        """Whether a member begins anew: its catalog gives it a new label, or hands it over (RFC 9432 4.3.1, 5.4)."""
        owner, known = owned
        return known.label != member.label if owner == catalog else known.successor == catalog

    def _forget(self, origin: bytes) -> None:
        self._followers.pop(origin).stop()
        self._serving.pop(origin, None)
        del self._owners[origin]

    def _say(self, origin: bytes, catalog: bytes, what: str) -> None:
        remark = f"member zone {w.decode_name(origin)} of catalog {w.decode_name(catalog)} {what}"
        self.log.info(remark)

    # --- queries ---

    def serve(self, query: Query) -> Outcome:
        """Answer for the zones; let go of other names, and of those that fall through."""
        origin = closest(query.key, self._followers)
        if origin is None:
            return self.next(query)
        authority, follower = self._serving.get(origin), self._followers[origin]
        if query.qtype in _TRANSFERS:
            return Reply.failed(query, codes.REFUSED)
        if query.flags & w.OPCODE:
            return self._notified(query, follower)
        if authority is None or follower.expired:
            return Reply.failed(query)
        return authority.answer(query) or self.next(query)

    def _notified(self, query: Query, follower: Follower) -> Reply:
        """NOTIFY: one of a primary is acknowledged, others are not answered (as CoreDNS)."""
        zone, client = w.decode_name(follower.origin), query.client
        if client.packed not in {peer.address.packed for peer in self._primaries(follower.origin)}:
            remark = f"dropping NOTIFY from {client.ip} for {zone}"
            self.log.info(remark)
            return Reply.SILENCE
        follower.notified()
        return Reply.build(query, flags=w.AA)

    def _primaries(self, origin: bytes) -> list[Peer]:
        """The primaries of a zone; of a member those of its catalog."""
        return self.sources[origin if origin in self.sources else self._owners[origin][0]].primaries
