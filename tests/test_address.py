"""corepy.address: text, octets, socket addresses and back."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.address import Address

PORTS = st.integers(0, 65535)
ADDRESSES = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(), PORTS)


@pytest.mark.parametrize(
    ("host", "port", "text", "family"),
    [
        ("192.0.2.1", 53, "192.0.2.1:53", 4),
        ("2001:DB8:0:0:0:0:0:1", 53, "[2001:db8::1]:53", 6),
        ("::", 0, "[::]:0", 6),
        ("::1", 65535, "[::1]:65535", 6),
        ("::ffff:192.0.2.1", 1, "192.0.2.1:1", 4),
        ("::ffff:c000:201", 1, "192.0.2.1:1", 4),
        ("fe80::1%7", 53, "[fe80::1%7]:53", 6),
        ("::192.0.2.1", 53, "[::c000:201]:53", 6),
    ],
)
def test_text(host: str, port: int, text: str, family: int) -> None:
    address = Address.of(host, port)
    assert (str(address), address.family) == (text, family)
    assert Address.of(address.host, port) == address


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("", 53), ("192.0.2", 53), ("192.0.2.256", 53), ("192.0.2.01", 53), ("192.0.2.1%1", 53), ("192.0.2.1 ", 53),
        ("1.2.3.4\0", 53), ("localhost", 53), ("2001:db8::1::", 53), ("fe80::1%", 53), ("fe80::1%no-such", 53),
        ("fe80::1%4294967296", 53), ("fe80::1%\u0664", 53), ("\udc80", 53), ("192.0.2.1", -1), ("192.0.2.1", 65536),
    ],
)  # fmt: skip
def test_what_is_no_address(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"is not|escape|embedded|surrogates"):
        Address.of(host, port)


def test_scope_by_name() -> None:
    number, name = socket.if_nameindex()[0]
    assert Address.of(f"fe80::1%{name}", 53) == Address.of(f"fe80::1%{number}", 53)


def test_equal_by_value() -> None:
    one, two = Address.of("fe80::1%2", 53), Address(IPv6Address("fe80::1").packed, 53, 2)
    assert one == two
    assert hash(one) == hash(two)
    others = [Address.of("fe80::1%3", 53), Address.of("fe80::1%2", 54), Address.of("fe80::2%2", 53)]
    assert one not in others
    assert one != "[fe80::1%2]:53"


def test_ip_is_made_once() -> None:
    address = Address.of("192.0.2.1", 53)
    assert address.ip == IPv4Address("192.0.2.1")
    assert address.ip is address.ip
    assert Address.of("fe80::1%2", 53).ip == IPv6Address("fe80::1")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (socket.AF_INET.to_bytes(2, "little") + bytes.fromhex("0035 c0000201") + bytes(8), "192.0.2.1:53"),
        (
            socket.AF_INET6.to_bytes(2, "little")
            + bytes.fromhex("1092 00000000 20010db8000000000000000000000001 00000000"),
            "[2001:db8::1]:4242",
        ),
        (
            socket.AF_INET6.to_bytes(2, "little")
            + bytes.fromhex("1092 00000000 fe800000000000000000000000000001 02000000"),
            "[fe80::1%2]:4242",
        ),
        (
            socket.AF_INET6.to_bytes(2, "little")
            + bytes.fromhex("1092 00000000 00000000000000000000ffffc0000201 00000000"),
            "192.0.2.1:4242",
        ),
    ],
)
@pytest.mark.skipif("sys.byteorder == 'big'", reason="the examples are those of a little-endian machine")
def test_raw_socket_addresses(raw: bytes, text: str) -> None:
    assert str(Address.from_sockaddr(raw)) == text


@given(st.binary(max_size=40))
def test_any_bytes_are_a_socket_address_or_not(raw: bytes) -> None:
    try:
        Address.from_sockaddr(raw)
    except ValueError:
        return
    assert len(raw) in (16, 28)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_short_and_unknown_socket_addresses(family: int) -> None:
    for size in (2, 15, 16, 17, 27, 28, 29):
        if size != (16 if family == socket.AF_INET else 28):
            with pytest.raises(ValueError, match="not the socket address"):
                Address.from_sockaddr(int(family).to_bytes(2, "little").ljust(size, b"\0"))


@given(ADDRESSES)
def test_every_form_comes_back(address: Address) -> None:
    assert Address.from_sockaddr(address.to_sockaddr()) == address
    assert Address.from_tuple(address.to_tuple()) == address
    assert Address.of(address.host, address.port) == address
    assert eval(repr(address)) == address  # noqa: S307 - our own text


@given(st.ip_addresses(), PORTS)
def test_text_is_that_of_the_standard_library(ip: IPv4Address | IPv6Address, port: int) -> None:
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    assert Address.of(str(ip), port).host == str(mapped or ip)
    assert ip_address(Address.of(str(ip), port).packed) == (mapped or ip)


@pytest.mark.parametrize(
    "name",
    [("192.0.2.1", 53), ("2001:db8::1", 53, 0, 0), ("fe80::1", 53, 0, 3)],
)
def test_tuples_of_the_socket_module(name: tuple[str, int] | tuple[str, int, int, int]) -> None:
    assert Address.from_tuple(name).to_tuple() == name


def test_tuples_with_the_scope_in_the_text() -> None:
    assert Address.from_tuple(("fe80::1%3", 53, 0, 3)) == Address.of("fe80::1%3", 53)
    assert Address.from_tuple(("::ffff:192.0.2.1", 53, 0, 0)) == Address.of("192.0.2.1", 53)


def test_the_kernel_agrees() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(Address.of("127.0.0.1", 0).to_tuple())
        assert Address.from_tuple(here.getsockname()).host == "127.0.0.1"


def test_addresses_as_people_type_them() -> None:
    assert Address.read("192.0.2.1", 53) == Address.of("192.0.2.1", 53)
    assert Address.read("2001:db8::1#5353", 53) == Address.of("2001:db8::1", 5353)
    for text in ("", "#53", "192.0.2.1#", "192.0.2.1#x", "192.0.2.1#65536", "192.0.2.1#٣", "host"):
        with pytest.raises(ValueError, match=r"is not a"):
            Address.read(text, 53)
