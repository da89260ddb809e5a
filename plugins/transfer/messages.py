"""A zone as the messages of a transfer (RFC 5936 2.2, RFC 1995 4): the SOA record first, and once more at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.plugin import Query, Reply
from corepy.records import EncodedRecord, encode
from corepy.zone import Difference, Zone

_FULL: Final = 63_000
"""Octets of records, before names are compressed, that a message has at most: with header, question, and what may be
added to sign it there is still room in 64 KiB (CoreDNS's figure)."""
_FIXED: Final = w.RECORD.size


def whole(query: Query, zone: Zone) -> Reply:
    """The reply to AXFR, or to IXFR where the differences are not known (RFC 1995 4)."""
    return _reply(query, chain(zone.records(), zone.soa[False][:1]))


def incremental(query: Query, zone: Zone, differences: Sequence[Difference]) -> Reply:
    """The reply to IXFR from who has the version that the differences begin with."""
    soa = zone.soa[False][:1]
    steps = chain.from_iterable((step.before, *step.removed, step.after, *step.added) for step in differences)
    return _reply(query, chain(soa, steps, soa))


def unchanged(query: Query, zone: Zone) -> Reply:
    """The reply to IXFR from who has this version: the SOA record alone (RFC 1995 2)."""
    return Reply.build(query, counts=(1, 0, 0), body=encode(query.qname, zone.soa[False][:1]))


def _reply(query: Query, records: Iterable[EncodedRecord]) -> Reply:
    messages = _messages(query, records)
    reply = Reply(next(messages), plain=True)
    reply.more = messages
    return reply


def _messages(query: Query, records: Iterable[EncodedRecord]) -> Iterator[bytes]:
    batch: list[EncodedRecord] = []
    size = 0
    for record in records:
        needs = len(record.owner) + _FIXED + len(record.rdata)
        if batch and size + needs > _FULL:
            yield _message(query, batch)
            batch, size = [], 0
        batch.append(record)
        size += needs
    yield _message(query, batch)


def _message(query: Query, batch: list[EncodedRecord]) -> bytes:
    body = encode(query.qname, batch)
    return Reply.build(query, flags=w.AA, counts=(len(batch), 0, 0), body=body).wire


def known_serial(query: Query) -> int | None:
    """The serial that an IXFR query says its client has (RFC 1995 3); None where it does not say one."""
    found = [record for record in w.records(query.wire, query.qend) if record.section == w.AUTHORITY]
    if len(found) != 1 or found[0].rtype != codes.SOA:
        return None
    try:
        at = w.skip_name(query.wire, w.skip_name(query.wire, found[0].data))
    except Malformed:
        return None
    return int.from_bytes(query.wire[at : at + 4], "big") if at + 20 == found[0].end else None
