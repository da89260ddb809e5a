"""The door in front of a listener: takes PROXY headers off and knows each client.

Who is believed (`ProxyPolicy`), what is remembered (`Sessions`), what is refused (`Drops`), and the `Door` that puts
these together. All of it works on bytes: time comes in as `now`, in seconds of a clock that never goes back, and lines
for the log leave through a callable. The specification has no sessions over UDP; they are what Cloudflare Spectrum
needs, and off unless asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal
from weakref import WeakSet

from corepy.address import Address
from corepy.metrics import SETTLE, Across, Counter, Gauge
from corepy.networks import NetworkSet
from corepy.proxyproto import Drop, ProxyError, StreamHeader, parse_datagram

DROPPED: Final = Counter(
    "corepy_proxyproto_drops_total", "Datagrams and connections that were refused for their PROXY header.", ("reason",)
)
SESSIONS_HELD: Final = Gauge(
    "corepy_proxyproto_sessions", "UDP sessions behind proxies that are remembered.", across=Across.SUM
)
EVICTED: Final = Counter("corepy_proxyproto_sessions_evicted_total", "UDP sessions that had to make room for others.")

# --- who is believed --------------------------------------------------------------------------


class Action(StrEnum):
    """What is done about headers from a peer; the values are those of the Corefile's `default`, but for REQUIRE."""

    USE = "use"
    """Believe a header; serve without one."""
    IGNORE = "ignore"
    """Take a header off and keep the peer's own address."""
    REJECT = "reject"
    """Lose what comes with a header; serve what comes without."""
    SKIP = "skip"
    """Do not look for a header: it stays where it is and makes garbage of the query."""
    REQUIRE = "require"
    """Believe a header; serve nothing without one."""


# Looking a member up in its class costs more than the rest of a decision.
_USE: Final = Action.USE
_IGNORE: Final = Action.IGNORE
_REJECT: Final = Action.REJECT
_SKIP: Final = Action.SKIP
_REQUIRE: Final = Action.REQUIRE

_DECISIONS: Final = 1024
"""Peers whose action is remembered: more than there are load balancers, and under 150 KB when forgeries fill it."""


class ProxyPolicy:
    """The one place that decides whose headers are believed, as CoreDNS's `proxyproto` does.

    `allow` are the networks to believe; for peers outside of them, or for all without any, `default` counts: when not
    given, USE without networks and IGNORE with some. `require` turns every USE into REQUIRE.
    `accepts_everyone` tells whether the whole Internet may name a client here, which deserves a warning.
    """

    def __init__(
        self,
        allow: Iterable[IPv4Network | IPv6Network] = (),
        default: Action | None = None,
        *,
        require: bool = False,
    ) -> None:
        networks = NetworkSet(allow)
        self._allowed = _REQUIRE if require else _USE
        self._default = default or (_IGNORE if networks else _USE)
        if self._default is _USE:
            self._default = self._allowed
        self._constant: Action | None = None if networks else self._default
        self._networks = networks
        self._known: dict[bytes, Action] = {}
        self.accepts_everyone: Final = self._default is self._allowed or networks.everything

    def for_peer(self, packed: bytes) -> Action:
        """The action for a peer with this IP address, 4 or 16 octets; IPv4-mapped IPv6 counts as IPv4."""
        return self._constant or self._known.get(packed) or self._decide(packed)

    def _decide(self, packed: bytes) -> Action:
        action = self._allowed if packed in self._networks else self._default
        if len(self._known) >= _DECISIONS:
            self._known.clear()  # no order to keep: a decision costs about as much as remembering what to forget
        self._known[packed] = action
        return action


# --- what is remembered -----------------------------------------------------------------------

SESSIONS: Final = 10_240
"""How many sessions are kept when nothing else is asked for: CoreDNS's number."""


