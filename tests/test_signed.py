"""Signed: the last word on the messages of a reply."""

from __future__ import annotations

from corepy import codes
from corepy import wire as w
from corepy.endpoint import Endpoint
from corepy.finish import further, sign
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing import message
from corepy.tsig import HMAC_SHA256, Key, Signer, Verifier, find

KEY = Key(w.encode_name("key.example."), b"0123456789abcdef")
QUERY = message("www.example.org.", "A")


def wall() -> float:
    return 1e9


def ask(wire: bytes) -> Query:
    return Query(wire, Endpoint("udp", "dns://:53"), b"")


def signed() -> tuple[Query, Signer, Verifier]:
    """A query, what signs the reply, and what checks it."""
    query = ask(Signer(KEY, HMAC_SHA256, wall).sign(QUERY))
    found = find(query.wire)
    assert found is not None
    return query, Signer(KEY, HMAC_SHA256, wall, request=found.mac), Verifier(KEY, HMAC_SHA256, wall, found.mac)


def test_a_signature_makes_a_reply_no_larger_than_the_client_takes() -> None:
    query, seal, check = signed()
    body = (b"\xc0\x0c" + w.RECORD.pack(codes.A, codes.IN, 60, 4) + b"abcd") * 29
    reply = Reply.build(query, counts=(29, 0, 0), body=body)
    assert sign(query, reply.wire) == reply.wire
    assert len(reply.wire) <= 512 < len(reply.wire) + seal.room
    assert query.signed is not None
    query.signed.seal = seal
    wire = sign(query, reply.wire)
    assert len(wire) <= 512
    assert wire[2] & w.TC >> 8
    assert check.take(wire)[12:].startswith(query.question)


def test_all_messages_of_a_transfer_are_signed() -> None:
    query, seal, check = signed()
    reply = Reply.build(query)
    reply.more = [reply.wire, reply.wire]
    assert list(further(query, reply)) == [reply.wire, reply.wire]
    assert query.signed is not None
    query.signed.seal = seal
    for wire in (sign(query, reply.wire), *further(query, reply)):
        assert check.take(wire) == reply.wire


def test_queries_share_what_is_known_of_the_signature() -> None:
    query, *_ = signed()
    assert query.with_wire(QUERY).signed is query.signed
    assert ask(QUERY).signed is None
    assert ask(message(edns=1232)).signed is None
