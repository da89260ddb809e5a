"""The PROXY protocol: whom a load balancer speaks for.

From bytes to addresses (`parse_datagram`, `StreamHeader`) and back (`encode_v1`, `encode_v2`); who is believed
(`ProxyPolicy`); what is remembered (`Sessions`); and the `Door` that puts these together in front of a listener. All
of it works on bytes: time comes in as `now`, in seconds of a clock that never goes back, and lines for the log leave
through a callable.

References are to haproxy's "The PROXY protocol, versions 1 & 2" (2.1: version 1, 2.2: version 2) and to CoreDNS
1.14.7. The specification has no sessions over UDP; they are what Cloudflare Spectrum needs, and off unless asked for.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from struct import Struct
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from corepy.address import MAPPED, Address
from corepy.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# --- what can be wrong ------------------------------------------------------------------------


class Drop(StrEnum):
    """Why a datagram or a connection is not served: the name is for counters, the value for people."""

    SHORT = "the header is longer than the datagram"
    VERSION = "the version of the header is not 2"
    COMMAND = "the command is neither LOCAL nor PROXY"
    UNASSIGNED = "the address family or the transport is unassigned"
    UNSPEC = "the PROXY command comes without addresses"
    UNIX = "the client has a UNIX address"
    TRANSPORT = "the addresses of a stream stand in a datagram"
    LENGTH = "the header is too short for its addresses"
    TEXT = "the version 1 header is not well-formed"
    TEXT_OVER_UDP = "a version 1 header stands in a datagram"
    REJECTED = "no header is accepted from there"
    REQUIRED = "a header is required from there"


class ProxyError(Malformed):
    """A PROXY header that cannot be accepted; only silence answers it. `reason` says why."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason.value)
        self.reason: Final = reason


# --- headers ----------------------------------------------------------------------------------


class Header(NamedTuple):
    """What a header says; without addresses it stands for the proxy itself: LOCAL, or version 1's UNKNOWN."""

    source: Address | None = None
    """The client."""
    destination: Address | None = None
    """What the client believes to talk to."""


SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
"""The first octets of every version 2 header (2.2)."""

_V1: Final = b"PROXY"
_STARTS: Final = (SIGNATURE, _V1)
_V1_LONGEST: Final = 107
"""Octets of the longest version 1 header, its CRLF included (2.1)."""
_V1_ADDRESSES: Final = re.compile(
    rb"PROXY TCP(?:4 ([\d.]+) ([\d.]+)|6 ([\dA-Fa-f]*:[\dA-Fa-f:.]*) ([\dA-Fa-f]*:[\dA-Fa-f:.]*))"
    rb" (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n"
)
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\n]*)?\r\n")

_FIXED: Final = 16
"""Signature, version and command, family and transport, length: what every version 2 header has (2.2)."""
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_UNSPEC, _TCP4, _UDP4, _TCP6, _UDP6, _UNIX_STREAM, _UNIX_DATAGRAM = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
_IPV4_END: Final = _FIXED + 12
_IPV6_END: Final = _FIXED + 36
_PORTS: Final = Struct("!HH")

_OVER_UDP: Final = frozenset((_UDP4, _UDP6))
_OVER_TCP: Final = frozenset((_TCP4, _TCP6, _UDP4, _UDP6))
"""CoreDNS believes a header for UDP at the start of a connection: the addresses are as good."""

_OWN: Final = Header()


def parse_datagram(wire: bytes) -> tuple[Header, bytes] | None:
    """Take the header off a datagram: the header and the payload, which may be empty; None where there is no header.

    A header is what starts with the whole signature of version 2 or with the letters PROXY; less is the beginning
    of a query. Everything the length covers beyond the addresses (TLVs, 2.2.7) is skipped over. Raises `ProxyError`
    where a header cannot be accepted: the specification forbids to guess what was meant.
    """
    if not wire.startswith(_STARTS):
        return None
    if wire.startswith(_V1):
        raise ProxyError(Drop.TEXT_OVER_UDP)
    found = _read_v2(wire, _OVER_UDP)
    if found is None or found[1] > len(wire):
        raise ProxyError(Drop.SHORT)
    return found[0], wire[found[1] :]


