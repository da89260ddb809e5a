"""Query: lazy, exact, and never more than what was asked of it."""

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.endpoint import Endpoint
from corepy.errors import Malformed
from corepy.query import Query
from corepy.testing import make_query, message

UDP = Endpoint("udp", "dns://:53")
PEER = Address.of("192.0.2.1", 4242).to_sockaddr()


def parse(wire: bytes) -> Query:
    return Query(wire, UDP, PEER, b"\x7f\0\0\1")


def header(flags: int = 0, *counts: int) -> bytes:
    return w.HEADER.pack(4660, flags, *counts)


def test_what_a_query_says() -> None:
    query = parse(message("WWW.Example.org", "AAAA", edns=1232, do=True))
    assert (query.id, query.qtype, query.qclass, query.opcode) == (4660, codes.AAAA, codes.IN, codes.QUERY)
    assert query.qname == b"\3WWW\7Example\3org\0"
    assert query.key == b"\3www\7example\3org\0"
    assert query.name == "www.example.org."
    assert query.edns is not None
    assert (query.edns.size, query.edns.version, query.do, query.max_size) == (1232, 0, True, 1232)
    assert str(query.client) == "192.0.2.1:4242"
    assert str(query.local) == "127.0.0.1:53"
    assert query.wire[12 : query.qend] == query.question


@pytest.mark.parametrize(
    ("subnet", "good"),
    [
        ("0001 18 00 c00002", True),
        ("0001 20 20 c0000201", True),
        ("0001 00 00", True),
        ("0002 80 00 20010db8", True),
        ("0000 00 00", True),
        ("0001 21 00 c0000201", False),
        ("0001 18 21 c00002", False),
        ("0002 81 00", False),
        ("0000 01 00", False),
        ("0003 00 00", False),
        ("0001 00", False),
        ("", False),
    ],
)
def test_a_client_subnet_has_lengths_that_its_family_may_have(subnet: str, good: bool) -> None:
    options = w.option(codes.COOKIE, b"12345678") + w.option(codes.CLIENT_SUBNET, bytes.fromhex(subnet))
    wire = w.with_additional(message("www.example.org"), w.opt_record(1232, options=options))
    if good:
        assert parse(wire).edns is not None
        return
    with pytest.raises(Malformed) as caught:
        parse(wire)
    assert caught.value.rcode == codes.FORMERR


def test_no_edns_means_512_octets_and_a_stream_as_many_as_there_are() -> None:
    assert make_query().max_size == 512
    assert make_query(edns=100).max_size == 512
    assert make_query(edns=1232, transport="tcp").max_size == 65535


@pytest.mark.parametrize(
    ("wire", "rcode"),
    [
        (b"", None),
        (b"\0\1\1\0\0\1", None),
        (header(w.QR, 1, 0, 0, 0) + b"\0\0\1\0\1", None),                        # a response
        (header(2 << 11, 1, 0, 0, 0) + b"\0\0\1\0\1", codes.NOTIMP),             # STATUS
        (header(5 << 11, 1, 0, 9, 0) + b"\0\0\6\0\1", codes.NOTIMP),             # UPDATE
        (header(0, 0, 0, 0, 0), codes.FORMERR),
        (header(0, 2, 0, 0, 0) + b"\0\0\1\0\1\0\0\1\0\1", codes.FORMERR),
        (header(0, 1, 2, 0, 0) + b"\0\0\1\0\1", codes.FORMERR),
        (header(0, 1, 0, 0, 3) + b"\0\0\1\0\1", codes.FORMERR),
        (header(0, 1, 0, 0, 0) + b"\x03com", codes.FORMERR),
        (header(0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", codes.FORMERR),
        (header(0, 1, 0, 0, 0) + (b"\x3f" + b"x" * 63) * 4 + b"\0\0\1\0\1", codes.FORMERR),
        (header(0, 1, 0, 0, 1) + b"\0\0\1\0\1", codes.FORMERR),                  # a record promised
        (header(0, 1, 0, 0, 1) + b"\0\0\1\0\1\0\0\x29\x04\xd0\0\0\0\0\0\5ab", codes.FORMERR),
    ],
)
def test_what_is_no_query(wire: bytes, rcode: int | None) -> None:
    with pytest.raises(Malformed) as caught:
        parse(wire)
    assert caught.value.rcode == rcode


def test_bytes_behind_the_message_do_not_matter() -> None:
    assert parse(message() + b"\xde\xad").name == "example.org."


def test_notify_may_bring_a_soa() -> None:
    soa = b"\xc0\x0c" + w.RECORD.pack(codes.SOA, 1, 60, 22) + b"\0\0" + bytes(20)
    query = parse(header(codes.NOTIFY << 11, 1, 1, 0, 0) + b"\0\0\6\0\1" + soa)
    assert query.opcode == codes.NOTIFY


@given(st.binary(max_size=120))
def test_any_bytes_are_a_query_or_malformed(wire: bytes) -> None:
    try:
        query = parse(wire)
    except Malformed:
        return
    assert len(query.key) <= 255
    assert query.name.isprintable()
    assert query.max_size >= 512


def test_the_record_is_made_once_and_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    query = make_query()
    first = query.record
    monkeypatch.setattr(dnslib.DNSRecord, "parse", lambda _wire: pytest.fail("parsed twice"))
    assert query.record is first


def test_a_query_changed_on_its_way_is_another_one_from_the_same_client() -> None:
    query = make_query("www.example.org", client="192.0.2.7")
    other = query.with_wire(message("www.example.net", edns=1232))
    assert (query.name, query.edns) == ("www.example.org.", None)
    assert (other.name, other.max_size) == ("www.example.net.", 1232)
    assert (other.client, other.local, other.endpoint) == (query.client, query.local, query.endpoint)
    with pytest.raises(Malformed):
        query.with_wire(b"")


def test_a_query_with_other_flags_is_the_same_in_everything_else() -> None:
    query = make_query("www.example.org", client="192.0.2.7", edns=1232, do=True)
    query.metadata, query.reached = {"a/b": "c"}, ["here"]
    other = query.with_flags(w.RD | w.AD)
    read = query.with_wire(other.wire)
    assert (other.flags, other.wire[2:4]) == (read.flags, b"\1\x20")
    for name in ("qtype", "qclass", "qend", "edns", "metadata", "reached", "key", "client", "local", "endpoint"):
        assert getattr(other, name) == getattr(read, name), name
    assert other.record.header.ad == 1
    assert query.with_flags(0, UDP).endpoint is UDP
