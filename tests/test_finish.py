"""The last word on a reply."""

import dnslib
import pytest

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.finish import bad_version, error_reply, finish
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing import make_query, message


def opt_of(wire: bytes) -> tuple[int, int, bytes] | None:
    opt = w.find_opt(wire)
    return opt and (opt.rclass, opt.ttl, wire[opt.data : opt.end])


def with_options(options: bytes) -> Query:
    plain = make_query()
    return Query(message(edns=1232, do=True, options=options), plain.endpoint, plain.client)


def test_without_edns_a_reply_goes_as_it_is() -> None:
    reply = Reply.refused(make_query())
    assert finish(make_query(), reply) is reply.wire


def test_the_reply_speaks_edns_as_the_client_did() -> None:
    query = make_query(edns=4000, do=True)
    assert opt_of(finish(query, Reply.refused(query))) == (4000, w.DO, b"")


def test_some_options_come_back_and_the_others_do_not() -> None:
    nsid, cookie, subnet, unknown = b"\0\3\0\0", b"\0\x0a\0\x08abcdefgh", b"\0\x08\0\4\0\1\0\0", b"\xfd\xe9\0\1x"
    query = with_options(nsid + subnet + cookie + unknown)
    assert opt_of(finish(query, Reply.refused(query))) == (1232, w.DO, nsid + cookie)


def test_what_upstream_says_in_its_opt_is_kept_under_our_clients_size() -> None:
    query = make_query(edns=1400, do=True)
    reply = Reply(w.with_additional(Reply.failed(query).wire, w.opt_record(4096, 1, w.DO, b"\0\x0f\0\2\0\x16")))
    assert opt_of(finish(query, reply)) == (1400, 1 << 24 | w.DO, b"\0\x0f\0\2\0\x16")


def test_too_much_for_udp_is_truncated_and_not_for_tcp() -> None:
    records = [f"example.org. 60 IN TXT {'x' * 200}" for _ in range(5)]
    for query, size, truncated in (
        (make_query(), 512, True),
        (make_query(edns=1232), 1232, False),
        (make_query(transport="tcp"), 65535, False),
    ):
        wire = finish(query, Reply.answer(query, *records))
        parsed = dnslib.DNSRecord.parse(wire)
        assert len(wire) <= size
        assert bool(parsed.header.tc) is truncated
        assert (len(parsed.rr) == 5) is not truncated


@pytest.mark.parametrize("option", [b"\0\x0c", b"\0\x0a"])
@pytest.mark.parametrize("size", [0, 300, 470, 471, 1300, 40_000])
def test_no_option_of_a_query_makes_a_reply_too_large(option: bytes, size: int) -> None:
    plain = make_query(edns=512)
    wire = message(edns=512, options=option + size.to_bytes(2, "big") + bytes(size))
    query = Query(wire, plain.endpoint, plain.client)
    reply = finish(query, Reply.answer(query, "example.org. 60 IN A 192.0.2.7"))
    assert len(reply) <= 512
    parsed = dnslib.DNSRecord.parse(reply)
    assert parsed.ar[-1].rtype == codes.OPT
    if option == b"\0\x0c":
        assert len(parsed.rr) == 1  # padding gives way before records do


def test_bad_version() -> None:
    query = make_query(edns=1232)
    wire = bad_version(query).wire
    assert opt_of(wire) == (0, 1 << 24, b"")
    assert wire[3] & 0xF == 0


@pytest.mark.parametrize(
    ("flags", "rcode", "expected"),
    [
        (w.RD, codes.FORMERR, w.QR | w.RD | codes.FORMERR),
        (2 << 11 | w.RD, codes.NOTIMP, w.QR | 2 << 11 | w.RD | codes.NOTIMP),
        (4 << 11 | w.Z | w.AA, codes.FORMERR, w.QR | codes.FORMERR),
    ],
)
def test_replies_to_what_is_no_query(flags: int, rcode: int, expected: int) -> None:
    wire = error_reply(b"\x12\x34" + flags.to_bytes(2, "big") + b"\0\1garbage", rcode)
    assert wire == w.HEADER.pack(0x1234, expected, 0, 0, 0, 0)


def test_a_question_comes_back_where_what_follows_it_is_malformed() -> None:
    asked = make_query()
    with pytest.raises(Malformed) as caught:
        asked.with_wire(asked.wire[:11] + b"\1" + asked.wire[12:] + b"\0\0\x29")
    wire = error_reply(asked.wire, codes.FORMERR, caught.value.question)
    assert wire[4:] == b"\0\1\0\0\0\0\0\0" + asked.question


def test_a_reply_that_is_no_message_becomes_servfail() -> None:
    query = make_query(edns=1232)
    broken = Reply(Reply.refused(query).wire[:6] + b"\0\1\0\0\0\1" + query.question)
    wire = finish(query, broken)
    assert wire[3] & 0xF == codes.SERVFAIL
    assert opt_of(wire) == (1232, 0, b"")
