"""corepy.proxyproto: headers, who is believed, what is remembered, and the door, on a clock of our own."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.address import Address
from corepy.proxyproto import (
    SIGNATURE,
    Action,
    Door,
    Drop,
    Drops,
    Header,
    ProxyError,
    ProxyPolicy,
    Sessions,
    StreamHeader,
    encode_v1,
    encode_v2,
    parse_datagram,
)

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
BLOCK4 = bytes.fromhex("c0000207 c0000235 1092 0035")
BLOCK6 = bytes.fromhex("20010db8000000000000000000000007 20010db8000000000000000000000053 1092 0035")


def v2(command: int, family: int, block: bytes, length: int | None = None) -> bytes:
    """A version 2 header of any kind, its length true unless given."""
    size = len(block) if length is None else length
    return SIGNATURE + bytes((command, family)) + size.to_bytes(2, "big") + block


# --- headers in datagrams ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (HEADER, CLIENT),
        (encode_v2(CLIENT6, SERVER6), CLIENT6),
        (encode_v2(CLIENT, SERVER6), CLIENT),
        (encode_v2(Address.of("192.0.2.7", 0), SERVER), Address.of("192.0.2.7", 0)),
        (encode_v2(Address.of("192.0.2.7", 65535), SERVER), Address.of("192.0.2.7", 65535)),
        (encode_v2(CLIENT, SERVER, tlvs=b"\x03\x00\x04\0\0\0\0\xe0\x00\x02\xc0\xff"), CLIENT),
        (encode_v2(CLIENT, SERVER, tlvs=bytes(3000)), CLIENT),
        (encode_v2(CLIENT, SERVER, tlvs=b"\xff\xff\xff no TLV at all"), CLIENT),
        (LOCAL, None),
        (v2(0x20, 0x12, BLOCK4), None),
        (v2(0x20, 0x12, b""), None),
        (v2(0x20, 0x11, BLOCK4), None),
        (v2(0x20, 0x22, b"short"), None),
        (v2(0x20, 0xFF, bytes(300)), None),
    ],
)
@pytest.mark.parametrize("payload", [QUERY, b"", HEADER])
def test_header_and_payload(header: bytes, source: Address | None, payload: bytes) -> None:
    found = parse_datagram(header + payload)
    assert found is not None
    assert (found[0].source, found[1]) == (source, payload)


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.53 4242 53\r\n" + QUERY, Drop.TEXT_OVER_UDP),
        (b"PROXY", Drop.TEXT_OVER_UDP),
        (SIGNATURE, Drop.SHORT),
        (SIGNATURE + b"\x21", Drop.SHORT),
        (HEADER[:-1], Drop.SHORT),
        (v2(0x21, 0x12, BLOCK4, 4000) + QUERY, Drop.SHORT),
        (v2(0x20, 0x00, b"", 1), Drop.SHORT),
        (v2(0x21, 0x12, BLOCK4, 4) + QUERY, Drop.LENGTH),
        (v2(0x21, 0x22, BLOCK4) + QUERY, Drop.LENGTH),
        (v2(0x31, 0x12, BLOCK4), Drop.VERSION),
        (v2(0x11, 0x12, BLOCK4), Drop.VERSION),
        (v2(0x22, 0x12, BLOCK4), Drop.COMMAND),
        (v2(0x21, 0x00, b""), Drop.UNSPEC),
        (v2(0x21, 0x00, BLOCK4) + QUERY, Drop.UNSPEC),
        (v2(0x21, 0x11, BLOCK4) + QUERY, Drop.TRANSPORT),
        (v2(0x21, 0x21, BLOCK6) + QUERY, Drop.TRANSPORT),
        (v2(0x21, 0x32, bytes(216)), Drop.UNIX),
        (v2(0x21, 0x10, BLOCK4), Drop.UNASSIGNED),
        (v2(0x21, 0x13, BLOCK4), Drop.UNASSIGNED),
        (v2(0x21, 0x42, BLOCK4), Drop.UNASSIGNED),
    ],
)
def test_headers_that_lose_the_datagram(wire: bytes, reason: Drop) -> None:
    with pytest.raises(ProxyError) as caught:
        parse_datagram(wire)
    assert caught.value.reason is reason
    assert caught.value.rcode is None


@pytest.mark.parametrize(
    "wire",
    [b"", b"\r", SIGNATURE[:11], b"PROX", b"proxy TCP4", QUERY, b"\r\n" + QUERY[2:], b"PR" + QUERY[2:], b" " + HEADER],
)
def test_no_header(wire: bytes) -> None:
    assert parse_datagram(wire) is None


@given(st.one_of(st.binary(), st.binary().map(SIGNATURE.__add__), st.binary(max_size=60).map(b"PROXY".__add__)))
def test_any_datagram_is_read_or_refused(wire: bytes) -> None:
    try:
        found = parse_datagram(wire)
    except ProxyError:
        assert wire.startswith((SIGNATURE, b"PROXY"))
        return
    if found is not None:
        assert wire.startswith(SIGNATURE)
        assert wire.endswith(found[1])


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 300), st.integers(0, 300))
def test_any_fixed_part_is_read_or_refused(command: int, family: int, length: int, there: int) -> None:
    try:
        found = parse_datagram(v2(command, family, bytes(there), length))
    except ProxyError:
        return
    assert found is not None
    assert command in (0x20, 0x21)
    assert len(found[1]) == there - length
    assert (found[0].source is None) is (command == 0x20)


@given(ADDRESSES, ADDRESSES, st.binary(max_size=300), st.binary(max_size=50))
def test_version_2_comes_back(source: Address, destination: Address, tlvs: bytes, payload: bytes) -> None:
    wire = encode_v2(source, destination, tlvs=tlvs)
    assert parse_datagram(wire + payload) == (Header(source, destination), payload)


def test_what_cannot_be_encoded() -> None:
    for one in ((CLIENT, None), (None, SERVER)):
        with pytest.raises(ValueError, match="both"):
            encode_v1(*one)
        with pytest.raises(ValueError, match="both"):
            encode_v2(*one)
    assert len(encode_v2(CLIENT, SERVER, tlvs=bytes(65523))) == 16 + 65535
    with pytest.raises(ValueError, match="TLV"):
        encode_v2(CLIENT, SERVER, tlvs=bytes(65524))


def test_a_scope_stays_at_home() -> None:
    assert encode_v1(Address.of("fe80::1%2", 1), SERVER6) == b"PROXY TCP6 fe80::1 2001:db8::53 1 53\r\n"
    assert encode_v1(CLIENT, SERVER6) == b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::53 4242 53\r\n"


# --- headers in streams -----------------------------------------------------------------------


def read(*pieces: bytes) -> tuple[Header | None, bytes] | None:
    """What the last piece brings; all pieces before it must leave the question open."""
    header = StreamHeader()
    for piece in pieces[:-1]:
        assert header.feed(piece) is None
    return header.feed(pieces[-1])


def octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


STREAMS = [
    (encode_v1(CLIENT, SERVER), CLIENT),
    (encode_v1(CLIENT6, SERVER6), CLIENT6),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4242 53\r\n", CLIENT),
    (b"PROXY TCP6 " + b"2001:0db8:0000:0000:0000:0000:0000:0007 " * 2 + b"4243 65535\r\n", CLIENT6),
    (b"PROXY TCP4 192.0.2.7 192.0.2.53 4242 0\r\n", CLIENT),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN \r\n", None),
    (b"PROXY UNKNOWN \xff\0 whatever\r\r\n", None),
    (b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n", None),
    (encode_v2(CLIENT, SERVER, stream=True), CLIENT),
    (encode_v2(CLIENT6, SERVER6, stream=True, tlvs=bytes(500)), CLIENT6),
    (encode_v2(CLIENT, SERVER), CLIENT),
    (LOCAL, None),
    (v2(0x20, 0x11, BLOCK4), None),
    (v2(0x20, 0x11, b""), None),
    (v2(0x20, 0x31, b"short"), None),
]


@pytest.mark.parametrize(("header", "source"), STREAMS)
@pytest.mark.parametrize("rest", [b"", FRAME, HEADER])
def test_header_at_the_start_of_a_stream(header: bytes, source: Address | None, rest: bytes) -> None:
    found = read(header + rest)
    assert found is not None
    assert found[0] is not None
    assert (found[0].source, found[1]) == (source, rest)


@pytest.mark.parametrize(("header", "source"), STREAMS)
def test_header_in_single_octets(header: bytes, source: Address | None) -> None:
    found = read(*octets(header))
    assert found is not None
    assert found[0] is not None
    assert (found[0].source, found[1]) == (source, b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.53 4242 53\n", Drop.TEXT),
        (b"PROXY TCP4 192.0.2.7 192.0.2.53 4242 53 \r\n", Drop.TEXT),
        (b"PROXY TCP4  192.0.2.7 192.0.2.53 4242 53\r\n", Drop.TEXT),
        (b"PROXY TCP4 192.0.2.07 192.0.2.53 4242 53\r\n", Drop.TEXT),
        (b"PROXY TCP4 192.0.2.7 192.0.2 4242 53\r\n", Drop.TEXT),
        (b"PROXY TCP4 192.0.2.7 192.0.2.53 04242 53\r\n", Drop.TEXT),
        (b"PROXY TCP4 192.0.2.7 192.0.2.53 4242 65536\r\n", Drop.TEXT),
        (b"PROXY TCP4 192.0.2.7 192.0.2.53 -1 53\r\n", Drop.TEXT),
        (b"PROXY TCP4 ::1 ::2 4242 53\r\n", Drop.TEXT),
        (b"PROXY TCP6 192.0.2.7 192.0.2.53 4242 53\r\n", Drop.TEXT),
        (b"PROXY TCP6 fe80::1%1 ::2 4242 53\r\n", Drop.TEXT),
        (b"PROXY UDP4 192.0.2.7 192.0.2.53 4242 53\r\n", Drop.TEXT),
        (b"PROXY tcp4 192.0.2.7 192.0.2.53 4242 53\r\n", Drop.TEXT),
        (b"PROXYX TCP4 192.0.2.7 192.0.2.53 4242 53\r\n", Drop.TEXT),
        (b"PROXY UNKNOWNX\r\n", Drop.TEXT),
        (b"PROXY \r\n", Drop.TEXT),
        (b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n", Drop.TEXT),
        (v2(0x21, 0x31, bytes(216)), Drop.UNIX),
        (v2(0x21, 0x00, b""), Drop.UNSPEC),
        (v2(0x21, 0x13, BLOCK4), Drop.UNASSIGNED),
        (v2(0x21, 0x11, BLOCK4, 11), Drop.LENGTH),
        (v2(0x21, 0x21, BLOCK4), Drop.LENGTH),
        (v2(0x22, 0x11, BLOCK4), Drop.COMMAND),
        (v2(0x31, 0x11, BLOCK4), Drop.VERSION),
    ],
)
def test_headers_that_close_the_connection(data: bytes, reason: Drop) -> None:
    with pytest.raises(ProxyError) as caught:
        read(data + FRAME)
    assert caught.value.reason is reason
    with pytest.raises(ProxyError) as caught:
        read(*octets(data + FRAME))
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "data",
    [FRAME, b"\r\n\r\n" + QUERY[2:], b"PROX" + QUERY[2:], b"\x16\x03\x01\x02\0", b"P\0", SIGNATURE[:11] + b"\x0b"],
)
def test_connections_without_header(data: bytes) -> None:
    assert read(data) == (None, data)


def test_no_header_is_told_by_the_first_octet_that_differs() -> None:
    assert read(b"", b"P", b"ROX", b"!") == (None, b"PROX!")


def test_a_long_header_is_not_held() -> None:
    stream = StreamHeader()
    wire = encode_v2(CLIENT, SERVER, stream=True, tlvs=bytes(65000))
    for at in range(0, len(wire), 100):
        assert stream.feed((wire + FRAME)[at : at + 100]) is None or at > len(wire) - 100
        assert len(stream._held) < 107
    assert read(wire + FRAME) == (Header(CLIENT, SERVER), FRAME)


@given(st.sampled_from([header for header, _ in STREAMS] + [FRAME, SIGNATURE, b"PROXY "]), st.binary(), st.data())
def test_pieces_make_no_difference(start: bytes, more: bytes, data: st.DataObject) -> None:
    whole = start + more

    def told(pieces: list[bytes]) -> object:
        stream = StreamHeader()
        for index, piece in enumerate(pieces):
            try:
                found = stream.feed(piece)
            except ProxyError as error:
                return error.reason
            if found is not None:
                return found[0], found[1] + b"".join(pieces[index + 1 :])
        return None

    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))))
    pieces = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert told(pieces) == told([whole])


@given(ADDRESSES, ADDRESSES, st.binary(max_size=20))
def test_version_1_comes_back(source: Address, destination: Address, rest: bytes) -> None:
    wire = encode_v1(source, destination)
    assert len(wire) <= 107
    assert read(wire + rest) == (Header(source, destination), rest)


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


@pytest.mark.parametrize("wire", [LOCAL, LOCAL + QUERY, v2(0x21, 0x11, BLOCK4) + QUERY, HEADER[:-1], b"PROXY "])
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


@pytest.mark.parametrize("header", [encode_v1(CLIENT, SERVER), encode_v2(CLIENT, SERVER, stream=True)])
def test_a_connection_behind_a_proxy(header: bytes) -> None:
    listener = Listener(sessions=Sessions(30))
    assert listener.tcp(header + FRAME) == (FRAME, CLIENT)
    assert listener.tcp(*octets(header)) == (b"", CLIENT)
    assert listener.tcp(FRAME) == (FRAME, None)
    assert listener.tcp(
        LOCAL,
    ) == (b"", None)
    assert listener.udp(QUERY) == (QUERY, None), "connections have no sessions"


@pytest.mark.parametrize("header", [encode_v1(CLIENT, SERVER), encode_v2(CLIENT, SERVER, stream=True)])
def test_connections_of_peers_that_are_not_believed(header: bytes) -> None:
    assert Listener(ProxyPolicy(default=IGNORE)).tcp(header + FRAME) == (FRAME, None)
    assert Listener(ProxyPolicy(default=SKIP)).tcp(header[:3]) == (header[:3], None)
    listener = Listener(ProxyPolicy(default=REJECT))
    assert listener.tcp(*octets(header)) is False
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
