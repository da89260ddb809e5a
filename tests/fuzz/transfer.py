"""What comes with a zone transfer: its messages, and signatures."""

from __future__ import annotations

from contextlib import suppress

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.plugins.secondary.reading import Reading, build
from corepy.records import EncodedRecord, encode, parse_record
from corepy.stream import Framer, frame
from corepy.testing import message
from corepy.tsig import HMAC_SHA256, Key, Rejected, Signer, find, verify
from corepy.zone import Builder
from tests.fuzz.target import target

ORIGIN = w.encode_name("example.org")


def record(text: str) -> EncodedRecord:
    return parse_record(text, origin=ORIGIN)


def response(*texts: str) -> bytes:
    """A message of a transfer."""
    head = w.HEADER.pack(0, w.QR | w.AA, 1, len(texts), 0, 0)
    return head + ORIGIN + w.QUESTION.pack(codes.AXFR, codes.IN) + encode(ORIGIN, list(map(record, texts)))


OLD, NEW = "@ 60 SOA ns admin 1 2 3 4 5", "@ 60 SOA ns admin 2 2 3 4 5"


@target(
    b"\0" + frame(response(NEW, "@ 60 NS ns", "a 60 A 192.0.2.1")) + frame(response("*.b 60 CNAME a", NEW)),
    b"\1" + frame(response(NEW, OLD, "a 60 A 192.0.2.1", NEW, "a 60 A 192.0.2.2", NEW)),
    b"\1" + frame(response(NEW)),
)
def transfers(data: bytes) -> None:
    """The messages of a primary; the first octet says whether we have the zone before this one."""
    known = 1 if data[:1] == b"\1" else None
    old = None
    if known:
        builder = Builder(ORIGIN)
        for text in (OLD, "@ 60 NS ns", "a 60 A 192.0.2.1"):
            builder.add(record(text))
        old = builder.build()
    reading, wires = Reading(known), []
    for wire in Framer().feed(data[1:]):
        if len(wire) < w.HEADER.size:  # no message at all, and not taken for one
            return
        wires.append(wire)
        if reading.take(wire):
            break
    with suppress(ValueError, Malformed):
        build(ORIGIN, wires, old, incremental=reading.incremental)


NOW = 1_700_000_000.5
KEY = Key(w.encode_name("key.example."), b"0123456789abcdef")
SIGNED = Signer(KEY, HMAC_SHA256, lambda: NOW).sign(message(edns=1232))


@target(SIGNED, SIGNED[:-3], message())
def signatures(data: bytes) -> None:
    """A message that may be signed: what is taken for signed is what was."""
    if len(data) < w.HEADER.size:
        return
    with suppress(Rejected, Malformed):
        signature = find(data)
        if signature is not None:
            verify(data, signature, {KEY.name: KEY}, NOW)
            assert data[12:].lower().startswith(SIGNED[12:].lower())  # octets behind the message are nobody's
