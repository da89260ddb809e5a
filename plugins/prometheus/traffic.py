"""What is counted of queries and replies: one object for each server, zone, view and transport, bumped on the way.

A query costs one number in a dict and three buckets. What CoreDNS shows as several counters is told apart when
somebody reads them.
"""

from __future__ import annotations

from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.classify import extended_rcode
from corepy.errors import Malformed
from corepy.metrics import SETTLE, SIZE_BUCKETS, Counter, Histogram
from corepy.plugin import Query, Reply

_PLACE: Final = ("server", "zone", "view")
REQUESTS: Final = Counter("dns_requests_total", "Queries.", (*_PLACE, "proto", "family", "type"))
DO_REQUESTS: Final = Counter("dns_do_requests_total", "Queries that ask for DNSSEC records.", _PLACE)
RESPONSES: Final = Counter(
    "dns_responses_total", "Replies by rcode and the plugin that made them.", (*_PLACE, "rcode", "plugin")
)
DURATION: Final = Histogram("dns_request_duration_seconds", "Seconds from a query to its reply.", _PLACE)
REQUEST_SIZE: Final = Histogram(
    "dns_request_size_bytes", "Octets of a query.", (*_PLACE, "proto"), bounds=SIZE_BUCKETS
)
RESPONSE_SIZE: Final = Histogram(
    "dns_response_size_bytes", "Octets of a reply before compression.", (*_PLACE, "proto"), bounds=SIZE_BUCKETS
)

DROPPED: Final = "dropped"
"""The zone of queries that got to no plugin: without a final dot it cannot be a real one (CoreDNS's)."""
_TYPES: Final = "A AAAA CNAME DNSKEY DS MX NSEC NSEC3 NS PTR RRSIG SOA SRV TXT HTTPS SVCB IXFR AXFR ANY"
_NAMED: Final = frozenset(map(codes.TYPES.__getitem__, _TYPES.split()))
"""The types that have a series of their own: clients must not be able to make 65,536."""
_OTHER: Final = -1

_Kind = tuple[int, bool, bool, int, str]
"""Type or _OTHER, IPv6, DO, rcode, plugin."""


class Traffic:
    """The queries of one server, zone, view and transport (`udp` or `tcp`)."""

    def __init__(self, server: str, zone: str, view: str, proto: str) -> None:
        self.place = (server, zone, view)
        self.proto = proto
        self.kinds: dict[_Kind, int] = {}
        """Queries of each kind since `settle` was called."""
        self._seconds = DURATION.of(*self.place)
        self._asked = REQUEST_SIZE.of(*self.place, proto)
        self._answered = RESPONSE_SIZE.of(*self.place, proto)

    def reply(self, query: Query, reply: Reply, plugin: str, seconds: float) -> None:
        """Count a reply that `plugin` made.

        As in CoreDNS silence is nobody's and says NOERROR, and what is left to the server is nobody's and of no size.
        """
        wire = reply.wire
        if not wire:
            self.count(query, codes.NOERROR, "", seconds, 0)
            return
        rcode = wire[3] & w.RCODE if reply.plain else extended_rcode(wire)
        if rcode and reply.unserved:
            self.count(query, rcode, "", seconds, 0)
        else:
            self.count(query, rcode, plugin, seconds, _size(wire, query.qend))

    def count(self, query: Query, rcode: int, plugin: str, seconds: float, size: int) -> None:
        """Count a query that has taken `seconds` and was answered with `size` octets before compression."""
        qtype, edns, kinds = query.qtype, query.edns, self.kinds
        do = edns is not None and edns.do
        kind = (qtype if qtype in _NAMED else _OTHER, query.ipv6, do, rcode, plugin)
        kinds[kind] = kinds.get(kind, 0) + 1
        self._seconds.add(seconds)
        self._asked.add(len(query.wire))
        self._answered.add(size)

    def settle(self) -> None:
        """Tell the kinds apart: hand them to the counters."""
        for (qtype, ipv6, do, rcode, plugin), count in self.kinds.items():
            name = "other" if qtype == _OTHER else codes.type_name(qtype)
            family = "2" if ipv6 else "1"
            _add(REQUESTS, count, *self.place, self.proto, family, name)
            _add(RESPONSES, count, *self.place, codes.rcode_label(rcode), plugin)
            if do:
                _add(DO_REQUESTS, count, *self.place)
        self.kinds.clear()


def _add(counter: Counter, count: int, *labels: str) -> None:
    counter.values[labels] = counter.values.get(labels, 0) + count


_all: Final[dict[tuple[str, str, str, str], Traffic]] = {}


def traffic(server: str, zone: str, view: str, proto: str) -> Traffic:
    """The numbers of one server, zone, view and transport; those of the process, so that a reload finds them again."""
    key = (server, zone, view, proto)
    if key not in _all:
        _all[key] = Traffic(*key)
    return _all[key]


def settle() -> None:
    """Bring all counters up to date."""
    for each in _all.values():
        each.settle()


SETTLE.append(settle)


def report(query: Query, reply: Reply) -> None:
    """Count a query that got to no plugin, or that a bug in one has failed."""
    endpoint = query.endpoint
    traffic(endpoint.server, DROPPED, "", endpoint.proto).reply(query, reply, "", 0.0)


_saved: Final[dict[tuple[int, bytes], int]] = {}
"""What compression saves, by the end of the question and the records behind it: in a question only the length matters,
so records that were seen before need not be read again. That is a tenth of the work."""
_MOST_SAVED: Final = 1024
_LONGEST_SAVED: Final = 512
"""Entries, and octets in each: most replies that are popular, in 1 MiB at the most."""


def _size(wire: bytes, qend: int) -> int:
    """Octets of a reply before compression, whose question ends at `qend`."""
    if len(wire) == qend:
        return qend
    if len(wire) > qend + _LONGEST_SAVED:
        return _uncompressed(wire)
    key = qend, wire[6:12] + wire[qend:]
    saved = _saved.get(key)
    if saved is None:
        if len(_saved) >= _MOST_SAVED:
            _saved.clear()
        saved = _saved[key] = _uncompressed(wire) - len(wire)
    return len(wire) + saved


def _uncompressed(wire: bytes) -> int:
    try:
        return w.size_uncompressed(wire)
    except Malformed:  # relayed as it came
        return len(wire)
