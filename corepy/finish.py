"""The last word on a reply: EDNS as the client spoke it, and no more octets than it takes.

Plugins do not write OPT records for themselves. What a reply from upstream brings in its OPT is kept, under the size
and flags of our client (CoreDNS's way; RFC 6891 6.2.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.options import echoed
from corepy.query import Edns, Query
from corepy.reply import Reply

_KEPT_FLAGS: Final = 0xFF00
_PADDING: Final = 12   # an EDNS option (RFC 7830)


def finish(query: Query, reply: Reply) -> bytes:
    """The octets for the client; SERVFAIL where the reply turns out to be no message."""
    wire = reply.wire
    if query.edns is None and len(wire) <= w.MIN_UDP_SIZE:
        return wire
    try:
        if query.edns is not None:
            wire = _with_edns(query.edns, reply)
            if len(wire) > query.max_size:   # padding gives way before records do
                options = tuple(option for option in query.edns.options if option[0] != _PADDING)
                wire = _with_edns(query.edns._replace(options=options), reply)
        return w.truncate(wire, query.max_size)
    except Malformed:
        return finish(query, Reply.failed(query))


def sign(query: Query, wire: bytes) -> bytes:
    """The finished octets with the signature that is due, if one is: they still fit where they are going."""
    seal = query.signed.seal if query.signed else None
    return seal.sign(w.truncate(wire, query.max_size - seal.room)) if seal else wire


def further(query: Query, reply: Reply) -> Iterator[bytes]:
    """The messages behind the first one, of a reply that has several; signed as that one is."""
    seal = query.signed.seal if query.signed else None
    return map(seal.sign, reply.more) if seal else iter(reply.more)


def _with_edns(edns: Edns, reply: Reply) -> bytes:
    """The reply with the OPT record that this client is due."""
    wire = reply.wire
    opt = None if reply.plain else w.find_opt(wire)
    if opt is None:
        options = echoed(edns) if edns.options else b""
        return w.with_additional(wire, w.opt_record(edns.size, 0, edns.flags & _KEPT_FLAGS, options))
    flags = edns.flags & w.DO | opt.ttl & _KEPT_FLAGS
    record = w.opt_record(edns.size, opt.ttl >> 24, flags, wire[opt.data : opt.end])
    return wire[: opt.start] + record + wire[opt.end :]


def bad_version(query: Query) -> Reply:
    """BADVERS for an EDNS version that nobody speaks yet (RFC 6891 6.1.3)."""
    return Reply.build(query, counts=(0, 0, 1), body=w.opt_record(0, codes.BADVERS >> 4, 0), plain=False)


def error_reply(wire: bytes, rcode: int, question: bytes = b"") -> bytes:
    """The reply to what is no proper query: its id and flags, and its question if that could be read (as CoreDNS)."""
    flags = int.from_bytes(wire[2:4], "big")
    kept = w.TC | w.RD | w.RA | w.AD | w.CD | (w.OPCODE if rcode == codes.NOTIMP else 0)
    return wire[:2] + w.HEADER.pack(0, w.QR | flags & kept | rcode, bool(question), 0, 0, 0)[2:] + question