class StreamHeader:
    """Reads the header at the start of a connection, from bytes that come in any pieces.

    Holds at most 106 octets, whatever length a header announces: beyond the addresses it only counts.
    """

    __slots__ = ("_header", "_held", "_skip")

    def __init__(self) -> None:
        self._held = b""
        self._header: Header | None = None
        self._skip = 0

    def feed(self, data: bytes) -> tuple[Header | None, bytes] | None:
        """Take the next bytes; None while more are needed.

        Then, once, the header and the bytes behind it; or no header and all bytes so far, where the connection does
        not start with one. Raises `ProxyError` where a header cannot be accepted: the connection is to be closed.
        """
        if self._header is None:
            data = self._held + data
            found = _read_stream(data)
            if found is None:
                self._held = data
                return None
            self._header, self._skip = found
        if self._skip > len(data):
            self._skip -= len(data)
            return None
        return self._header, data[self._skip :]


def _read_stream(data: bytes) -> tuple[Header | None, int] | None:
    """The header (or none) and its length, which may go beyond `data`; None where more bytes are needed to tell."""
    if data.startswith(SIGNATURE):
        return _read_v2(data, _OVER_TCP)
    if data.startswith(_V1):
        return _read_v1(data)
    if SIGNATURE.startswith(data) or _V1.startswith(data):
        return None
    return None, 0


def _read_v1(data: bytes) -> tuple[Header, int] | None:
    """The header of version 1 at the start of `data`, and its length; None while the line has no end.

    CoreDNS closes where the line comes in more than one piece. 2.1 recommends to be tolerant, and so we are.
    """
    end = data.find(b"\n", 0, _V1_LONGEST) + 1
    if not end:
        if len(data) >= _V1_LONGEST:
            raise ProxyError(Drop.TEXT)
        return None
    if _V1_UNKNOWN.fullmatch(data, 0, end):
        return _OWN, end
    line = _V1_ADDRESSES.fullmatch(data, 0, end)
    if line is None:
        raise ProxyError(Drop.TEXT)
    source, destination, source6, destination6, source_port, destination_port = line.groups()
    try:
        return Header(
            Address.of((source or source6).decode("ascii"), int(source_port)),
            Address.of((destination or destination6).decode("ascii"), int(destination_port)),
        ), end
    except ValueError:
        raise ProxyError(Drop.TEXT) from None


def _read_v2(wire: bytes, families: frozenset[int]) -> tuple[Header, int] | None:
    """The header of version 2 at the start of `wire`, and its length; None where its addresses are incomplete."""
    if len(wire) < _FIXED:
        return None
    end = _FIXED + (wire[14] << 8 | wire[15])
    if wire[12] != _PROXY:
        if wire[12] == _LOCAL:
            return _OWN, end  # whatever family and addresses it carries: they are to be ignored (2.2)
        raise ProxyError(Drop.COMMAND if wire[12] >> 4 == 2 else Drop.VERSION)
    family = wire[13]
    if family not in families:
        raise ProxyError(_why_not(family))
    if family < 0x20:
        if end < _IPV4_END:
            raise ProxyError(Drop.LENGTH)
        if len(wire) < _IPV4_END:
            return None
        source, destination = _PORTS.unpack_from(wire, 24)
        return Header(Address(wire[16:20], source), Address(wire[20:24], destination)), end
    if end < _IPV6_END:
        raise ProxyError(Drop.LENGTH)
    if len(wire) < _IPV6_END:
        return None
    source, destination = _PORTS.unpack_from(wire, 48)
    return Header(Address.of_ipv6(wire[16:32], source), Address.of_ipv6(wire[32:48], destination)), end


def _why_not(family: int) -> Drop:
    """What is wrong with a family and transport that is not accepted with the PROXY command."""
    if family == _UNSPEC:
        return Drop.UNSPEC
    if family in (_UNIX_STREAM, _UNIX_DATAGRAM):
        return Drop.UNIX
    return Drop.TRANSPORT if family in _OVER_TCP else Drop.UNASSIGNED


def encode_v1(source: Address | None = None, destination: Address | None = None) -> bytes:
    """A version 1 header, for TCP: both addresses, or neither for UNKNOWN.

    An IPv4 address beside an IPv6 one is written as IPv4-mapped. Raises ValueError for one address without the other.
    """
    pair = _alike(source, destination)
    if pair is None:
        return b"PROXY UNKNOWN\r\n"
    source, destination = pair
    line = f"PROXY TCP{source.family} {source.host} {destination.host} {source.port} {destination.port}\r\n"
    return line.encode("ascii")


