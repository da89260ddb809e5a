"""whoami: the client's address, port and transport, from octets to octets."""

from __future__ import annotations

from ipaddress import ip_address

import dnslib
import pytest

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError
from corepy.plugins.whoami import Whoami
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing import make_query, message


def ask(query: Query) -> Reply:
    reply = Whoami().serve(query)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("whoami", None),
        ("whoami\nwhoami", None),
        ("whoami example.org", "plugin/whoami: Corefile:1:8: unexpected argument 'example.org', expected no arguments"),
        ("whoami {\n}", "plugin/whoami: Corefile:1:8: unexpected '{', expected no block for whoami"),
    ],
)
def test_lines(text: str, expected: str | None) -> None:
    result: str | None = None
    try:
        Whoami.parse_all(directives(text))
    except ConfigError as error:
        result = str(error)
    assert result == expected


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "https", "quic"])
@pytest.mark.parametrize("name", ["example.org.", "WWW.Example.ORG.", "_udp._tcp.example.org."])
def test_address_port_and_transport(client: str, transport: str, name: str) -> None:
    query = make_query(name, "MX", client=client, port=65535, transport=transport)
    record = ask(query).record
    address, service = record.ar
    mapped = client == "::ffff:192.0.2.1"
    expected = ip_address("192.0.2.1" if mapped else client)
    assert (record.header.aa, record.header.rd, record.header.rcode) == (1, 1, codes.NOERROR)
    assert (record.rr, record.auth) == ([], [])
    assert address.rtype == (codes.A if expected.version == 4 else codes.AAAA)
    assert ip_address(str(address.rdata)) == expected
    assert str(address.rname) == name
    proto = "udp" if transport in ("udp", "quic") else "tcp"
    assert (str(service.rname), service.rtype, str(service.rdata)) == (f"_{proto}.{name}", codes.SRV, "0 0 65535 .")
    assert (address.ttl, service.ttl, address.rclass, service.rclass) == (0, 0, codes.IN, codes.IN)


def test_the_root() -> None:
    query = make_query(".", "NS")
    record = ask(query).record
    assert [str(rr.rname) for rr in record.ar] == [".", "_udp."]
    assert record.q.qname == dnslib.DNSLabel("")


@pytest.mark.parametrize("qtype", ["A", "ANY", "AXFR", "DS", "TYPE65280", "OPT"])
def test_any_type(qtype: str) -> None:
    query = make_query(qtype=qtype)
    reply = ask(query)
    assert reply.wire[12 : query.qend] == query.question
    assert [record.rtype for record in w.records(reply.wire)] == [codes.A, codes.SRV]


def test_the_class_is_that_of_the_question() -> None:
    assert [record.rclass for record in w.records(ask(make_query(qclass=codes.CH)).wire)] == [codes.CH, codes.CH]


@pytest.mark.parametrize("octets", [249, 250])
def test_a_long_name(octets: int) -> None:
    name = ".".join(["x" * 63] * 3 + ["y" * (octets - 3 * 64 - 2)]) + "."
    query = make_query(name)
    assert len(query.qname) == octets
    reply = ask(query)
    owner, end = w.read_name(reply.wire, list(w.records(reply.wire))[1].start)
    assert owner == b"\4_udp" + query.qname
    assert end < len(reply.wire) <= w.MIN_UDP_SIZE


def test_labels_with_any_octets() -> None:
    query = make_query(r"a\.b\000\255.example.org")
    owners = [w.read_name(ask(query).wire, record.start)[0] for record in w.records(ask(query).wire)]
    assert owners == [query.qname, b"\4_udp" + query.qname]


def test_without_dnslib(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise AssertionError("the fast path went through dnslib")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", slow)
    monkeypatch.setattr(dnslib.DNSRecord, "pack", slow)
    peer = Address.of("192.0.2.1", 4242).to_sockaddr()
    reply = ask(Query(message(edns=1232), Endpoint("udp", "dns://:53"), peer))
    assert reply.wire.endswith(b"\4_udp\xc0\x0c\0\x21\0\1\0\0\0\0\0\7\0\0\0\0" + (4242).to_bytes(2) + b"\0")
