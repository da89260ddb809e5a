"""Types and classes of replies, from the octets."""

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyClass, ReplyType, classify, extended_rcode, typify

SOA = "example.org. 60 IN SOA ns.example.org. admin.example.org. 1 2 3 4 5"
NS = "sub.example.org. 60 IN NS ns.sub.example.org."
A = "www.example.org. 60 IN A 192.0.2.1"
T = ReplyType


def reply(
    answer: str = "", authority: str = "", *, rcode: int = 0, qtype: str = "A", opcode: int = 0, opt: bytes = b""
) -> bytes:
    """A reply with the records of two zone file texts."""
    made = dnslib.DNSRecord.question("www.example.org", qtype).reply(ra=0, aa=1)
    made.header.id = 4660
    made.header.rcode = rcode
    made.header.opcode = opcode
    made.add_answer(*dnslib.RR.fromZone(answer))
    made.add_auth(*dnslib.RR.fromZone(authority))
    wire = bytes(made.pack())
    return w.with_additional(wire, opt) if opt else wire


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"", T.OTHERERROR),
        (b"\0" * 11, T.OTHERERROR),
        (reply()[:-1], T.OTHERERROR),
        (reply(authority=SOA)[:-1], T.OTHERERROR),
        (reply(), T.NOERROR),
        (reply(A), T.NOERROR),
        (reply(A, NS), T.NOERROR),
        (reply(A, SOA), T.NOERROR),
        (reply(authority=SOA), T.NODATA),
        (reply(authority=NS + "\n" + SOA), T.NODATA),
        (reply(authority=NS), T.DELEGATION),
        (reply(authority="example.org. 60 IN DS 1 8 2 00"), T.NOERROR),
        (reply(authority=SOA, rcode=codes.NXDOMAIN), T.NXDOMAIN),
        (reply(rcode=codes.NXDOMAIN), T.NXDOMAIN),
        (reply(A, rcode=codes.NXDOMAIN), T.OTHERERROR),
        (reply(rcode=codes.SERVFAIL), T.SERVERERROR),
        (reply(A, rcode=codes.SERVFAIL), T.SERVERERROR),
        (reply(rcode=codes.NOTIMP), T.SERVERERROR),
        (reply(rcode=codes.REFUSED), T.OTHERERROR),
        (reply(rcode=codes.FORMERR), T.OTHERERROR),
        (reply(opt=w.opt_record(1232, codes.BADVERS >> 4, 0)), T.OTHERERROR),
        (reply(qtype="AXFR"), T.META),
        (reply(qtype="IXFR", rcode=codes.REFUSED), T.META),
        (reply(opcode=codes.NOTIFY), T.META),
        (reply(opcode=5, rcode=codes.REFUSED), T.UPDATE),
        (w.HEADER.pack(1, w.QR | codes.SERVFAIL, 0, 0, 0, 0), T.SERVERERROR),
    ],
)  # fmt: skip
def test_types(wire: bytes, expected: ReplyType) -> None:
    assert typify(wire) is expected


def test_classes() -> None:
    by_class = {each: {kind.value for kind in ReplyType if classify(kind) is each} for each in ReplyClass}
    assert by_class == {
        ReplyClass.SUCCESS: {"NOERROR", "DELEGATION"},
        ReplyClass.DENIAL: {"NXDOMAIN", "NODATA"},
        ReplyClass.ERROR: {"SERVERERROR", "META", "UPDATE", "OTHERERROR"},
    }


def signed(inception: int, expiration: int) -> bytes:
    """A reply with a signature of that time."""
    data = b"\0\1\x08\3\0\0\0\x3c" + expiration.to_bytes(4, "big") + inception.to_bytes(4, "big") + b"\0\1\0sig"
    record = b"\xc0\x0c" + w.RECORD.pack(codes.RRSIG, codes.IN, 60, len(data)) + data
    return w.with_additional(reply(A), record)


@pytest.mark.parametrize(
    ("inception", "expiration", "now", "expected"),
    [
        (1000, 2000, 1000, T.NOERROR),
        (1000, 2000, 2000.9, T.NOERROR),
        (1000, 2000, 999, T.OTHERERROR),
        (1000, 2000, 2001, T.OTHERERROR),
        (0xFFFF_FF00, 0x100, 1 << 32, T.NOERROR),                # beyond the year 2106 the numbers begin anew
        (0xFFFF_FF00, 0x100, (1 << 32) + 0x101, T.OTHERERROR),
    ],
)  # fmt: skip
def test_signatures_out_of_time_for_who_wants_them(
    inception: int, expiration: int, now: float, expected: ReplyType
) -> None:
    wire = signed(inception, expiration)
    assert typify(wire, now=lambda: now) is T.NOERROR
    assert typify(wire, do=True, now=lambda: now) is expected
    told = w.with_additional(wire, w.opt_record(1232, 0, w.DO))
    assert typify(told, now=lambda: now) is expected


def test_a_signature_cut_short_is_no_reply_that_can_be_read() -> None:
    record = b"\xc0\x0c" + w.RECORD.pack(codes.RRSIG, codes.IN, 60, 3) + b"abc"
    assert typify(w.with_additional(reply(A), record), do=True) is T.OTHERERROR


def test_extended_rcode() -> None:
    assert extended_rcode(reply(rcode=codes.REFUSED)) == codes.REFUSED
    assert extended_rcode(reply(rcode=7, opt=w.opt_record(1232, 1, 0))) == 23
    assert extended_rcode(reply(rcode=7, opt=w.opt_record(1232, 1, 0))[:-1]) == 7


@given(st.binary(max_size=80), st.booleans())
def test_any_octets_have_a_type(octets: bytes, do: bool) -> None:
    assert isinstance(typify(octets, do=do), ReplyType)
    assert isinstance(typify(reply(authority=SOA)[:12] + octets, do=do), ReplyType)