class Sessions:
    """The clients behind the peers whose datagrams come without header, as after a header of Cloudflare Spectrum.

    A peer is the raw socket address of a datagram, a client the `Address` of its last header. A session is alive up
    to `ttl` seconds after its last use, that moment included. There are at most `capacity`; the one that was used
    least recently makes room for a new one. The order of use is the order of expiry, so what has expired goes
    first, and every step costs the same, however many sessions there are.

    Counters: `opened`, `hits` (a headerless datagram found its client), `evicted` (alive, but room was needed) and
    `expired` (found dead). A header for a living session is neither: it replaces the client. `ttl` and `capacity`
    may be changed at any time.
    """

    def __init__(self, ttl: float, capacity: int = SESSIONS) -> None:
        if not ttl > 0 or capacity < 1:
            raise ValueError(f"sessions need a lifetime and room, not {ttl} seconds for {capacity}")
        self.ttl = ttl
        self.capacity = capacity
        self.opened = 0
        self.hits = 0
        self.evicted = 0
        self.expired = 0
        # Client and last use by peer, in the order of use. An entry is replaced, never changed.
        self._table: OrderedDict[bytes, tuple[Address, float]] = OrderedDict()
        _all_sessions.add(self)

    def __len__(self) -> int:
        """The sessions held; those that expired count until they are met or swept away."""
        return len(self._table)

    def get(self, peer: bytes, now: float) -> Address | None:
        """The client behind a peer, whose time starts anew; None where it has no session (any more)."""
        table = self._table
        entry = table.get(peer)
        if entry is None:
            return None
        client, used = entry
        if now - used > self.ttl:
            del table[peer]
            self.expired += 1
            return None
        self.hits += 1
        table[peer] = client, now
        table.move_to_end(peer)
        return client

    def put(self, peer: bytes, client: Address, now: float) -> None:
        """Open the session of a peer, or replace its client; its time starts anew."""
        table = self._table
        entry = table.get(peer)
        if entry is None:
            self.opened += 1
            while len(table) >= self.capacity:
                self._count(table.popitem(last=False)[1][1], now)
        elif now - entry[1] > self.ttl:
            self.expired += 1
            self.opened += 1
        table[peer] = client, now
        table.move_to_end(peer)

    def adopt(self, old: Sessions) -> None:
        """Go on with the sessions and counters of a table that is no longer used, under our own TTL and capacity."""
        self._table, old._table = old._table, OrderedDict()
        self.opened, self.hits, self.evicted, self.expired = old.opened, old.hits, old.evicted, old.expired
        while len(self._table) > self.capacity:
            self._table.popitem(last=False)
            self.evicted += 1
            EVICTED.add()

    def sweep(self, now: float) -> None:
        """Forget what has expired, for an exact `len()`; nothing else needs it."""
        table = self._table
        while table:
            peer = next(iter(table))
            if now - table[peer][1] <= self.ttl:
                return
            del table[peer]
            self.expired += 1

    def _count(self, used: float, now: float) -> None:
        if now - used > self.ttl:
            self.expired += 1
        else:
            self.evicted += 1
            EVICTED.add()


_all_sessions: Final[WeakSet[Sessions]] = WeakSet()
SETTLE.append(lambda: SESSIONS_HELD.set(sum(map(len, _all_sessions))))

# --- what is refused --------------------------------------------------------------------------

_SOURCES: Final = 64
"""Sources that get a line within a second: enough to see who it is, and a bound on lines when they are forged."""


