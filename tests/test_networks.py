"""Sets of networks."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.networks import NetworkSet


def networks(*texts: str) -> NetworkSet:
    return NetworkSet([ip_network(text) for text in texts])


@pytest.mark.parametrize(
    ("texts", "inside", "outside"),
    [
        ([], [], ["192.0.2.1", "2001:db8::1"]),
        (["192.0.2.0/24"], ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"], ["192.0.3.0", "192.0.1.255", "::"]),
        (["192.0.2.1/32"], ["192.0.2.1"], ["192.0.2.0", "192.0.2.2"]),
        (["0.0.0.0/0"], ["0.0.0.0", "255.255.255.255", "::ffff:0.0.0.0"], ["::", "2001:db8::1"]),
        (["::/0"], ["::", "2001:db8::1"], ["0.0.0.0", "192.0.2.1"]),
        (["::ffff:192.0.2.0/120"], ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.3.1"]),
        (["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"], ["10.2.0.0", "10.1.0.0", "2001:db8:ffff::"], ["2001:db9::"]),
    ],
)
def test_membership(texts: list[str], inside: list[str], outside: list[str]) -> None:
    found = networks(*texts)
    for address in inside:
        assert ip_address(address).packed in found
    for address in outside:
        assert ip_address(address).packed not in found


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32))), st.integers(0, 2**32 - 1))
def test_says_what_ipaddress_says(made: list[tuple[int, int]], address: int) -> None:
    given_networks = [IPv4Network(one, strict=False) for one in made]
    expected = any(ip_address(address) in network for network in given_networks)
    assert (address.to_bytes(4, "big") in NetworkSet(given_networks)) is expected


def test_value() -> None:
    assert networks("10.0.0.0/8", "::/0") == networks("::/0", "10.0.0.0/8")
    assert networks("10.0.0.0/8") != networks("10.0.0.0/9")
    assert networks("10.0.0.0/8") != "10.0.0.0/8"
    assert len({networks("10.0.0.0/8"), networks("10.0.0.0/8")}) == 1
    assert not NetworkSet()
    assert networks("::/128")
    assert networks("::/0").everything
    assert not networks("::/1").everything
