"""Queries for tests, made from what a person would write."""

from __future__ import annotations

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.endpoint import Endpoint
from corepy.query import Query


def message(
    name: str = "example.org.",
    qtype: str = "A",
    *,
    qclass: int = codes.IN,
    flags: int = w.RD,
    message_id: int = 4660,
    edns: int | None = None,
    do: bool = False,
    options: bytes = b"",
) -> bytes:
    """A query as octets; `edns` is the size in its OPT record, None for no OPT. Raises ValueError for no name."""
    rtype = codes.TYPES[qtype] if qtype in codes.TYPES else int(qtype.removeprefix("TYPE"))
    additional = b"" if edns is None else w.opt_record(edns, 0, w.DO if do else 0, options)
    head = w.HEADER.pack(message_id, flags, 1, 0, 0, edns is not None)
    return head + w.encode_name(name) + w.QUESTION.pack(rtype, qclass) + additional


def make_query(
    name: str = "example.org.",
    qtype: str = "A",
    *,
    client: str = "192.0.2.1",
    port: int = 4242,
    transport: str = "udp",
    edns: int | None = None,
    do: bool = False,
    qclass: int = codes.IN,
    flags: int = w.RD,
) -> Query:
    """A Query as if it had come from `client`, to 192.0.2.53 port 53."""
    wire = message(name, qtype, qclass=qclass, flags=flags, edns=edns, do=do)
    local = Address.of("192.0.2.53", 53)
    return Query(wire, Endpoint(transport, "dns://:53"), Address.of(client, port), local)
