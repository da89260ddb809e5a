"""corepy/zone: what zone files say, and what is wrong with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure
from corepy.query import Query
from corepy.records import EncodedRecord, decode
from corepy.reply import Reply
from corepy.testing import make_query
from corepy.zone import Authority, Builder, Unchanged, Zone, ZoneError, ZoneFile, load
from corepy.zone.generate import expand, numbers
from corepy.zone.lines import entries
from corepy.zone.names import canonical

ORIGIN = w.encode_name("example.org")
SOA = "@ 300 IN SOA ns root 7 7200 3600 1209600 60\n"


def zone_of(tmp_path: Path, text: str, origin: bytes = ORIGIN) -> Zone:
    path = tmp_path / "db"
    path.write_text(text)
    return load(path, origin)


def shown(zone: Zone) -> list[str]:
    """All records but the SOA: owner, TTL, type and data in hexadecimal."""
    return [
        f"{w.decode_name(owner)} {ttl} {codes.type_name(rtype)} {rdata.hex()}"
        for owner, rtype, _, ttl, rdata in zone.records()
        if rtype != codes.SOA
    ]


# --- files ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a A 192.0.2.1", ["a.example.org. 300 A c0000201"]),
        ("a 1h IN A 192.0.2.1\n\t A 192.0.2.2", [f"a.example.org. 3600 A c000020{n}" for n in (1, 2)]),
        ("$TTL 1m30s\na A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1", [f"{n} A c0000201" for n in (
            "a.example.org. 90", "b.example.org. 5", "c.example.org. 90")]),
        ("a 5 A 192.0.2.1\nb A 192.0.2.1", ["a.example.org. 5 A c0000201", "b.example.org. 5 A c0000201"]),
        ("$ORIGIN sub\n@ A 192.0.2.1\n$ORIGIN test.\nx A 192.0.2.1", [
            "sub.example.org. 300 A c0000201", "x.test. 300 A c0000201"]),
        ("A.B ( A\n 192.0.2.1 ) ; comment (", ["a.b.example.org. 300 A c0000201"]),
        (';x\n\n  \na TXT "; ( " ; "\nb TXT "two\nlines"', [
            "a.example.org. 300 TXT 043b202820", "b.example.org. 300 TXT 0974776f0a6c696e6573"]),
        ("a\\.b A 192.0.2.1", ["a\\.b.example.org. 300 A c0000201"]),
        ("a TYPE65280 \\# 2 c0fe", ["a.example.org. 300 TYPE65280 c0fe"]),
        ("a TYPE1 \\# 4 c0000201", ["a.example.org. 300 A c0000201"]),
        ("$GENERATE 1-3/2 h${10,3,x} 60 A 192.0.2.$", [
            "h00b.example.org. 60 A c0000201", "h00d.example.org. 60 A c0000203"]),
        ("$generate 7-7 h$ TXT \\$$$", ["h7.example.org. 3600 TXT 022424"]),
        ("$TTL 60\n$INCLUDE other sub\nb A 192.0.2.9", [
            "in.sub.example.org. 60 A c0000201", "b.example.org. 60 A c0000209"]),
        ("a MX 1 MAIL\nA SRV 1 2 3 Host", [
            "a.example.org. 300 MX 0001046d61696c076578616d706c65036f726700",
            "A.example.org. 300 SRV 00010002000304486f7374076578616d706c65036f726700"]),
    ],
)  # fmt: skip
def test_records_are_read(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "other").write_text("in A 192.0.2.1\n$TTL 5\n$ORIGIN lost.\n")
    assert sorted(shown(zone_of(tmp_path, SOA + text))) == sorted(expected)


def test_a_class_without_a_ttl_is_a_ttl_of_zero_where_none_was_said(tmp_path: Path) -> None:
    zone = zone_of(tmp_path, "@ IN SOA ns root 7 7200 3600 1209600 60\na IN A 192.0.2.1\n A 192.0.2.2\n")
    assert shown(zone) == ["a.example.org. 0 A c0000201", "a.example.org. 0 A c0000202"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: no SOA record for example.org."),
        ("a A 192.0.2.1", "1:1: a record without TTL, and no $TTL before it"),
        (SOA + "a..b A 192.0.2.1", "2:1: 'a..b' has a label of 0 octets"),
        (SOA + "a A 192.0.2.1 extra", "2:15: unexpected 'extra' behind the data"),
        (SOA + "a A 192.0.2.1 )", "2:1: a closing parenthesis too many"),
        (SOA + "a A ( 192.0.2.1", "2:1: a closing parenthesis is missing"),
        (SOA + 'a TXT "x', "2:1: unfinished quotes or escape"),
        (SOA + "a (\n A\n 192.0.2.300 )", "4:2: A: '192.0.2.300' is no IPv4 address"),
        (SOA + "a ADDRESS 192.0.2.1", "2:3: 'ADDRESS' is neither type, class nor TTL"),
        (SOA + "@ NSEC3PARAM 1 0 0 -",
         "1:1: a zone with NSEC3PARAM, but without NSEC3 records for it, is not supported"),
        (SOA + "@ NSEC3PARAM 1 0 151 -",
         "1:1: NSEC3 with other than SHA-1, or more than 150 iterations, is not supported"),
        (SOA + f"{'0' * 32} NSEC3 1 0 0 - {'0' * 32} A",
         "1:1: a zone with NSEC3 records, but without NSEC3PARAM, is not supported"),
        (SOA + f"@ NSEC3PARAM 1 0 0 -\n{'0' * 32} NSEC3 1 0 0 - {'1' * 32} A",
         f"1:1: the chain of NSEC3 records is broken behind {'0' * 32}.example.org."),
        (SOA + f"@ NSEC3PARAM 1 0 0 -\nx NSEC3 1 0 0 - {'1' * 32} A",
         "1:1: x.example.org. is no owner of NSEC3 records"),
        (SOA + "a TYPE1 \\# 2 c0fe", "2:1: A has other fields than these 2 octets"),
        (SOA + "a TYPE2 \\# 2 c00c", "2:1: NS has other fields than these 2 octets"),
        (SOA + "a TYPE6 \\# 2 0000", "2:1: SOA has other fields than these 2 octets"),
        (SOA + "a TYPE46 \\# 2 0000", "2:1: RRSIG has other fields than these 2 octets"),
        (SOA + "$TTL", "2:1: '$TTL' lacks an argument"),
        (SOA + "$TTL 1x", "2:6: '1x' is no time"),
        (SOA + "$ORIGIN a b", "2:11: unexpected 'b' behind $ORIGIN"),
        (SOA + "$GENERATE 9-1 a A 192.0.2.$", "2:11: '9-1' is a range without numbers"),
        (SOA + "$GENERATE 1-9/0 a A 192.0.2.$", "2:11: '1-9/0' is a range without numbers"),
        (SOA + "$GENERATE 1 a A 192.0.2.$", "2:11: '1' is no range as 1-9 or 1-9/2"),
        (SOA + "$GENERATE 0-65536 a A 192.0.2.$", "2:11: '0-65536' has more than 65536 numbers"),
        (SOA + "$GENERATE 1-2 a${-2} A 192.0.2.1", "2:16: '${-2}' leads to numbers below 0 or above 2147483647"),
        (SOA + "$GENERATE 1-2 a${x} A 192.0.2.1", "2:16: '${x}' is not written as ${OFFSET,WIDTH,BASE}"),
        (SOA + "$GENERATE 1-2 a${1 A 192.0.2.1", "2:16: '${1 A 192.0.2.1' is not written as ${OFFSET,WIDTH,BASE}"),
        (SOA + "$INCLUDE gone", "2:10: cannot read 'gone', included as DIR/gone: No such file or directory"),
        (SOA + "$INCLUDE db", "2:1: files include each other more than 7 levels deep"),
        (SOA + "\tA 192.0.2.1\n$INCLUDE other", "other:1:2: the owner's name is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "other").write_text("\tA 192.0.2.1\n")
    with pytest.raises(ZoneError) as error:
        zone_of(tmp_path, text)
    found = str(error.value).replace(f"{tmp_path}/db:", "", 1).replace(f"{tmp_path}/other", "other")
    assert found.replace(str(tmp_path), "DIR") == expected


@pytest.mark.parametrize(
    ("rtype", "rdata", "expected"),
    [
        ("A", b"\xc0\xfe", "A data of 2 octets"),
        ("NS", b"\xc0\x0c", "NS data: compression pointer forward"),
        ("SOA", b"\0\0", "SOA data of a wrong length"),
        ("RRSIG", b"\0\0", "RRSIG data of 2 octets"),
    ],
)
def test_records_from_elsewhere_are_looked_at(rtype: str, rdata: bytes, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Builder(ORIGIN).add(EncodedRecord(ORIGIN, codes.TYPES[rtype], codes.IN, 60, rdata))


def test_a_pipe_is_no_zone_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is no file"):
        load(Path("/dev/zero"), ORIGIN)
    with pytest.raises(OSError, match="directory"):
        load(tmp_path, ORIGIN)


def test_the_last_soa_counts_and_the_known_serial_ends_reading(tmp_path: Path) -> None:
    zone = zone_of(tmp_path, SOA + SOA.replace(" 7 ", " 8 "))
    assert (zone.serial, len(zone.soa[0])) == (8, 1)
    (tmp_path / "db").write_text(SOA + "rubbish")
    with pytest.raises(Unchanged):
        load(tmp_path / "db", ORIGIN, known=7)


FRAGMENTS = st.sampled_from([
    SOA, "$TTL 60\n", "$ORIGIN ", "$INCLUDE db\n", "$GENERATE 1-3 ", "a A 192.0.2.1\n", "@ NS ", "a", ".", "(", ")",
    '"', ";", "\\", "\n", " ", "\t", "*.b CNAME a\n", "${1,2,d}", "TYPE2 \\# 1 00\n", "\xff", "RRSIG",
])  # fmt: skip


@given(st.one_of(st.binary(max_size=100), st.lists(FRAGMENTS, max_size=20).map(lambda parts: "".join(parts).encode())))
def test_any_file_is_a_zone_or_an_error(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "db"
    path.write_bytes(octets)
    try:
        zone = load(path, ORIGIN)
    except ZoneError as error:
        assert error.at  # noqa: PT017 - whichever of both it is, it has to be right
        return
    authority = Authority(zone, no_server)
    for name in ("example.org", "a.example.org", "x.b.example.org"):
        for qtype in ("A", "NS", "ANY"):
            reply = authority.answer(make_query(name, qtype, edns=1232, do=True))
            assert isinstance(reply, Reply)
            decode(reply.wire)


def no_server(_name: bytes, _qtype: int, _query: Query) -> Reply:
    raise Failure("no server")


def test_entries_end_where_parentheses_and_quotes_do() -> None:
    found = list(entries('a ; (\n;\nb (\n; )\n) "\n" c\nd "\\"" \\( e\n(f'))
    assert [(entry.line, entry.text) for entry in found] == [
        (1, "a ; ("), (3, 'b (\n; )\n) "\n" c'), (7, 'd "\\"" \\( e'), (8, "(f"),
    ]  # fmt: skip


def test_generate_counts_in_all_bases() -> None:
    assert list(expand("$ ${0} ${1,4} ${0,3,o} ${0,0,X} $$ \\$ \\; ", numbers("9-10"))) == [
        "9 9 0010 011 9 $ $ \\; ", "10 10 0011 012 A $ $ \\; ",
    ]  # fmt: skip


def test_canonical_order_is_that_of_rfc_4034() -> None:
    names = ["example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.", "z.example.",
             "\\001.z.example.", "*.z.example.", "\\200.z.example."]  # fmt: skip
    keys = [w.encode_name(name).lower() for name in names]
    assert sorted(set(keys), key=canonical) == keys
    assert canonical(b"\1a\0") < canonical(b"\2a\0\0") < canonical(b"\2a\1\0")


# --- files that change ---


def test_a_file_is_loaded_again_when_its_serial_is_another_one(tmp_path: Path) -> None:
    path, found = tmp_path / "db", list[Zone]()
    by_serial, by_mtime = (ZoneFile(path, ORIGIN, found.append, by_mtime=by_mtime) for by_mtime in (False, True))

    def loads(file: ZoneFile) -> int:
        before = len(found)
        asyncio.run(file.read())
        return len(found) - before

    path.write_text(SOA)
    assert (loads(by_serial), loads(by_serial), loads(by_mtime), loads(by_mtime)) == (1, 0, 1, 0)
    path.write_text(SOA + "a A 192.0.2.1\n")
    assert (loads(by_serial), loads(by_mtime)) == (0, 1)
    path.write_text(SOA.replace(" 7 ", " 6 "))
    assert (loads(by_serial), found[-1].serial) == (1, 6)
