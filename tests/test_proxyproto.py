"""corepy.proxyproto: headers in datagrams and streams, in pieces, malformed, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.address import Address
from corepy.proxyproto import (
    SIGNATURE,
    Drop,
    Header,
    ProxyError,
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
