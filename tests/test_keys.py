"""Keys of server blocks: schemes, zones, networks and ports."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepy import wire
from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.keys import SCHEMES, Key, parse_keys, parse_network, parse_zones, reverse_zones
from corepy.words import Word


def keys(*words: str, default_port: int = 53) -> list[str]:
    return [str(key) for key in parse_keys([Word(word) for word in words], default_port)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (".", "dns://.:53"),
        ("example.org", "dns://example.org.:53"),
        ("Example.ORG.:1053", "dns://example.org.:1053"),
        ("dns://example.org", "dns://example.org.:53"),
        ("tls://.", "tls://.:853"),
        ("quic://.", "quic://.:853"),
        ("grpc://.", "grpc://.:443"),
        ("https://.:8443", "https://.:8443"),
        ("https3://.", "https3://.:443"),
        (".:0", "dns://.:0"),
        (".:+053", "dns://.:53"),
        ("_odd.example.org", "dns://_odd.example.org.:53"),
        (r"a\.b.test", r"dns://a\.b.test.:53"),
        ("0/25.2.0.192.in-addr.arpa", "dns://0/25.2.0.192.in-addr.arpa.:53"),
        ("*.test", "dns://*.test.:53"),
    ],
)
def test_one_key(word: str, expected: str) -> None:
    assert keys(word) == [expected]


def test_the_default_port_is_for_plain_dns() -> None:
    assert keys(".", "dns://a.test", ".:54", "tls://.", default_port=1053) == [
        "dns://.:1053",
        "dns://a.test.:1053",
        "dns://.:54",
        "tls://.:853",
    ]


@pytest.mark.parametrize(
    ("word", "zones"),
    [
        ("192.0.2.0/24", ["2.0.192.in-addr.arpa."]),
        ("10.1.2.3/16", ["1.10.in-addr.arpa."]),
        ("192.0.2.77/32", ["77.2.0.192.in-addr.arpa."]),
        ("198.51.100.0/22", [f"{octet}.51.198.in-addr.arpa." for octet in (100, 101, 102, 103)]),
        ("203.0.113.130/25", [f"{octet}.113.0.203.in-addr.arpa." for octet in range(128, 256)]),
        ("0.0.0.0/0", ["in-addr.arpa."]),
        ("10.0.0.0/08", ["10.in-addr.arpa."]),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa."]),
        ("2001:DB8:8000::/33", [f"{nibble}.8.b.d.0.1.0.0.2.ip6.arpa." for nibble in "89abcdef"]),
        ("2000::/3", ["2.ip6.arpa.", "3.ip6.arpa."]),
    ],
)
def test_a_network_is_its_reverse_zones(word: str, zones: list[str]) -> None:
    assert keys(f"{word}:1053") == [f"dns://{zone}:1053" for zone in zones]
    assert [wire.decode_name(zone) for zone in parse_zones([Word(word)])] == zones


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "invalid zone ''"),
        (":53", "invalid zone ':53'"),
        ("dns://", "invalid zone 'dns://'"),
        ("www..example.org", "'www..example.org' has an empty label"),
        (".www", "empty label"),
        ("a" * 64 + ".test", "label of more than 63 octets"),
        ("a123456." * 32, "more than 255 octets"),
        (".:x", "invalid port 'x' in '.:x', expected a number from 0 to 65535"),
        ("example.org:", "invalid port ''"),
        (".:99999", "invalid port '99999'"),
        (".:-1", "invalid port '-1'"),
        (".:" + "9" * 5000, "invalid port"),
        ("2001:db8::1:99999", "invalid port '99999'"),
        ("2001:db8::1", "invalid zone '2001:db8::1'"),
        ("http://.", "unknown scheme 'http'"),
        ("TLS://.", "unknown scheme 'TLS'"),
        ("::/0", "invalid zone"),
        ("::ffff:10.0.0.0/104", "invalid zone"),
        ("10.0.0.0/33", "'10.0.0.0/33' is no network"),
        ("10.0.0.0/255.0.0.0", "is no network"),
    ],
)
def test_what_is_no_key(word: str, message: str) -> None:
    at = Position("Corefile", 3, 7)
    with pytest.raises(ConfigErrors) as caught:
        parse_keys([Word(word, at)])
    assert str(caught.value).startswith("Corefile:3:7: ")
    assert message in str(caught.value)


def test_all_mistakes_are_found_at_once() -> None:
    with pytest.raises(ConfigErrors) as caught:
        keys(".:x", "example.org", "a..b")
    assert [error.what.split()[1] for error in caught.value.errors] == ["port", "zone:"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("http://.", 'did you mean "https"?'), ("2001:db8::1:99999", "an IPv6 network needs its length: 2001:db8::/32")],
)
def test_hints(word: str, hint: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        keys(word)
    assert caught.value.errors[0].hint == hint


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigErrors, match=r"\(the environment variable PORT is not set\)"):
        parse_keys([Word(".:", unset=("PORT",))])


def test_arguments_of_a_plugin_may_have_what_keys_have() -> None:
    assert parse_zones([Word("dns://Example.org:53"), Word(".")]) == (b"\7example\3org\0", b"\0")
    with pytest.raises(ConfigError, match="invalid zone"):
        parse_zones([Word("a..b")])


def test_equal_keys_are_equal_wherever_they_stand() -> None:
    here, there = (Word("example.org", Position("Corefile", line, 1)) for line in (1, 2))
    assert parse_keys([here]) == parse_keys([there])
    assert len({*parse_keys([here]), *parse_keys([there])}) == 1


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3/90", "::ffc0:0:0/90"),
        ("::/0", "::/0"),
    ],
)
def test_networks(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "010.0.0.0/8", "fe80::%eth0/64", "a/8", "10.0.0.0/8/8"],
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="is no network"):
        parse_network(text)


@given(st.ip_addresses(), st.integers(0, 128))
def test_every_address_of_a_network_is_in_one_of_its_zones(address: object, length: int) -> None:
    text = str(address)
    network = parse_network(f"{text}/{length if ':' in text else length % 33}")
    names = [wire.encode_name(network[place].reverse_pointer) for place in (0, -1)]
    zones = reverse_zones(network)
    assert len(zones) == len(set(zones)) <= 128
    assert all(sum(wire.is_subdomain(name, zone) for zone in zones) == 1 for name in names)


PARTS = ["example", ".", ":", "/", "53", "10.0.0.0", "2001:db8::", "/24", "/33", "dns://", "tls://", "\\", "\\046", "-"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PARTS)).map("".join)))
@example("\ud800")
@example(r"\048.0.0.0/8")
def test_any_word_is_a_key_or_an_error(text: str) -> None:
    try:
        found = parse_keys([Word(text)])
    except ConfigError:
        return
    assert found
    for key in found:
        assert key.scheme in SCHEMES
        assert 0 <= key.port <= 65535
        assert parse_keys([Word(str(key))]) == [key]


def test_a_key_needs_no_place() -> None:
    assert str(Key("dns", b"\0", 53)) == "dns://.:53"
