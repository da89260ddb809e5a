"""Reply: from bytes and from records, and never changed once it was handed on."""

import asyncio

import dnslib
import pytest

from corepy import codes
from corepy import wire as w
from corepy.reply import Reply
from corepy.testing import make_query


def test_a_reply_has_id_question_and_what_comes_back_of_the_flags() -> None:
    query = make_query("Example.ORG", flags=w.RD | w.CD | w.AD | w.Z)
    reply = Reply.build(query, codes.NXDOMAIN, flags=w.AA)
    assert reply.flags == w.QR | w.AA | w.RD | w.CD | codes.NXDOMAIN
    assert reply.wire[:2] == query.wire[:2]
    assert reply.wire[12:] == query.question
    assert Reply.refused(query).rcode == codes.REFUSED
    assert Reply.failed(query).rcode == codes.SERVFAIL
    assert [reply.unserved for reply in (reply, Reply.refused(query), Reply.failed(query))] == [False, False, True]


def test_a_reply_from_text() -> None:
    authority = ["example.org. 60 IN NS ns.example.org."]
    reply = Reply.answer(make_query(), "example.org. 60 IN A 192.0.2.7", authority=authority)
    parsed = dnslib.DNSRecord.parse(reply.wire)
    assert [str(record.rdata) for record in parsed.rr + parsed.auth] == ["192.0.2.7", "ns.example.org."]
    assert parsed.header.aa
    with pytest.raises(ValueError, match="no record"):
        Reply.answer(make_query(), "example.org. 60 IN A nonsense")


def test_an_edited_reply_is_a_copy() -> None:
    reply = Reply.answer(make_query(), "example.org. 60 IN A 192.0.2.7")
    before = reply.wire
    edited = reply.edit()
    edited.record.rr[0].ttl = 5
    assert dnslib.DNSRecord.parse(edited.wire).rr[0].ttl == 5
    assert reply.wire == before
    assert reply.record.rr[0].ttl == 60


def test_a_reply_awaits_to_itself() -> None:
    reply = Reply.refused(make_query())

    async def wait() -> Reply:
        return await reply

    assert asyncio.run(wait()) is reply
    assert Reply.SILENCE.wire == b""
    assert "silence" in repr(Reply.SILENCE)
    assert "REFUSED" in repr(reply)


def test_one_more_option() -> None:
    query = make_query(edns=1232)
    plain = Reply.refused(query)
    plain.more = [b"next"]
    one = plain.with_option(codes.NSID, b"a")
    two = one.with_option(codes.COOKIE, b"\0\5")
    found = w.find_opt(two.wire)
    assert found is not None
    assert list(w.options(two.wire, found)) == [(codes.NSID, b"a"), (codes.COOKIE, b"\0\5")]
    assert (plain.plain, one.plain, w.find_opt(plain.wire)) == (True, False, None)
    assert list(two.more) == [b"next"]
