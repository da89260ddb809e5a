"""corepy.door: who is believed, what is remembered, and the door, on a clock of our own."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.address import Address
from corepy.door import Action, Door, Drops, ProxyPolicy, Sessions
from corepy.proxyproto import SIGNATURE, Drop, encode_v1, encode_v2

QUERY = bytes.fromhex("12340100000100000000000001610474657374 0000010001")
FRAME = len(QUERY).to_bytes(2, "big") + QUERY
CLIENT = Address.of("192.0.2.7", 4242)
CLIENT6 = Address.of("2001:db8::7", 4243)
SERVER = Address.of("192.0.2.53", 53)
SERVER6 = Address.of("2001:db8::53", 53)
PROXY = Address.of("127.0.0.1", 4000)
OTHER = Address.of("127.0.0.1", 4001)
HEADER = encode_v2(CLIENT, SERVER)
LOCAL = encode_v2()

ADDRESSES = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(), st.integers(0, 65535))
OVER_TCP = encode_v2(CLIENT, SERVER, stream=True)


# --- who is believed --------------------------------------------------------------------------

USE, IGNORE, REJECT, SKIP, REQUIRE = Action.USE, Action.IGNORE, Action.REJECT, Action.SKIP, Action.REQUIRE


@pytest.mark.parametrize(
    ("allow", "default", "require", "inside", "outside", "everyone"),
    [
        ("", None, False, USE, USE, True),
        ("", USE, False, USE, USE, True),
        ("", IGNORE, False, IGNORE, IGNORE, False),
        ("", REJECT, False, REJECT, REJECT, False),
        ("", SKIP, True, SKIP, SKIP, False),
        ("", None, True, REQUIRE, REQUIRE, True),
        ("127.0.0.0/8", None, False, USE, IGNORE, False),
        ("127.0.0.0/8", REJECT, False, USE, REJECT, False),
        ("127.0.0.0/8", USE, False, USE, USE, True),
        ("127.0.0.0/8", SKIP, True, REQUIRE, SKIP, False),
        ("127.0.0.0/8", USE, True, REQUIRE, REQUIRE, True),
        ("10.0.0.0/8 127.0.0.1/32 ::1/128", None, False, USE, IGNORE, False),
        ("::ffff:127.0.0.0/104", None, False, USE, IGNORE, False),
        ("::/0", None, False, IGNORE, IGNORE, True),
        ("0.0.0.0/0", None, False, USE, USE, True),
    ],
)
def test_policy(
    allow: str, default: Action | None, require: bool, inside: Action, outside: Action, everyone: bool
) -> None:
    policy = ProxyPolicy(map(ip_network, allow.split()), default, require=require)
    for _ in range(2):
        assert policy.for_peer(PROXY.packed) is inside
        assert policy.for_peer(bytes(10) + b"\xff\xff" + PROXY.packed) is inside
        assert policy.for_peer(CLIENT.packed) is outside
    assert policy.accepts_everyone is everyone


def test_policy_over_ipv6() -> None:
    policy = ProxyPolicy([ip_network("2001:db8::/32"), ip_network("192.0.2.0/24")])
    assert policy.for_peer(CLIENT6.packed) is USE
    assert policy.for_peer(CLIENT.packed) is USE
    assert policy.for_peer(Address.of("2001:db9::", 1).packed) is IGNORE
    assert policy.for_peer(Address.of("::", 1).packed) is IGNORE


def test_decisions_are_remembered_within_bounds() -> None:
    policy = ProxyPolicy([ip_network("10.0.0.0/8")])
    for number in range(5000):
        assert policy.for_peer(b"\x0b\0" + number.to_bytes(2, "big")) is IGNORE
        assert len(policy._known) <= 1024
    assert policy.for_peer(b"\x0a\0\0\1") is USE


@given(st.lists(st.ip_addresses(v=4), max_size=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_policy_is_membership(bases: list[object], bits: int, peer: object) -> None:
    networks = [ip_network(f"{base}/{bits}", strict=False) for base in bases]
    packed = Address.of(str(peer), 0).packed
    member = not networks or any(peer in network for network in networks)
    assert ProxyPolicy(networks).for_peer(packed) is (USE if member else IGNORE)


# --- sessions ---------------------------------------------------------------------------------


class Naive:
    """Sessions as one would write them down: a list in the order of use, searched and filtered."""

    def __init__(self, ttl: float, capacity: int) -> None:
        self.ttl, self.capacity = ttl, capacity
        self.entries: list[tuple[bytes, Address, float]] = []

    def get(self, peer: bytes, now: float) -> Address | None:
        for key, client, _ in self._alive(now):
            if key == peer:
                self.put(peer, client, now)
                return client
        return None

    def put(self, peer: bytes, client: Address, now: float) -> None:
        others = [entry for entry in self._alive(now) if entry[0] != peer]
        self.entries = [*others, (peer, client, now)][-self.capacity :]

    def _alive(self, now: float) -> list[tuple[bytes, Address, float]]:
        return [entry for entry in self.entries if now <= entry[2] + self.ttl]


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from([0, 0, 0, 0, 1, 2])), max_size=60)


@given(STEPS, st.integers(1, 6), st.integers(1, 4))
def test_sessions_are_like_the_naive_ones(steps: list[tuple[bool, int, int]], ttl: int, capacity: int) -> None:
    sessions, naive = Sessions(ttl, capacity), Naive(ttl, capacity)
    now = 0
    for number, (is_put, who, later) in enumerate(steps):
        now += later
        peer = bytes((who,))
        if is_put:
            client = Address(b"\xc0\0\2\1", number)
            sessions.put(peer, client, now)
            naive.put(peer, client, now)
        else:
            assert sessions.get(peer, now) == naive.get(peer, now)
        assert len(naive._alive(now)) <= len(sessions) <= capacity
        assert sessions.opened - sessions.evicted - sessions.expired == len(sessions)
    sessions.sweep(now)
    assert len(sessions) == len(naive._alive(now))


def test_a_session_lives_through_its_last_moment() -> None:
    sessions = Sessions(30)
    sessions.put(b"a", CLIENT, 100)
    assert sessions.get(b"a", 130) is CLIENT
    assert sessions.get(b"a", 160) is CLIENT, "the match at 130 renewed it"
    assert sessions.get(b"a", 190.5) is None
    assert (sessions.hits, sessions.expired, len(sessions)) == (2, 1, 0)


def test_the_least_recently_used_makes_room() -> None:
    sessions = Sessions(60, 2)
    sessions.put(b"a", CLIENT, 0)
    sessions.put(b"b", CLIENT6, 0)
    assert sessions.get(b"a", 0) is CLIENT
    sessions.put(b"c", CLIENT, 0)
    assert sessions.get(b"b", 0) is None
    sessions.put(b"a", CLIENT6, 0)
    sessions.put(b"d", CLIENT, 0)
    assert sessions.get(b"c", 0) is None
    assert sessions.get(b"a", 0) is CLIENT6


def test_the_dead_make_room_before_the_living() -> None:
    sessions = Sessions(10, 2)
    sessions.put(b"a", CLIENT, 0)
    sessions.put(b"b", CLIENT6, 8)
    sessions.put(b"c", CLIENT, 11)
    assert (sessions.expired, sessions.evicted) == (1, 0)
    sessions.put(b"d", CLIENT, 12)
    assert (sessions.expired, sessions.evicted) == (1, 1)
    assert sessions.get(b"b", 12) is None


def test_a_dead_session_that_is_opened_again() -> None:
    sessions = Sessions(10)
    sessions.put(b"a", CLIENT, 0)
    sessions.put(b"a", CLIENT6, 10)
    assert (sessions.opened, sessions.expired) == (1, 0)
    sessions.put(b"a", CLIENT, 21)
    assert (sessions.opened, sessions.expired, len(sessions)) == (2, 1, 1)


def test_lifetime_and_room_may_change() -> None:
    sessions = Sessions(10, 4)
    for who in b"abcd":
        sessions.put(bytes((who,)), CLIENT, 0)
    sessions.ttl, sessions.capacity = 20, 2
    sessions.put(b"e", CLIENT6, 15)
    assert len(sessions) == 2
    assert sessions.get(b"d", 15) is CLIENT


@pytest.mark.parametrize(("ttl", "capacity"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_sessions_need_time_and_room(ttl: float, capacity: int) -> None:
    with pytest.raises(ValueError, match="need"):
        Sessions(ttl, capacity)


def test_a_flood_of_peers_stays_within_the_room() -> None:
    sessions = Sessions(60, 100)
    for number in range(10_000):
        sessions.put(number.to_bytes(2, "big"), CLIENT, number / 1000)
    assert (len(sessions), sessions.evicted) == (100, 9900)
    assert sessions.get((9900).to_bytes(2, "big"), 10) is CLIENT
    assert sessions.get((9899).to_bytes(2, "big"), 10) is None


# --- drops ------------------------------------------------------------------------------------


def test_one_line_a_second_and_source() -> None:
    lines: list[str] = []
    drops = Drops(lines.append)
    for now in (0, 0.1, 0.9):
        drops.add("dropping datagram", PROXY, Drop.SHORT, now)
        drops.add("dropping datagram", OTHER, Drop.VERSION, now)
    drops.add("closing connection", CLIENT6, Drop.TEXT, 0.95)
    drops.add("dropping datagram", PROXY, Drop.SHORT, 1)
    assert lines == [
        "dropping datagram from 127.0.0.1:4000: the header is longer than the datagram",
        "closing connection from [2001:db8::7]:4243: the version 1 header is not well-formed (5 more left out before)",
        "dropping datagram from 127.0.0.1:4000: the header is longer than the datagram",
    ]
    assert +Counter(drops.counts) == {Drop.SHORT: 4, Drop.VERSION: 3, Drop.TEXT: 1}


def test_forged_sources_fill_neither_log_nor_memory() -> None:
    lines: list[str] = []
    drops = Drops(lines.append)
    for number in range(20_000):
        drops.add("dropping datagram", Address(number.to_bytes(4, "big"), 1), Drop.SHORT, number / 10_000)
    assert 2 <= len(lines) <= 192
    assert len(drops._told) <= 64
    assert drops.counts[Drop.SHORT] == 20_000
    told = sum(int(line.partition("(")[2].split()[0]) for line in lines if "(" in line)
    assert told + len(lines) + drops._left_out == 20_000


# --- the door, datagrams ----------------------------------------------------------------------


class Listener:
    """A door, the time and the log lines."""

    def __init__(self, policy: ProxyPolicy | None = None, sessions: Sessions | None = None) -> None:
        self.lines: list[str] = []
        self.door = Door(policy or ProxyPolicy(), sessions, self.lines.append)
        self.now = 1000.0

    def udp(self, wire: bytes, peer: Address = PROXY) -> tuple[bytes, Address | None] | None:
        return self.door.datagram(wire, peer.to_sockaddr(), self.now)

    def tcp(self, *pieces: bytes, peer: Address = PROXY) -> tuple[bytes, Address | None] | bool | None:
        stream = self.door.stream()
        for piece in pieces[:-1]:
            assert stream.feed(piece, peer, self.now) is None
        return stream.feed(pieces[-1], peer, self.now)

    def dropped(self) -> dict[Drop, int]:
        return {reason: count for reason, count in self.door.drops.counts.items() if count}


def test_without_sessions_each_datagram_is_on_its_own() -> None:
    listener = Listener()
    assert listener.udp(HEADER + QUERY) == (QUERY, CLIENT)
    assert listener.udp(QUERY) == (QUERY, None)
    assert listener.udp(HEADER) is None
    assert listener.udp(LOCAL + QUERY) == (QUERY, None)
    assert listener.udp(LOCAL) is None
    assert listener.udp(b"") == (b"", None)
    assert listener.lines == []


def test_a_session_from_its_header_to_its_end() -> None:
    listener = Listener(sessions=Sessions(30))
    assert listener.udp(QUERY) == (QUERY, None)
    assert listener.udp(HEADER) is None
    assert listener.udp(QUERY) == (QUERY, CLIENT)
    assert listener.udp(QUERY, OTHER) == (QUERY, None)
    listener.now += 25
    assert listener.udp(QUERY) == (QUERY, CLIENT)
    listener.now += 30
    assert listener.udp(QUERY) == (QUERY, CLIENT)
    listener.now += 31
    assert listener.udp(QUERY) == (QUERY, None)


def test_a_header_replaces_the_session_with_or_without_payload() -> None:
    listener = Listener(sessions=Sessions(30))
    assert listener.udp(HEADER + QUERY) == (QUERY, CLIENT)
    assert listener.udp(QUERY) == (QUERY, CLIENT)
    assert listener.udp(encode_v2(CLIENT6, SERVER6)) is None
    assert listener.udp(QUERY) == (QUERY, CLIENT6)
    assert listener.udp(HEADER + QUERY) == (QUERY, CLIENT)
    assert listener.udp(QUERY) == (QUERY, CLIENT)


@pytest.mark.parametrize("wire", [LOCAL, LOCAL + QUERY, OVER_TCP + QUERY, HEADER[:-1], b"PROXY "])
def test_local_and_malformed_headers_leave_a_session_alone(wire: bytes) -> None:
    listener = Listener(sessions=Sessions(30))
    listener.udp(wire)
    assert listener.udp(QUERY) == (QUERY, None)
    listener.udp(HEADER)
    listener.now += 20
    listener.udp(wire)
    assert listener.udp(QUERY) == (QUERY, CLIENT)
    listener.now += 20
    listener.udp(wire)
    listener.now += 11
    assert listener.udp(QUERY) == (QUERY, None), "they do not renew it either"


def test_sessions_over_ipv6_and_of_mapped_peers() -> None:
    listener = Listener(ProxyPolicy([ip_network("127.0.0.0/8"), ip_network("2001:db8::/32")]), Sessions(30))
    mapped = Address(bytes(10) + b"\xff\xff" + PROXY.packed, PROXY.port)
    for peer in (SERVER6, mapped):
        assert listener.udp(HEADER + QUERY, peer) == (QUERY, CLIENT)
        assert listener.udp(QUERY, peer) == (QUERY, CLIENT)
    assert listener.udp(b"PROXY", mapped) is None
    assert listener.lines == ["dropping datagram from 127.0.0.1:4000: a version 1 header stands in a datagram"]


@pytest.mark.parametrize(
    ("action", "header", "local", "malformed"),
    [
        (IGNORE, (QUERY, None), (QUERY, None), None),
        (REJECT, None, None, None),
        (SKIP, (HEADER + QUERY, None), (LOCAL + QUERY, None), (SIGNATURE + QUERY, None)),
    ],
)
def test_peers_that_are_not_believed(action: Action, header: object, local: object, malformed: object) -> None:
    listener = Listener(ProxyPolicy([ip_network("192.0.2.0/24")], action), Sessions(30))
    assert listener.udp(HEADER + QUERY) == header
    assert listener.udp(LOCAL + QUERY) == local
    assert listener.udp(SIGNATURE + QUERY) == malformed
    assert listener.udp(QUERY) == (QUERY, None)
    assert listener.udp(HEADER) == ((HEADER, None) if action is SKIP else None)
    assert listener.door.sessions is not None
    assert len(listener.door.sessions) == 0
    assert listener.udp(HEADER + QUERY, Address.of("192.0.2.1", 1)) == (QUERY, CLIENT)


def test_sessions_that_were_taken_over_count_for_the_believed_only() -> None:
    sessions = Sessions(30)
    sessions.put(PROXY.to_sockaddr(), CLIENT, 1000)
    assert Listener(ProxyPolicy(), sessions).udp(QUERY) == (QUERY, CLIENT)
    assert Listener(ProxyPolicy(default=IGNORE), sessions).udp(QUERY) == (QUERY, None)


def test_require_over_udp() -> None:
    listener = Listener(ProxyPolicy([ip_network("127.0.0.0/8")], require=True), Sessions(30))
    assert listener.udp(QUERY) is None
    assert listener.udp(LOCAL + QUERY) == (QUERY, None)
    assert listener.udp(QUERY) is None, "LOCAL opens no session"
    assert listener.udp(QUERY, CLIENT) == (QUERY, None), "others are asked for nothing"
    assert listener.udp(HEADER) is None
    assert listener.udp(QUERY) == (QUERY, CLIENT)
    listener.now += 31
    assert listener.udp(QUERY) is None
    assert listener.dropped() == {Drop.REQUIRED: 3}
    assert listener.lines == [
        "dropping datagram from 127.0.0.1:4000: a header is required from there",
        "dropping datagram from 127.0.0.1:4000: a header is required from there (1 more left out before)",
    ]


@given(
    st.lists(st.tuples(st.sampled_from([b"", HEADER, LOCAL, SIGNATURE, b"PROXY"]), st.binary(max_size=40)), max_size=9)
)
def test_any_datagrams_go_through_the_door(datagrams: list[tuple[bytes, bytes]]) -> None:
    listener = Listener(sessions=Sessions(30, 2))
    for start, more in datagrams:
        admitted = listener.udp(start + more)
        if admitted is not None:
            assert (start + more).endswith(admitted[0])
            assert admitted[1] in (CLIENT, None)


# --- the door, connections --------------------------------------------------------------------


@pytest.mark.parametrize("header", [encode_v1(CLIENT, SERVER), OVER_TCP])
def test_a_connection_behind_a_proxy(header: bytes) -> None:
    listener = Listener(sessions=Sessions(30))
    assert listener.tcp(header + FRAME) == (FRAME, CLIENT)
    assert listener.tcp(*(bytes((octet,)) for octet in header)) == (b"", CLIENT)
    assert listener.tcp(FRAME) == (FRAME, None)
    assert listener.tcp(
        LOCAL,
    ) == (b"", None)
    assert listener.udp(QUERY) == (QUERY, None), "connections have no sessions"


@pytest.mark.parametrize("header", [encode_v1(CLIENT, SERVER), OVER_TCP])
def test_connections_of_peers_that_are_not_believed(header: bytes) -> None:
    assert Listener(ProxyPolicy(default=IGNORE)).tcp(header + FRAME) == (FRAME, None)
    assert Listener(ProxyPolicy(default=SKIP)).tcp(header[:3]) == (header[:3], None)
    listener = Listener(ProxyPolicy(default=REJECT))
    assert listener.tcp(*(bytes((octet,)) for octet in header)) is False
    assert listener.tcp(FRAME) == (FRAME, None)
    assert listener.dropped() == {Drop.REJECTED: 1}
    assert listener.lines == ["closing connection from 127.0.0.1:4000: no header is accepted from there"]


def test_malformed_headers_close_whoever_is_asked() -> None:
    for default in (USE, IGNORE, REJECT):
        listener = Listener(ProxyPolicy(default=default))
        assert listener.tcp(SIGNATURE, b"\x31\x11\x00\x00") is False
        assert listener.dropped() == {Drop.VERSION: 1}


def test_require_over_tcp() -> None:
    listener = Listener(ProxyPolicy(require=True))
    assert listener.tcp(FRAME) is False
    assert listener.tcp(LOCAL + FRAME) == (FRAME, None)
    assert listener.tcp(
        b"PROXY UNKNOWN\r\n",
    ) == (b"", None)
    assert listener.tcp(HEADER + FRAME) == (FRAME, CLIENT)
    assert listener.dropped() == {Drop.REQUIRED: 1}


def test_datagrams_and_connections_share_the_second() -> None:
    listener = Listener(ProxyPolicy(default=REJECT))
    assert listener.udp(HEADER + QUERY) is None
    listener.now += 0.5
    assert listener.tcp(HEADER + FRAME) is False
    assert len(listener.lines) == 1


def test_peers_belong_together_where_they_have_sessions() -> None:
    assert Door(ProxyPolicy(), Sessions(10), print).remembers
    assert not Door(ProxyPolicy(), None, print).remembers
