"""Messages as bytes: names, records, compression and truncation, with dnslib as the second opinion."""

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed

LABEL = st.binary(min_size=1, max_size=63)
NAME = st.lists(LABEL, max_size=6).map(lambda labels: b"".join(bytes([len(x)]) + x for x in labels) + b"\0").filter(
    lambda name: len(name) <= 255
)


def reply(*records: str, question: str = "www.example.org") -> bytes:
    made = dnslib.DNSRecord.question(question).reply()
    for record in records:
        made.add_answer(*dnslib.RR.fromZone(record))
    return bytes(made.pack())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".", b"\0"),
        ("", b"\0"),
        ("example.org", b"\7example\3org\0"),
        ("example.org.", b"\7example\3org\0"),
        (r"a\.b.c", b"\3a.b\1c\0"),
        (r"\000\255.x", b"\2\x00\xff\1x\0"),
        ("ü", b"\2\xc3\xbc\0"),
    ],
)
def test_encode_name(text: str, name: bytes) -> None:
    assert w.encode_name(text) == name


@pytest.mark.parametrize("text", ["a..b", ".a", "a" * 64, "a\\", r"\256", ".".join(["a" * 63] * 4) + ".b"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="has"):
        w.encode_name(text)


@given(NAME)
def test_names_survive_text(name: bytes) -> None:
    assert w.encode_name(w.decode_name(name)) == name
    assert w.decode_name(name).isprintable()


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = w.encode_name(text)
    except ValueError:
        return
    assert w.skip_name(name, 0) == len(name) <= w.MAX_NAME


@given(NAME, NAME)
def test_subdomains_are_whole_labels(name: bytes, zone: bytes) -> None:
    assert w.is_subdomain(name, zone) == (zone in list(w.suffixes(name)))
    assert w.is_subdomain(name, name)
    assert w.is_subdomain(name, b"\0")
    assert w.labels(name) == len(list(w.suffixes(name))) - 1


@given(NAME, st.lists(NAME, max_size=3))
def test_a_name_is_in_zones_if_it_is_in_one(name: bytes, zones: list[bytes]) -> None:
    assert w.in_zones(name, zones) == any(w.is_subdomain(name, zone) for zone in zones)
    assert w.in_zones(name, [*zones, b"\0"])


def test_a_subdomain_is_not_a_suffix_of_octets() -> None:
    assert not w.is_subdomain(w.encode_name("myexample.org"), w.encode_name("example.org"))
    assert not w.is_subdomain(b"\x0c\7example\3org\0", w.encode_name("example.org"))   # one label of 12 octets


@pytest.mark.parametrize(
    "wire",
    [
        b"\xc0\x0c",               # points at itself
        b"\xc0\x0e\xc0\x0c",       # forward, then in a circle
        b"\x01a\xc0\x0c",          # back to its own start
        b"\xc0\x40",               # behind the end
        b"\x40a\0",                # label type 01
        b"\x80a\0",                # label type 10
        b"\x05abc",                # ends within a label
        b"",
        b"\xc0",
        (b"\x3f" + b"a" * 63) * 4 + b"\0",
    ],
)
def test_names_that_cannot_be_read(wire: bytes) -> None:
    with pytest.raises(Malformed):
        w.read_name(bytes(12) + wire, 12)


@given(st.binary(max_size=80), st.integers(0, 90))
def test_reading_any_bytes_ends(wire: bytes, at: int) -> None:
    try:
        name, behind = w.read_name(wire, at)
    except Malformed:
        return
    assert at < behind <= len(wire)
    assert len(name) <= w.MAX_NAME


def test_records_are_found_where_they_are() -> None:
    wire = reply("www.example.org 60 IN A 192.0.2.1", "www.example.org 60 IN TXT one")
    first, second = w.records(wire)
    assert (first.rtype, first.rclass, first.ttl, wire[first.data : first.end]) == (1, 1, 60, bytes([192, 0, 2, 1]))
    assert (second.section, second.rtype, second.end) == (w.ANSWER, codes.TXT, len(wire))


@given(st.binary(max_size=120))
def test_walking_any_bytes_ends(data: bytes) -> None:
    wire = data.ljust(12, b"\0")
    try:
        ends = [record.end for record in w.records(wire)]
        w.find_opt(wire)
        w.size_uncompressed(wire)
        w.truncate(wire, 20)
    except Malformed:
        return
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    "records",
    [
        ["www.example.org 60 IN A 192.0.2.1"],
        ["www.example.org 60 IN CNAME example.org", "example.org 60 IN MX 10 mail.example.org"],
        ["example.org 60 IN SOA ns.example.org admin.example.org 1 2 3 4 5"],
        ["_dns._udp.example.org 60 IN SRV 1 2 53 ns.example.org"],
    ],
)
def test_size_without_compression(records: list[str]) -> None:
    wire = reply(*records)
    expected = 12 + len(w.encode_name("www.example.org")) + 4
    for record in dnslib.DNSRecord.parse(wire).rr:
        buffer = dnslib.DNSBuffer()
        buffer.encode_name_nocompress(record.rname)
        names = {"CNAME": 0, "MX": 2, "SOA": 20, "SRV": 6}
        rtype = dnslib.QTYPE[record.rtype]
        labels = [str(x) for x in (getattr(record.rdata, "label", None), getattr(record.rdata, "target", None)) if x]
        labels += [str(record.rdata.mname), str(record.rdata.rname)] if rtype == "SOA" else []
        size = sum(len(w.encode_name(x)) for x in labels) + names.get(rtype, 4)
        expected += len(buffer.data) + 10 + size
    assert w.size_uncompressed(wire) == expected
    assert expected >= len(wire)


def test_truncation_cuts_at_a_record_and_keeps_opt() -> None:
    wire = reply(*(f"www.example.org 60 IN TXT {'x' * 100}" for _ in range(10)))
    wire = w.with_additional(wire, b"\0\0\x29\x04\xd0\0\0\0\0\0\0")
    cut = w.truncate(wire, 512)
    parsed = dnslib.DNSRecord.parse(cut)
    assert len(cut) <= 512 < len(wire)
    assert parsed.header.tc
    assert len(parsed.rr) == 4
    assert [record.rtype for record in parsed.ar] == [codes.OPT]
    assert w.truncate(wire, len(wire)) == wire


def test_opt_is_found_among_the_additional_records_alone() -> None:
    assert w.find_opt(reply("www.example.org 60 IN A 192.0.2.1")) is None
    opt = w.find_opt(w.with_additional(reply(), b"\0\0\x29\x04\xd0\0\0\x80\0\0\4\0\3\0\0"))
    assert opt is not None
    assert (opt.rclass, opt.ttl) == (1232, 0x8000)


def test_options_must_fit() -> None:
    wire = w.with_additional(reply(), b"\0\0\x29\x04\xd0\0\0\0\0\0\5\0\3\0\2x")
    opt = w.find_opt(wire)
    assert opt is not None
    with pytest.raises(Malformed):
        list(w.options(wire, opt))


def test_a_record_can_be_taken_out() -> None:
    plain = reply("www.example.org 60 IN A 192.0.2.1")
    wire = w.with_additional(plain, b"\0\0\x29\x04\xd0\0\0\0\0\0\0")
    opt = w.find_opt(wire)
    assert opt is not None
    assert w.without(wire, opt) == plain
