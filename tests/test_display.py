"""Messages as text: every record can be read back, and anything at all can be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes, display
from corepy import wire as w
from corepy.records import encode, parse_record, write_data
from corepy.records.text import is_whole
from corepy.records.types import READERS
from corepy.reply import Reply
from corepy.testing import make_query, message


def reply(*texts: str, authority: tuple[str, ...] = (), flags: int = w.RA, edns: int | None = None) -> bytes:
    """A reply to www.example.org. A as octets."""
    query = make_query("www.example.org.", edns=edns)
    sections = [[parse_record(text) for text in section] for section in (texts, authority)]
    body, counts = encode(query.qname, *sections), (len(texts), len(authority), 0)
    return Reply.build(query, flags=flags, counts=counts, body=body).wire


def test_a_message() -> None:
    wire = reply(
        "www.example.org. 300 IN CNAME w.example.org.",
        'w.example.org. 60 IN TXT "a b" "c\\"d"',
        authority=("example.org. 3600 IN NS ns.example.org.",),
    )
    assert display.show(wire) == (
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4660\n"
        ";; flags: qr rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 1, ADDITIONAL: 0\n"
        "\n"
        ";; QUESTION SECTION:\n"
        ";www.example.org. IN A\n"
        "\n"
        ";; ANSWER SECTION:\n"
        "www.example.org. 300 IN CNAME w.example.org.\n"
        'w.example.org.   60  IN TXT   "a b" "c\\"d"\n'
        "\n"
        ";; AUTHORITY SECTION:\n"
        "example.org. 3600 IN NS ns.example.org."
    )
    assert display.short(wire) == ["w.example.org.", '"a b" "c\\"d"']


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (w.option(15, b"\0\x0fno entry\x1b"), "; EDE: 15 (Blocked): no entry."),
        (w.option(15, b"\0\x11"), "; EDE: 17 (Filtered)"),
        (w.option(15, b"\1\0"), "; EDE: 256"),
        (w.option(15, b"\0"), "; OPT=15: 00"),
        (w.option(3, b"ns\x07"), "; NSID: 6e 73 07 ('ns.')"),
        (w.option(8, b"\0\1\x18\0\xc0\0\2"), "; CLIENT-SUBNET: 192.0.2.0/24/0"),
        (w.option(8, b"\0\2\x20\0\x20\x01\x0d\xb8"), "; CLIENT-SUBNET: 2001:db8::/32/0"),
        (w.option(8, b"\0\3\x18\0\xc0"), "; CLIENT-SUBNET: 00031800c0"),
        (w.option(10, b"\1\2"), "; COOKIE: 0102"),
        (w.option(65001, b"\xff"), "; OPT=65001: ff"),
        (b"\0\3\0\4x", "; options that are not readable: EDNS option data cut short"),
    ],
)
def test_edns(option: bytes, text: str) -> None:
    wire = w.with_additional(reply(), w.opt_record(1232, codes.BADVERS >> 4, w.DO, option))
    lines = display.show(wire).split("\n")
    assert "status: BADVERS" in lines[0]
    assert lines[3:6] == [";; OPT PSEUDOSECTION:", "; EDNS: version: 0, flags: do; udp: 1232", text]
    assert "ADDITIONAL SECTION" not in lines


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("A 192.0.2.1", None),
        ("AAAA 2001:db8::1", None),
        ("CNAME T\\.arget.test.", None),
        ("SOA ns. root. 1 2 3m 1h 5", "SOA ns. root. 1 2 180 3600 5"),
        ("MX 10 mx.", None),
        ('TXT "é" "\\\\"', 'TXT "\\195\\169" "\\\\"'),
        ("HINFO PC Linux", 'HINFO "PC" "Linux"'),
        ("SRV 1 2 443 x.", None),
        ('NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:a@b!" .', None),
        ("CERT PKIX 1 RSASHA256 AQID", "CERT 1 1 8 AQID"),
        ("DS 1 8 2 ABcd", "DS 1 8 2 abcd"),
        ("DNSKEY 257 3 13 AQID", None),
        ("RRSIG A 8 2 300 20300101000000 20200101000000 7 test. AQID", None),
        ("NSEC b. A MX TYPE1234", None),
        ("NSEC3 1 0 10 abcd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", None),
        ("NSEC3PARAM 1 0 0 -", None),
        ('CAA 128 issue "ca.test; a=b"', None),
        ("EUI48 00-00-5e-00-53-2a", None),
        ("NID 10 0014:4fff:ff20:ee64", None),
        ("L32 10 10.1.2.0", None),
        ("ISDN 150", 'ISDN "150"'),
        ("HTTPS 0 a.", None),
        ("HTTPS 1 . alpn=h2,h3 no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1", None),
        ('SVCB 1 a. mandatory=alpn,port alpn=h2 port=1 ech=AQID key667="hello\\210qoo"', None),
        ("APL 1:192.0.2.0/24", "APL \\# 7 00011803c00002"),
        ("TYPE65280 \\# 2 c0fe", None),
        ("TYPE65280 \\# 0", None),
    ],
)
def test_data_as_text(text: str, written: str | None) -> None:
    record = parse_record(f"a. 0 IN {text}")
    shown = display.show_record(record)
    assert shown == f"a. 0 IN {written or text}"
    assert parse_record(shown) == record


@pytest.mark.parametrize(
    ("rtype", "data", "text"),
    [
        (codes.A, b"\xc0\0\2", "\\# 3 c00002"),
        (codes.A, b"\xc0\0\2\1\0", "\\# 5 c000020100"),
        (codes.MX, b"\0\x0a", "\\# 2 000a"),
        (codes.TXT, b"\5a", "\\# 2 0561"),
    ],
)
def test_data_with_other_fields_is_shown_as_octets(rtype: int, data: bytes, text: str) -> None:
    assert write_data(rtype, data) == text
    with pytest.raises(ValueError, match="other fields"):
        parse_record(f"a. 0 IN TYPE{rtype} {text}")


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=40))
def test_any_data_can_be_written_and_read_back(rtype: int, data: bytes) -> None:
    text = write_data(rtype, data)
    assert text.isascii()
    assert text.isprintable()
    if not is_whole(rtype, data):
        assert text.startswith("\\# ")
        return
    again = parse_record(f"a. 0 IN TYPE{rtype} {text}").rdata
    # Bitmaps and lists have forms that differ in length only; whatever is read means the same.
    assert write_data(rtype, again) == text


@given(st.binary(max_size=80))
def test_anything_can_be_shown(octets: bytes) -> None:
    assert display.show(octets)
    assert display.show(message() + octets)


def test_what_is_no_message() -> None:
    assert display.show(b"abc") == ";; 3 octets, which are no message"
    lines = display.show(message()[:-3]).split("\n")
    assert lines[-1] == ";; not readable: question cut short"
    assert display.show(reply("www.example.org. 60 A 192.0.2.1")[:-1]).endswith("not readable: record data cut short")
    assert "QUESTION" not in display.show(w.HEADER.pack(1, w.QR | 1, 0, 0, 0, 0))
