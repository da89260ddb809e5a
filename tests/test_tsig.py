"""TSIG: signatures as another implementation makes them, all ways in which one can be wrong, and any octets."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes, tsig
from corepy import wire as w
from corepy.errors import Malformed
from corepy.testing import message
from corepy.tsig import HMAC_SHA256, ErrorSigner, Key, KeySource, Rejected, Signer, Verifier, find, read_secret, verify

KEY = Key(w.encode_name("key.example."), b"0123456789abcdef")
OTHER = Key(KEY.name, b"another secret")
KEYS = {KEY.name: KEY}
NOW = 1_700_000_000.5
QUERY = message("www.example.org.", "A")


def wall() -> float:
    return NOW


def signed(wire: bytes = QUERY, key: Key = KEY, algorithm: bytes = HMAC_SHA256, now: float = NOW) -> bytes:
    return Signer(key, algorithm, lambda: now).sign(wire)


def outcome(wire: bytes, now: float = NOW) -> str:
    """What becomes of a query: the name of its key, or what is wrong with its signature."""
    try:
        signature = find(wire)
        assert signature is not None
        return str(verify(wire, signature, KEYS, now))
    except (Rejected, Malformed) as error:
        return str(error)


# --- queries ---


@pytest.mark.parametrize(
    ("algorithm", "mac"),
    [   # made by dnspython
        ("hmac-sha1", "019d5489598a6c804707547711ce16cb6ea10a84"),
        ("hmac-sha224", "f0d30f5457b8b7916681df3a5b4dff967fe93ad7e57c531853176b33"),
        ("hmac-sha256", "7a3326554f33762122d6efc1631275709c4c3a769e3f073ead2f59c077ddac65"),
        ("hmac-sha384",
         "9e6e1c11f71d67f372c010218c00a089cc3b02d6e442efa0b2f8982bfa2638832eb7167b92c48881bff49cc8dfe2f633"),
        ("hmac-sha512",
         ("f3be92c563c58f098893fcb1ef185b92675ed4be335717bf23ee1f8ff9761e2f82e529a484a606bf"
          "411f2b97bb2a4df90ffcea0ca38d342c63d3649d2acd2151")),
    ],
)  # fmt: skip
def test_signatures_are_those_of_other_implementations(algorithm: str, mac: str) -> None:
    wire = signed(message("www.example.org.", "A", flags=w.RD), algorithm=w.encode_name(algorithm))
    found = find(wire)
    assert found is not None
    assert found.mac.hex() == mac
    assert (found.name, found.time, found.fudge, found.error, found.other) == (KEY.name, int(NOW), 300, 0, b"")
    assert tsig.without(wire, found) == QUERY
    assert outcome(wire) == "key.example."


def test_the_id_and_the_case_of_names_may_change_on_the_way() -> None:
    wire = signed()
    at = wire.index(KEY.name)
    assert outcome(b"\0\1" + wire[2:at] + KEY.name.upper() + wire[at + len(KEY.name) :]) == "key.example."


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (signed(key=OTHER), "BADSIG"),
        (signed(key=Key(w.encode_name("other."), KEY.secret)), "BADKEY"),
        (signed().replace(b"\3www", b"\3wwx"), "BADSIG"),
        (signed().replace(HMAC_SHA256, w.encode_name("hmac-sha255")), "BADSIG"),
        (signed(now=NOW - 300), "key.example."),
        (signed(now=NOW + 300), "key.example."),
        (signed(now=NOW - 301), "BADTIME"),
        (signed(now=NOW + 301), "BADTIME"),
        (signed(key=OTHER, now=NOW - 301), "BADSIG"),
    ],
)
def test_what_is_wrong_with_a_signature(wire: bytes, expected: str) -> None:
    assert outcome(wire) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "MAC of 0 octets"), (15, "MAC of 15 octets"), (16, "BADTRUNC"), (31, "BADTRUNC"), (33, "MAC of 33 octets")],
)
def test_macs_of_another_size_do_not_count(size: int, expected: str) -> None:
    wire = signed()
    signature = find(wire)
    assert signature is not None
    cut = signature._replace(mac=(signature.mac + b"\0")[:size])
    assert outcome(w.with_additional(QUERY, tsig._record(cut))) == expected


RECORD = tsig._record(tsig.Signature(0, KEY.name, HMAC_SHA256, 0, 0, b"m" * 32, b"\0\0", 0, b""))
TXT = b"\0" + w.RECORD.pack(codes.TXT, codes.IN, 0, 1) + b"\0"


@pytest.mark.parametrize(
    "wire",
    [
        w.with_additional(w.with_additional(QUERY, RECORD), TXT),
        w.with_additional(w.with_additional(QUERY, RECORD), RECORD),
        QUERY[:6] + b"\0\1" + QUERY[8:] + RECORD,
        w.with_additional(QUERY, RECORD.replace(b"\0\xfa\0\xff", b"\0\xfa\0\1")),
        w.with_additional(QUERY, RECORD.replace(b"\0\xff\0\0\0\0", b"\0\xff\0\0\0\1")),
        w.with_additional(QUERY, b"\0" + w.RECORD.pack(codes.TSIG, 255, 0, 0)),
        w.with_additional(QUERY, b"\0" + w.RECORD.pack(codes.TSIG, 255, 0, 20) + HMAC_SHA256 + bytes(7)),
    ],
    ids=["not last", "two", "answer", "class", "TTL", "empty", "cut"],
)
def test_tsig_records_that_are_malformed(wire: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        find(wire)
    assert caught.value.rcode == codes.FORMERR


@given(st.binary(max_size=120), st.binary(max_size=40))
def test_any_octets_are_a_record_or_malformed(data: bytes, tail: bytes) -> None:
    record = KEY.name + w.RECORD.pack(codes.TSIG, 255, 0, len(data)) + data
    for wire in (w.with_additional(QUERY, record), w.HEADER.pack(0, 0, 0, 0, 0, 1) + data + tail):
        try:
            found = find(wire)
        except Malformed:
            continue
        if found is not None:
            assert tsig._record(found)[-len(found.mac + found.other) - 6 :].startswith(found.mac)
            assert outcome(wire) != "key.example."


# --- replies ---


def verifier(query: bytes) -> Verifier:
    found = find(query)
    assert found is not None
    return Verifier(KEY, HMAC_SHA256, wall, found.mac)


def signer(query: bytes) -> Signer:
    found = find(query)
    assert found is not None
    return Signer(KEY, HMAC_SHA256, wall, request=found.mac)


def test_all_messages_of_a_reply_are_signed_one_upon_the_other() -> None:
    query, reply = signed(), message("www.example.org.", flags=w.QR)
    made, check = signer(query), verifier(query)
    for number in range(3):
        wire = made.sign(reply)
        assert len(wire) == len(reply) + made.room
        assert check.take(wire) == reply, number
    assert check.complete
    with pytest.raises(Rejected, match="BADSIG"):   # out of turn
        check.take(signer(query).sign(reply))


@pytest.mark.parametrize(("unsigned", "good"), [(1, True), (99, True), (100, False)])
def test_messages_between_signed_ones_need_not_be(unsigned: int, good: bool) -> None:
    query, reply = signed(), message("www.example.org.", flags=w.QR)
    made, check = signer(query), verifier(query)
    check.take(made.sign(reply))
    mac = tsig._Mac(KEY, HMAC_SHA256, made.mac)
    with nullcontext() if good else pytest.raises(Rejected, match="the reply is not signed"):
        for _ in range(unsigned):
            mac.update(reply)
            check.take(reply)
            assert not check.complete
        last = tsig.Signature(0, KEY.name, HMAC_SHA256, int(NOW), 300, b"", reply[:2], 0, b"")
        mac.update(reply + tsig._variables(last, timers_only=True))
        check.take(w.with_additional(reply, tsig._record(last._replace(mac=mac.digest()))))
    assert check.complete == good


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (QUERY, "the reply is not signed"),
        (signed(key=OTHER), "BADSIG"),
        (signed(), "BADSIG"),   # it is not one to our query
        (signed(key=Key(w.encode_name("other."), KEY.secret)), "BADKEY"),
    ],
)
def test_replies_that_do_not_count(wire: bytes, expected: str) -> None:
    with pytest.raises(Rejected, match=expected):
        verifier(signed()).take(wire)


@pytest.mark.parametrize("error", [tsig.BADSIG, tsig.BADKEY, tsig.BADTIME, tsig.BADTRUNC])
def test_errors_are_told_with_a_signature_where_there_is_a_key(error: int) -> None:
    query, reply = signed(now=NOW - 1000), message("www.example.org.", flags=w.QR)
    signature = find(query)
    assert signature is not None
    made = ErrorSigner(error, signature, KEYS, wall)
    wire = made.sign(reply)
    assert len(wire) <= len(reply) + made.room
    found = find(wire)
    assert found is not None
    assert found.error == error
    assert bool(found.mac) == (error in (tsig.BADTIME, tsig.BADTRUNC))
    assert (found.time, found.other) == {
        tsig.BADTIME: (int(NOW) - 1000, int(NOW).to_bytes(6, "big")), tsig.BADTRUNC: (int(NOW), b""),
    }.get(error, (0, b""))  # fmt: skip
    now = NOW - 1000 if error == tsig.BADTIME else NOW
    check = Verifier(KEY, HMAC_SHA256, lambda: now, signature.mac)
    with pytest.raises(Rejected) as caught:
        check.take(wire)
    assert caught.value.error == error


# --- keys ---


def test_secrets_are_not_shown() -> None:
    assert "0123" not in repr(KEY) + str(KEY)
    for text in ("0123secret!", "QUJD=", "QUJDR", "", "ä"):
        with pytest.raises(ValueError, match="the secret is") as caught:
            read_secret(text)
        assert not text or text not in str(caught.value)
        assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert read_secret("QUJD") == b"ABC"


def test_a_plugin_with_keys() -> None:
    class Source:
        def tsig_key(self, name: bytes) -> Key | None:
            return KEYS.get(name)

    assert isinstance(Source(), KeySource)
    assert not isinstance(object(), KeySource)