class Drops:
    """Counts what is refused, by reason, and reports it: at most one line a second and source, and 64 a second.

    `report` receives each line, to be logged as a warning of the plugin. `counts` has every reason. A source is
    an IP address, whatever its port or transport.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.counts: Final = dict.fromkeys(Drop, 0)
        self._report = report
        self._told: OrderedDict[bytes, float] = OrderedDict()  # when a source got its last line, oldest first
        self._left_out = 0

    def add(self, what: str, peer: Address, reason: Drop, now: float) -> None:
        """Count one drop; `what` is the beginning of its line: "dropping datagram"."""
        self.counts[reason] += 1
        DROPPED.add(reason.name.lower())
        if not self._may_tell(peer.packed, now):
            self._left_out += 1
            return
        more = f" ({self._left_out} more left out before)" if self._left_out else ""
        self._left_out = 0
        self._report(f"{what} from {peer}: {reason}{more}")

    def adopt(self, old: Drops) -> None:
        """Go on with the counts of drops that are no longer added to, and remember who was told of."""
        self.counts.update(old.counts)
        self._told, self._left_out = old._told, old._left_out

    def _may_tell(self, source: bytes, now: float) -> bool:
        told = self._told
        while told and now - next(iter(told.values())) >= 1:
            told.popitem(last=False)
        if source in told or len(told) >= _SOURCES:
            return False
        told[source] = now
        return True


# --- the door ---------------------------------------------------------------------------------


class Door:
    """What stands between the sockets of a listener and its queries: takes headers off and knows each client.

    Without `sessions` every datagram is on its own, as the specification wants it. With them, a PROXY command with
    addresses opens or replaces the session of its peer, with or without a payload; LOCAL and what is dropped leave
    sessions alone. Only peers that are believed have sessions, and connections have none. `report` receives lines
    for the log, see `Drops`; `drops` and `sessions` have the numbers.
    """

    def __init__(self, policy: ProxyPolicy, sessions: Sessions | None, report: Callable[[str], None]) -> None:
        self.policy: Final = policy
        self.sessions: Final = sessions
        self.drops: Final = Drops(report)
        self._for_peer = policy.for_peer

    @property
    def remembers(self) -> bool:
        """Whether datagrams of one peer belong together."""
        return self.sessions is not None

    def datagram(self, wire: bytes, peer: bytes, now: float) -> tuple[bytes, Address | None] | None:
        """The payload and the client, where None is the peer itself; or None where nothing is to be served.

        `wire` is the datagram, `peer` the raw socket address it came from, where the reply goes in any case, and
        `now` the time in seconds.
        """
        action = self._for_peer(peer[4:8] if len(peer) == 16 else peer[8:24])
        if action is _SKIP:
            return wire, None
        try:
            found = parse_datagram(wire)
        except ProxyError as error:
            self._drop(peer, error.reason, now)
            return None
        believed = action is _USE or action is _REQUIRE
        if found is None:
            client = self.sessions.get(peer, now) if believed and self.sessions is not None else None
            if client is None and action is _REQUIRE:
                self._drop(peer, Drop.REQUIRED, now)
                return None
            return wire, client
        if action is _REJECT:
            self._drop(peer, Drop.REJECTED, now)
            return None
        header, payload = found
        client = header.source if believed else None
        if client is not None and self.sessions is not None:
            self.sessions.put(peer, client, now)
        return (payload, client) if payload else None

    def adopt(self, old: object) -> None:
        """Take over from the door that stood here before a reload: its sessions hold, under the new rules.

        A door without sessions forgets them, and a peer that is no longer believed has its own address again.
        """
        if isinstance(old, Door):
            self.drops.adopt(old.drops)
            if self.sessions is not None and old.sessions is not None:
                self.sessions.adopt(old.sessions)

    def stream(self) -> StreamDoor:
        """What stands in front of one new connection."""
        return StreamDoor(self.policy, self.drops)

    def _drop(self, peer: bytes, reason: Drop, now: float) -> None:
        self.drops.add("dropping datagram", Address.from_sockaddr(peer), reason, now)


class StreamDoor:
    """Takes the header off one TCP connection, before TLS if there is any, and knows its client.

    Feed it until it answers; from then on the connection is the listener's. It has no clock: a header that never
    comes falls to the time the listener gives a silent connection.
    """

    __slots__ = ("_drops", "_header", "_policy")

    def __init__(self, policy: ProxyPolicy, drops: Drops) -> None:
        self._policy = policy
        self._drops = drops
        self._header = StreamHeader()

    def feed(self, data: bytes, peer: Address, now: float) -> tuple[bytes, Address | None] | Literal[False] | None:
        """Take the next bytes from `peer`: what comes behind the header and the client (None: the peer itself).

        None while more bytes are needed; False, counted and reported, where the connection is to be closed.
        """
        action = self._policy.for_peer(peer.packed)
        if action is _SKIP:
            return data, None
        try:
            return self._admit(data, action)
        except ProxyError as error:
            self._drops.add("closing connection", peer, error.reason, now)
            return False

    def _admit(self, data: bytes, action: Action) -> tuple[bytes, Address | None] | None:
        found = self._header.feed(data)
        if found is None:
            return None
        header, rest = found
        if header is None:
            if action is _REQUIRE:
                raise ProxyError(Drop.REQUIRED)
            return rest, None
        if action is _REJECT:
            raise ProxyError(Drop.REJECTED)
        return rest, None if action is _IGNORE else header.source
