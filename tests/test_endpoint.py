"""Endpoint: what carries a transport."""

import pytest

from corepy.endpoint import Endpoint


@pytest.mark.parametrize(
    ("transport", "proto"),
    [("udp", "udp"), ("quic", "udp"), ("https3", "udp"), ("tcp", "tcp"), ("tls", "tcp"), ("https", "tcp")],
)
def test_what_carries_a_transport(transport: str, proto: str) -> None:
    assert Endpoint(transport, "dns://:53").proto == proto
