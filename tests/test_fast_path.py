"""The fast path is the path: dnslib is replaced by something that raises, and queries are answered all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import dnslib
import pytest

from corepy import codes
from corepy.address import Address
from corepy.proxyproto import encode_v2

if TYPE_CHECKING:
    from tests.conftest import Serve

CLIENT = Address.of("198.51.100.7", 4242)
HEADER = encode_v2(CLIENT, Address.of("192.0.2.53", 53))
WAYS = pytest.mark.parametrize(
    ("transport", "how"),
    [("udp", {}), ("tcp", {}), ("udp", {"edns": 1232, "do": True}), ("tcp", {"edns": 1232})],
    ids=["udp", "tcp", "udp with EDNS", "tcp with EDNS"],
)


@pytest.fixture(autouse=True)
def _no_dnslib(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("dnslib was asked")

    for name in ("parse", "pack", "__init__"):
        monkeypatch.setattr(dnslib.DNSRecord, name, refuse)


def test_the_raiser_raises(serve: Serve) -> None:
    with pytest.raises(AssertionError, match="dnslib was asked"):
        _ = serve(". {\n whoami\n}\n").ask().record


@WAYS
def test_whoami(serve: Serve, transport: str, how: dict[str, Any]) -> None:
    running = serve(". {\n errors\n log\n whoami\n}\n")
    reply = running.ask(transport=transport, **how)
    assert reply.rcode == codes.NOERROR
    assert Address.of("127.0.0.1", 0).packed in reply.wire


@WAYS
def test_whoami_behind_a_proxy(serve: Serve, transport: str, how: dict[str, Any]) -> None:
    running = serve(". {\n proxyproto {\n udp_session_tracking 28s\n }\n whoami\n}\n")
    with running.client(transport) as client:
        assert CLIENT.packed in client.ask(proxy=HEADER, **how).wire
        assert CLIENT.packed in client.ask(**how).wire  # from the session, or on the same connection


@WAYS
def test_forward(serve: Serve, transport: str, how: dict[str, Any]) -> None:
    upstream = serve(". {\n whoami\n}\n")
    running = serve(f". {{\n errors\n log\n forward . 127.0.0.1:{upstream.port}\n}}\n")
    for _ in range(2):
        reply = running.ask(transport=transport, **how)
        assert reply.rcode == codes.NOERROR
        assert Address.of("127.0.0.1", 0).packed in reply.wire


@WAYS
def test_cache_and_hosts(serve: Serve, transport: str, how: dict[str, Any]) -> None:
    upstream = serve("example.org {\n hosts {\n 192.0.2.7 www.example.org\n }\n}\n")
    running = serve(f". {{\n errors\n cache\n forward . 127.0.0.1:{upstream.port}\n}}\n")
    for _ in range(2):  # a miss, then a hit
        reply = running.ask("www.example.org", transport=transport, **how)
        assert reply.rcode == codes.NOERROR
        assert Address.of("192.0.2.7", 0).packed in reply.wire


def test_refusals_errors_and_truncation(serve: Serve) -> None:
    running = serve("example.net {\n whoami\n}\n")
    assert running.ask("example.org").rcode == codes.REFUSED
    assert running.ask("example.net", qclass=codes.CH).rcode == codes.REFUSED
    with running.client() as client:
        client.send(bytes(12))
        assert client.receive().rcode == codes.FORMERR
