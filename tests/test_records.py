"""Records: from text to octets, and into messages."""

from __future__ import annotations

import struct
from typing import Any

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records import EncodedRecord, decode, encode, parse_record, parse_ttl
from corepy.records.dnssec import encode_bitmap
from corepy.records.types import READERS
from corepy.records.words import split

WWW = w.encode_name("www.example.org.")


def name(text: str) -> bytes:
    return w.encode_name(text)


def data(text: str) -> str:
    """What stands behind the owner, as hexadecimal data."""
    return parse_record("a.test. " + text).rdata.hex()


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("www.example.org. 60 IN A 192.0.2.1", (60, codes.IN, codes.A)),
        ("www.example.org. IN 60 A 192.0.2.1", (60, codes.IN, codes.A)),
        ("www.example.org. A 192.0.2.1", (3600, codes.IN, codes.A)),
        ("www.example.org A 192.0.2.1", (3600, codes.IN, codes.A)),
        ("www.example.org. 1h30m ch a 192.0.2.1", (5400, codes.CH, codes.A)),
        ("www.example.org. CLASS3841 0 A 192.0.2.1", (0, 3841, codes.A)),
        ("www.example.org. ANY 1W A 192.0.2.1", (604800, 255, codes.A)),
        ("www.example.org. 1 type1 192.0.2.1", (1, codes.IN, codes.A)),
        ("www.example.org. 4294967295 IN A 192.0.2.1", (4294967295, codes.IN, codes.A)),
        ("www.example.org.\t1\tA\t192.0.2.1\r\n", (1, codes.IN, codes.A)),
        ("\n ; remark\nwww.example.org. ( 1 ; one\n A\n 192.0.2.1 ) ; end\nmore", (1, codes.IN, codes.A)),
        (r"www.example.org. 1 A \# 4 c0 000201", (1, codes.IN, codes.A)),
        (r"w\119w.example.org. 1 A 192.0.2.1", (1, codes.IN, codes.A)),
    ],
)
def test_owner_class_ttl_and_type(text: str, fields: tuple[int, int, int]) -> None:
    ttl, rclass, rtype = fields
    assert parse_record(text) == EncodedRecord(WWW, rtype, rclass, ttl, b"\xc0\0\2\1")


def test_what_a_zone_file_hands_in() -> None:
    origin = name("example.org.")
    assert parse_record("www NS ns", origin=origin, ttl=7, rclass=codes.CH) == EncodedRecord(
        WWW, codes.NS, codes.CH, 7, name("ns.example.org.")
    )
    assert parse_record("@ NS @", origin=origin)[::4] == (origin, origin)
    assert parse_record("  60 NS www", origin=origin, owner=b"\1x\0")[::4] == (b"\1x\0", WWW)
    assert parse_record("\n 60 NS ( www ) ", origin=origin, owner=b"\1x\0").owner == b"\1x\0"
    assert parse_record(r"a\.b NS a\.", origin=origin)[::4] == (b"\3a.b" + origin, b"\2a." + origin)
    assert parse_record(r"a\\. NS .", origin=origin)[::4] == (b"\2a\\\0", b"\0")
    assert parse_record("Ünï NS x", origin=origin).owner == b"\5\xc3\x9cn\xc3\xaf" + origin


