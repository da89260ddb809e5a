"""DNS messages in gRPC's framing, and what is none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepy import grpcmessage
from corepy.grpcmessage import MAX_BODY, pack, unpack


def framed(packet: bytes, compressed: int = 0) -> bytes:
    return struct.pack("!BI", compressed, len(packet)) + packet


def test_a_packet_octet_by_octet() -> None:
    assert pack(b"abc") == b"\0\0\0\0\5" + b"\x0a\3abc"
    assert pack(bytes(300))[:8] == b"\0\0\0\1\x2f" + b"\x0a\xac\2"
    assert unpack(b"\0\0\0\0\5\x0a\3abc") == b"abc"


@given(st.binary(max_size=70_000) | st.integers(0, 65535).map(bytes))
@example(b"")
@example(bytes(127))
@example(bytes(128))
@example(bytes(16384))
def test_there_and_back(wire: bytes) -> None:
    wire = wire[:65535]
    body = pack(wire)
    assert unpack(body) == wire
    assert len(body) <= MAX_BODY


def test_the_largest_message_just_fits() -> None:
    assert len(pack(bytes(65535))) == MAX_BODY


@pytest.mark.parametrize(
    ("packet", "wire"),
    [
        (b"", b""),
        (b"\x0a\0", b""),
        (b"\x0a\1a\x0a\1b", b"b"),  # the last one counts
        (b"\x10\x96\1\x0a\1a", b"a"),  # field 2, a number
        (b"\x0a\1a\x1a\2xx", b"a"),  # field 3, octets
        (b"\x21" + bytes(8) + b"\x0a\1a", b"a"),
        (b"\x25" + bytes(4) + b"\x0a\1a", b"a"),
        (b"\x08\1\x0a\1a", b"a"),  # field 1 of another type is another field
        (b"\x8a\0\1a", b"a"),  # no number has to be written as short as can be
        (b"\x0a\x81\0a", b"a"),
    ],
)
def test_packets(packet: bytes, wire: bytes) -> None:
    assert unpack(framed(packet)) == wire


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no message"),
        (b"\0\0\0\0", "cut short"),
        (b"\0\0\0\0\1", "a message of 1 octets in 0"),
        (b"\0\xff\xff\xff\xff", "a message of 4294967295 octets in 0"),
        (pack(b"abc") + pack(b"abc"), "a message of 5 octets in 15"),
        (framed(b"\x0a\1a", compressed=1), "compressed"),
        (framed(b"\x0a"), "a number without end"),
        (framed(b"\x0a\2a"), "a field of 2 octets where 1 are left"),
        (framed(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1a"), "a field of 18446744073709551615 octets"),
        (framed(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\2a"), "a number without end"),
        (framed(b"\x80" * 11), "a number without end"),
        (framed(b"\x0b"), "wire type 3"),
        (framed(b"\x0f"), "wire type 7"),
        (framed(b"\2\0"), "without number"),
        (framed(b"\x21" + bytes(7)), "a field cut short"),
        (framed(b"\x0a\x80\x80\4" + bytes(65536)), "a DNS message of 65536 octets"),
    ],
)
def test_what_is_no_packet(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unpack(body)


@given(st.binary(max_size=64).map(framed) | st.binary(max_size=64))
def test_any_bytes(body: bytes) -> None:
    try:
        wire = unpack(body)
    except ValueError:
        return
    assert wire in body


@given(st.binary(min_size=1, max_size=300), st.data())
def test_nothing_less_than_a_packet_is_one(wire: bytes, data: st.DataObject) -> None:
    body = pack(wire)
    with pytest.raises(ValueError, match=r"octets|cut short|no message"):
        unpack(body[: data.draw(st.integers(0, len(body) - 1))])


@pytest.mark.parametrize(
    ("content_type", "is_it"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"text/html", False),
        (b"", False),
    ],
)
def test_content_types(content_type: bytes, is_it: bool) -> None:
    assert grpcmessage.is_grpc(content_type) is is_it


def test_status_names() -> None:
    assert grpcmessage.STATUS[grpcmessage.NOT_FOUND] == "NOT_FOUND"
    assert len(grpcmessage.STATUS) == 17