def encode_v2(
    source: Address | None = None, destination: Address | None = None, *, stream: bool = False, tlvs: bytes = b""
) -> bytes:
    """A version 2 header: PROXY with both addresses, or LOCAL with neither; `stream` says TCP instead of UDP.

    `tlvs` are encoded TLVs (2.2.7). An IPv4 address beside an IPv6 one is written as IPv4-mapped. Raises ValueError
    for one address without the other, and where the length cannot say how many TLVs there are (65,535 octets, less
    the addresses).
    """
    pair = _alike(source, destination)
    command, family, block = _LOCAL, _UNSPEC, tlvs
    if pair is not None:
        source, destination = pair
        command = _PROXY
        family = (0x10 if source.family == 4 else 0x20) | (1 if stream else 2)
        block = source.packed + destination.packed + _PORTS.pack(source.port, destination.port) + tlvs
    if len(block) > 0xFFFF:
        raise ValueError(f"{len(tlvs)} octets of TLVs do not fit into a header")
    return SIGNATURE + bytes((command, family)) + len(block).to_bytes(2, "big") + block


def _alike(source: Address | None, destination: Address | None) -> tuple[Address, Address] | None:
    """Both addresses in one family and without scope, as a header has them; None where there are none."""
    if source is None and destination is None:
        return None
    if source is None or destination is None:
        raise ValueError("a header has both addresses or none")
    if source.family == destination.family:
        return Address(source.packed, source.port), Address(destination.packed, destination.port)
    return _widened(source), _widened(destination)


def _widened(address: Address) -> Address:
    return Address(address.packed if address.family == 6 else MAPPED + address.packed, address.port)


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
        networks = [_unmapped(network) for network in allow]
        self._allowed = _REQUIRE if require else _USE
        self._default = default or (_IGNORE if networks else _USE)
        if self._default is _USE:
            self._default = self._allowed
        self._constant: Action | None = None if networks else self._default
        self._prefixes = {4: _prefixes(networks, 4), 6: _prefixes(networks, 6)}
        self._known: dict[bytes, Action] = {}
        self.accepts_everyone: Final = self._default is self._allowed or any(
            network.prefixlen == 0 for network in networks
        )

    def for_peer(self, packed: bytes) -> Action:
        """The action for a peer with this IP address, 4 or 16 octets; IPv4-mapped IPv6 counts as IPv4."""
        return self._constant or self._known.get(packed) or self._decide(packed)

    def _decide(self, packed: bytes) -> Action:
        address = Address.of_ipv6(packed, 0)
        number = int.from_bytes(address.packed, "big")
        allowed = any(number >> shift in prefixes for shift, prefixes in self._prefixes[address.family])
        action = self._allowed if allowed else self._default
        if len(self._known) >= _DECISIONS:
            self._known.clear()  # no order to keep: a decision costs about as much as remembering what to forget
        self._known[packed] = action
        return action


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """A network of IPv4-mapped addresses as the IPv4 network that it means, as in Go."""
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.packed.startswith(MAPPED):
        return IPv4Network((network.network_address.packed[12:], network.prefixlen - 96))
    return network


def _prefixes(networks: list[IPv4Network | IPv6Network], family: int) -> list[tuple[int, frozenset[int]]]:
    """The networks of a family by how many bits an address has behind the prefix: a few look-ups for any number."""
    found: dict[int, set[int]] = {}
    for network in networks:
        if network.version == family:
            shift = network.max_prefixlen - network.prefixlen
            found.setdefault(shift, set()).add(int(network.network_address) >> shift)
    return [(shift, frozenset(prefixes)) for shift, prefixes in found.items()]


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
        if not self._may_tell(peer.packed, now):
            self._left_out += 1
            return
        more = f" ({self._left_out} more left out before)" if self._left_out else ""
        self._left_out = 0
        self._report(f"{what} from {peer}: {reason}{more}")

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


__all__ = [
    "SESSIONS",
    "SIGNATURE",
    "Action",
    "Door",
    "Drop",
    "Drops",
    "Header",
    "ProxyError",
    "ProxyPolicy",
    "Sessions",
    "StreamDoor",
    "StreamHeader",
    "encode_v1",
    "encode_v2",
    "parse_datagram",
]