@pytest.mark.parametrize(
    ("text", "hexadecimal"),
    [
        ("AAAA 2001:db8::1", "20010db8000000000000000000000001"),
        ("AAAA ::ffff:192.0.2.1", "00000000000000000000ffffc0000201"),
        ("CNAME Target.Test.", "06546172676574045465737400"),
        ("DNAME .", "00"),
        ("MX 10 mx", "000a026d7800"),
        ("SOA ns. root. 1 2 3m 1h 5", "026e730004726f6f7400 00000001 00000002 000000b4 00000e10 00000005"),
        ("SOA ns. root. (1 2 3 4 5)", "026e730004726f6f7400 00000001 00000002 00000003 00000004 00000005"),
        ('TXT a "b c" "" d\\"e "f\\;\\065g;"', "0161 03622063 00 036422 65 05663b41673b"),
        ('TXT "é"', "02c3a9"),
        ("TXT " + "a" * 300, "ff" + "61" * 255 + "2d" + "61" * 45),
        ("SPF v=spf1", "06763d73706631"),
        ("HINFO PC Linux", "025043054c696e7578"),
        ('HINFO "PC Linux 6"', "025043074c696e75782036"),
        ("HINFO PC", "02504300"),
        ("RP box. text.", "03626f78000474657874 00"),
        ("AFSDB 1 db.", "0001 02646200"),
        ("SRV 1 2 443 x.", "0001 0002 01bb 017800"),
        ('NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
         "0001 0002 0175 074532552b736970 0e215e2e2a24217369703a61406221 00"),
        ("LOC 42 21 54 N 71 06 18 W -24m 30m", "00 33 16 13 89172dd0 70be15f0 00988d20"),
        ("LOC 1 N 2 E 0", "00 12 16 13 8036ee80 806ddd00 00989680"),
        ("LOC 1 2 S 2 3 4.567 E 1.5m .01m 1.23 90000000", "00 10 12 99 7fc73cc0 8070adf7 00989716"),
        ("APL 1:192.0.2.0/24 !2:2001:db8::/32", "0001180 3c00002 0002208420010db8"),
        ("CERT PKIX 1 RSASHA256 AQID", "0001 0001 08 010203"),
        ("CERT 1 2 3 AQ ID", "0001 0002 03 010203"),
        ("DS 1 8 2 AB cd", "0001 08 02 abcd"),
        ("CDS 0 0 0 00", "0000 00 00 00"),
        ("SSHFP 4 2 abcdef", "04 02 abcdef"),
        ("DNSKEY 257 3 ECDSAP256SHA256 AQID", "0101 03 0d 010203"),
        ("CDNSKEY 0 3 0 AA==", "0000 03 00 00"),
        ("RRSIG A 8 2 300 20300101000000 20200101000000 7 test. AQID",
         "0001 08 02 0000012c 70dbd880 5e0be100 0007 0474657374 00 010203"),
        ("RRSIG TYPE65280 ED25519 2 300 4294967295 0 7 . AQID",
         "ff00 0f 02 0000012c ffffffff 00000000 0007 00 010203"),
        ("NSEC b. A MX TYPE1234", "016200 0002 4001 041b" + "00" * 26 + "20"),
        ("NSEC3 1 0 10 abcd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A",
         "01 00 000a 02abcd 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 000140"),
        ("NSEC3PARAM 1 0 0 -", "01 00 0000 00"),
        ("TLSA 3 1 1 AB CD", "03 01 01 abcd"),
        ("SMIMEA 3 1 1 ab", "03 01 01 ab"),
        ("OPENPGPKEY AQ ID", "010203"),
        ("CSYNC 66 3 A NS", "00000042 0003 000160"),
        ("ZONEMD 1 1 1 abcd", "00000001 01 01 abcd"),
        ('CAA 128 issue "ca.test; a=b"', "80 05 6973737565 63612e746573743b20613d62"),
        ('URI 1 2 "https://a/"', "0001 0002 68747470733a2f2f612f"),
        ("EUI48 00-00-5e-00-53-2a", "00005e00532a"),
        ("EUI64 00-00-5e-ef-10-00-00-2a", "00005eef1000002a"),
        ("NID 10 0014:4fff:ff20:ee64", "000a 00144fffff20ee64"),
        ("L32 10 10.1.2.0", "000a 0a010200"),
        ("LP 10 l.", "000a 016c00"),
        ("ISDN 150 4", "03313530 0134"),
        ("ISDN 150", "03313530"),
        ("UID 7", "00000007"),
        ("HTTPS 0 a.", "0000 016100"),
        ("HTTPS 1 . ipv6hint=2001:db8::1 port=8443 alpn=h2,h3 no-default-alpn ipv4hint=192.0.2.1,192.0.2.2",
         f"000100 00010006026832026833 00020000 0003000220fb 00040008c0000201c0000202 0006001020010db8 {1:024x}"),
        ('SVCB 1 a. mandatory=port,alpn alpn=h2 port=1 key667="hello\\210qoo" ech=AQID',
         "0001 016100 0000000400010003 00010003026832 000300020001 00050003010203 029b000968656c6c6fd2716f6f"),
        ("SVCB 1 . key667= port=1", "0001 00 000300020001 029b0000"),
        (r'SVCB 1 . alpn="a\\,b,c"', "0001 00 0001 0006 03612c620163"),
        ("IPSECKEY 10 1 2 192.0.2.1 AQID", "0a 01 02 c0000201 010203"),
        ("IPSECKEY 10 0 2 . AQID", "0a 00 02 010203"),
        ("IPSECKEY 10 2 2 ::1 AQID", "0a 02 02 00000000000000000000000000000001 010203"),
        ("IPSECKEY 10 3 2 g. AQID", "0a 03 02 016700 010203"),
        ("AMTRELAY 10 0 0 .", "0a 00"),
        ("AMTRELAY 10 0 1 192.0.2.1", "0a 01 c0000201"),
        ("AMTRELAY 10 1 2 ::1", "0a 82 00000000000000000000000000000001"),
        ("AMTRELAY 10 1 3 relay.", "0a 83 0572656c617900"),
        ("HIP 2 2001 AQID r.", "02 02 0003 2001 010203 017200"),
        (r"TYPE65280 \# 2 c0FE", "c0fe"),
        (r"TYPE65280 \# 0", ""),
        (r"NULL \# 1 ff", "ff"),
        (r"MX \# 3 000a00", "000a00"),
    ],
)  # fmt: skip
def test_data(text: str, hexadecimal: str) -> None:
    assert data(text) == hexadecimal.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no record"),
        ("; remark", "no record"),
        ("a.", "type is missing"),
        ("a. 60 IN", "type is missing"),
        (" A 192.0.2.1", "owner's name is missing"),
        ("a. NOPE 192.0.2.1", "'NOPE' is neither"),
        ("a. 60 60 A 192.0.2.1", "'60' is neither"),
        ("a. IN CH A 192.0.2.1", "'CH' is neither"),
        ("a. TYPE65536 x", "'TYPE65536' is neither"),
        ("a. 1x A 192.0.2.1", "'1x' is no time"),
        ("a. 4294967296 A 192.0.2.1", "TTL of more than"),
        ("a. 9999999999999w A 192.0.2.1", "TTL of more than"),
        ("a..b. A 192.0.2.1", "a label of 0 octets"),
        ("a" * 64 + ". A 192.0.2.1", "a label of 64 octets"),
        ("abc." * 64 + " A 192.0.2.1", "more than 255 octets"),
        (r"\256. A 192.0.2.1", "escapes nothing"),
        ("a. A 192.0.2", "A: '192.0.2' is no IPv4 address"),
        ("a. A 192.0.2.01", "is no IPv4 address"),
        ("a. A", "A: data is missing"),
        ("a. A 192.0.2.1 2", "unexpected '2' behind the data"),
        ("a. A ::1", "is no IPv4 address"),
        ("a. AAAA 192.0.2.1", "is no IPv6 address"),
        ("a. AAAA 1::2::3", "is no IPv6 address"),
        ("a. A 192.0.2.\0", "is no IPv4 address"),
        ("a. MX 65536 b.", "'65536' is no number of 16 bits"),
        ("a. MX -1 b.", "is no number"),
        ("a. MX 10", "data is missing"),
        ("a. TXT", "data is missing"),
        ("a. HINFO", "data is missing"),
        ('a. TXT "a', "unfinished"),
        ("a. TXT a\\", "unfinished"),
        (r"a. TXT \999", "is no octet"),
        ("a. TXT (a", "parenthesis is missing"),
        ("a. TXT a)", "parenthesis too many"),
        ("a. DS 1 8 2 abc", "is not hexadecimal"),
        ("a. DNSKEY 256 3 8 A", "is not base64"),
        ("a. DNSKEY 256 3 NOPE AQID", "is no number of 8 bits"),
        ("a. RRSIG NOPE 8 2 1 1 1 1 . AQID", "covered"),
        ("a. RRSIG A 8 2 1 20301301000000 1 1 . AQID", "is no time"),
        ("a. NSEC b. NOPE", "is no type"),
        ("a. NSEC3 1 0 1 xy 2t7b A", "not hexadecimal"),
        ("a. NSEC3 1 0 1 - 2t7! A", "no hashed name"),
        ("a. EUI48 00-00-5e-00-53", "6 octets with dashes"),
        ("a. NID 10 0014:4fff:ff20", "is not written as"),
        ("a. CAA 0 is-sue x", "is no tag"),
        ("a. LOC 91 N 1 E 0", "part of an angle"),
        ("a. LOC 90 1 N 1 E 0", "too far"),
        ("a. LOC 1 60 N 1 E 0", "part of an angle"),
        ("a. LOC 1 1 1 1 E 0", "N or S"),
        ("a. LOC 1 N 1 E x", "no length"),
        ("a. LOC 1 N 1 E -100001", "does not fit"),
        ("a. LOC 1 N 1 E 0 -1", "negative"),
        ("a. LOC 1 N 1 E 0 1 1 1 1", "unexpected '1'"),
        ("a. APL 2:192.0.2.0/24", "another family"),
        ("a. SVCB 1 . port=65536", "port: '65536' is no port"),
        ("a. SVCB 1 . port=1 port=2", "port twice"),
        ("a. SVCB 1 . nope=1", "no service parameter"),
        ("a. SVCB 1 . key65535=1", "no service parameter"),
        ("a. SVCB 1 . no-default-alpn=1", "takes no value"),
        ("a. SVCB 1 . ipv4hint=::1", "ipv4hint"),
        ("a. SVCB 1 . alpn=", "no list"),
        ("a. SVCB 1 . mandatory=mandatory", "cannot name itself"),
        ("a. SVCB 1 . ech=!", "not base64"),
        ("a. IPSECKEY 1 4 1 . AQID", "no kind of gateway"),
        ("a. AMTRELAY 1 0 4 x", "no kind of gateway"),
        ("a. AMTRELAY 1 2 0 .", "neither 0 nor 1"),
        (r"a. AMTRELAY \# 3 0a0100", "other fields"),
        (r"a. TXT \# 2 0261", "TXT has other fields than these 2 octets"),
        (r"a. NAPTR \# 6 000100010000", "other fields"),
        (r"a. AAAA \# 17 20010db8000000000000000000000001ff", "other fields"),
        ("a. SVCB 1 . alpn= h2", "no list"),
        ("a. IPSECKEY 1 0 1 x AQID", "none was announced"),
        ("a. AXFR x", "has to be written as"),
        ("a. TYPE65280 x", "has to be written as"),
        (r"a. TYPE65280 \# 3 c0fe", "2 octets of data where 3"),
        (r"a. TYPE65280 \# 1 c", "not hexadecimal"),
        ("a. TXT " + "x " * 40000, "more than 65535"),
        ('a. NAPTR 1 2 "' + "u" * 256 + '" "" "" .', "more than 255"),
    ],
)
def test_no_record(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_record(text)
    assert why in str(caught.value)


class Searched(str):
    """A text that counts how many of its characters are looked at again by methods."""

    __slots__ = ("looked_at",)
    looked_at: int

    def rfind(self, *args: Any) -> int:
        self.looked_at += len(range(*slice(*args[1:]).indices(len(self))))
        return super().rfind(*args)

    def __getitem__(self, key: Any) -> str:
        found = super().__getitem__(key)
        self.looked_at += len(found)
        return found


def test_splitting_looks_at_each_character_once() -> None:
    text = Searched("a TXT ( " + "x " * 5000 + "\n" * 5000 + " )")
    text.looked_at = 0
    assert len(split(text)) == 5002
    assert text.looked_at <= len(text)


def test_ttl() -> None:
    texts = ("0", "1s", "2M", "1h30m", "1d", "1w2", "007")
    assert [parse_ttl(text) for text in texts] == [0, 1, 120, 5400, 86400, 604802, 7]
    for text in ("", "m", "-1", "1 s", "1.5h", "٣", "1" * 100, "6h" + "1" * 50 + "."):
        with pytest.raises(ValueError, match=r"time|TTL"):
            parse_ttl(text)


def test_bitmaps_have_the_windows_that_are_needed() -> None:
    assert encode_bitmap([]) == b""
    assert encode_bitmap([257, 1, 1, 256]) == b"\0\1\x40\1\1\xc0"


@given(st.text(max_size=60))
def test_any_text_is_a_record_or_a_value_error(text: str) -> None:
    try:
        record = parse_record(text)
    except ValueError:
        return
    assert len(record.owner) <= w.MAX_NAME


@given(st.sampled_from(sorted(READERS)), st.lists(st.text(alphabet='0123456789abcdef.-:/=,\\"() N', max_size=9)))
def test_any_data_is_data_or_a_value_error(rtype: int, words: list[str]) -> None:
    try:
        record = parse_record(f"a. 0 IN TYPE{rtype} {' '.join(words)}")
    except ValueError:
        return
    assert len(record.rdata) <= 65535


# --- messages ---


def whole(qname: bytes, *sections: list[EncodedRecord]) -> bytes:
    counts = [len(section) for section in sections] + [0] * (3 - len(sections))
    head = struct.pack("!6H", 1, w.QR, 1, *counts)
    return head + qname + w.QUESTION.pack(codes.A, codes.IN) + encode(qname, *sections)


def records(*texts: str) -> list[EncodedRecord]:
    return [parse_record(text) for text in texts]


def test_names_point_to_what_stands_before_them() -> None:
    given_records = records("www.example.org. 1 CNAME a.example.org.", "a.example.org. 1 A 192.0.2.1")
    assert encode(WWW, given_records) == (
        b"\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1a\xc0\x10"
        b"\xc0\x2d\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1"
    )  # fmt: skip


def test_case_is_kept() -> None:
    texts = "www.example.org. 1 A 192.0.2.1", "x.Example.org. 1 MX 1 X.example.org."
    wire = whole(name("WwW.Example.org."), records(*texts))
    assert wire.count(b"\3www\7example\xc0") == 1
    assert [record.owner for record in decode(wire)[0]] == [WWW, name("x.Example.org.")]
    assert decode(wire)[0][1].rdata == b"\0\1" + name("X.example.org.")


def test_only_the_types_of_rfc_1035_have_compressed_data() -> None:
    for text, size in (("SRV 0 0 0", 6), ("DNAME", 0), ("RP www.example.org.", 17)):
        assert encode(WWW, records(f"www.example.org. 1 {text} www.example.org."))[12 + size :] == WWW
    assert encode(WWW, records("www.example.org. 1 MX 0 www.example.org."))[12:] == b"\0\0\xc0\x0c"
    soa = encode(WWW, records("www.example.org. 1 SOA www.example.org. a.www.example.org. 1 2 3 4 5"))
    assert len(soa) == 12 + 2 + 4 + 20


def test_the_root_is_no_pointer() -> None:
    assert encode(b"\0", records(". 1 NS .")) == b"\0\0\2\0\1\0\0\0\1\0\1\0"


def test_pointers_reach_as_far_as_they_can() -> None:
    filler = records(*["f. 1 TXT " + "x" * 250] * 70)
    far = records("far.test. 1 A 192.0.2.1", "far.test. 1 A 192.0.2.2", "www.example.org. 1 A 192.0.2.3")
    wire = whole(WWW, [*filler, *far])
    assert wire.count(b"\3far\4test\0") == 2
    assert [record.owner for record in decode(wire)[0][-3:]] == [name("far.test."), name("far.test."), WWW]


_labels = st.sampled_from(["a", "A", "bc", "example", "org"])
_names = st.lists(_labels, max_size=4).map(lambda labels: ".".join(labels) + ".")
_records = st.builds(
    lambda owner, kind, one, two: parse_record(f"{owner} 1 {kind}".format(one, two)),
    _names,
    st.sampled_from(["NS {0}", "MX 1 {0}", "SOA {0} {1} 1 2 3 4 5", "TXT {0}x", "SRV 1 1 1 {0}", "MINFO {0} {1}"]),
    _names, _names,
)  # fmt: skip


@given(_names.map(name), st.lists(_records), st.lists(_records), st.lists(_records))
def test_what_is_encoded_is_decoded(
    qname: bytes, answer: list[EncodedRecord], authority: list[EncodedRecord], additional: list[EncodedRecord]
) -> None:
    wire = whole(qname, answer, authority, additional)
    assert decode(wire) == (answer, authority, additional)
    assert w.size_uncompressed(wire) >= len(wire)
    dnslib.DNSRecord.parse(wire)


def test_decode_refuses_what_is_no_message() -> None:
    with pytest.raises(Malformed):
        decode(whole(WWW, records("a. 1 A 192.0.2.1"))[:-1])
    with pytest.raises(Malformed):
        decode(b"")


def test_decode_takes_what_old_servers_compressed() -> None:
    srv = b"\xc0\x0c" + w.RECORD.pack(codes.SRV, 1, 1, 8) + b"\0\1\0\2\0\3\xc0\x0c"
    wire = struct.pack("!6H", 1, w.QR, 1, 1, 0, 0) + WWW + b"\0\1\0\1" + srv
    assert decode(wire)[0] == [EncodedRecord(WWW, codes.SRV, 1, 1, b"\0\1\0\2\0\3" + WWW)]


def test_names_end_within_their_record() -> None:
    head = w.HEADER.pack(1, w.QR, 0, 1, 0, 1) + b"\0"
    with pytest.raises(Malformed, match="behind the record data"):
        decode(head + w.RECORD.pack(codes.MX, 1, 60, 1) + b"\0" + b"\0\0\1\0\1" + bytes(6))


def test_records_without_data_are_left_as_they_are() -> None:
    empty = EncodedRecord(b"\0", codes.NS, 1, 60, b"")
    assert encode(b"\1a\0", [empty]) == b"\0" + w.RECORD.pack(codes.NS, 1, 60, 0)
