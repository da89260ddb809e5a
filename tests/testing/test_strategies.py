"""The strategies make what they say, and the server reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corepy import wire as w
from corepy.address import Address
from corepy.endpoint import Endpoint
from corepy.proxyproto import parse_datagram
from corepy.query import Query
from corepy.source import Source
from corepy.testing import strategies
from corepy.validate import validate


@given(strategies.names())
def test_names(name: str) -> None:
    assert w.decode_name(w.encode_name(name)) == name


@given(strategies.messages())
def test_messages_are_queries(wire: bytes) -> None:
    query = Query(wire, Endpoint("udp", "dns://:53"), Address.of("192.0.2.1", 53))
    assert query.qend <= len(wire)
    assert query.edns is None or query.edns.version == 0


@given(strategies.messages(st.just(b"\1a\0")))
def test_messages_about_a_name(wire: bytes) -> None:
    assert wire[12:15] == b"\1a\0"


@given(strategies.proxy_headers(), st.binary(max_size=20))
def test_headers_are_read(header: bytes, payload: bytes) -> None:
    found = parse_datagram(header + payload)
    assert found is not None
    assert found[1] == payload


@given(strategies.corefiles())
def test_of_any_corefile_there_is_a_report(text: str) -> None:
    assert all(finding.what for finding in validate(Source(None, "Corefile", text.encode())))
