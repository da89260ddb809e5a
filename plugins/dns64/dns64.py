"""Where a name has no AAAA records, make them of its A records (RFC 6147)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Final, Self

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyType, typify
from corepy.errors import Malformed
from corepy.metrics import Counter
from corepy.plugin import Directive, Failure, Outcome, Plugin, Query, Reply
from corepy.records import EncodedRecord, decode, encode
from corepy.words import Word, shown

WELL_KNOWN: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052 2.1."""
LENGTHS: Final = range(32, 97, 8)
"""Of prefixes: those of RFC 6052 2.2, and a few more that CoreDNS takes."""
_TTL: Final = 600
"""Seconds, at most, where no SOA record of the empty answer says more (RFC 6147 5.1.7)."""
_TRANSLATED: Final = Counter("dns64_requests_translated_total", "Queries that got addresses made here.", ("server",))


@dataclass
class Dns64(Plugin):
    """Addresses are in `prefix`, whose length is in LENGTHS."""

    prefix: IPv6Network = WELL_KNOWN
    translate_all: bool = False
    """Whether to do so, too, where there are AAAA records."""
    allow_ipv4: bool = False
    """Whether clients that ask over IPv4 get such addresses, too."""

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin; of what several lines say, the last one counts."""
        plugin = cls()
        for directive in directives:
            word = directive.optional()
            if word is not None:
                plugin.prefix = _prefix(directive, word)
            for option in directive.options("prefix", "translate_all", "allow_ipv4"):
                if option.name == "prefix":
                    plugin.prefix = _prefix(option, option.word("a prefix such as 64:ff9b::/96"))
                elif option.name == "translate_all":
                    plugin.translate_all = True
                else:
                    plugin.allow_ipv4 = True
        return [plugin]

    def serve(self, query: Query) -> Outcome:
        """Pass the query on; look at the reply where IPv6 addresses are asked for over IPv6."""
        if query.qtype != codes.AAAA or query.qclass != codes.IN or not (self.allow_ipv4 or query.ipv6):
            return self.next(query)
        outcome = self.next(query)
        if isinstance(outcome, Reply) and not self._needs_addresses(outcome):
            return outcome
        return self._look_at(query, outcome)

    async def _look_at(self, query: Query, outcome: Outcome) -> Reply:
        reply = await outcome
        if not self._needs_addresses(reply):
            return reply
        with_a = await self.resolve(query.key, codes.A, query)
        try:
            translated = self._translated(query, reply, with_a)
        except Malformed as error:
            raise Failure(f"no reply to translate: {error}") from None
        _TRANSLATED.add(query.endpoint.server)
        return translated

    def _needs_addresses(self, reply: Reply) -> bool:
        """Whether a reply is in want of AAAA records: an error is like an empty answer, but a name that is not is not.

        RFC 6147 5.1.1, 5.1.2, 5.1.6.
        """
        if not reply.wire or typify(reply.wire) is ReplyType.NXDOMAIN:
            return False
        if self.translate_all:
            return True
        try:
            return not any(
                record.section == w.ANSWER and record.rtype == codes.AAAA for record in w.records(reply.wire)
            )
        except Malformed:
            return False

    def _translated(self, query: Query, empty: Reply, with_a: Reply) -> Reply:
        """The reply for A records as one for AAAA records; `empty` is the one that has none (RFC 6147 5.3)."""
        most = _soa_ttl(empty)
        answer, authority, additional = decode(with_a.wire)
        answer = [self._aaaa(record, most) if record.rtype == codes.A else record for record in answer]
        plain = all(record.rtype != codes.OPT for record in additional)
        counts = (len(answer), len(authority), len(additional))
        body = encode(query.qname, answer, authority, additional)
        return Reply.build(query, flags=with_a.flags & w.TC, counts=counts, body=body, plain=plain)

    def _aaaa(self, record: EncodedRecord, most: int) -> EncodedRecord:
        if len(record.rdata) != 4:
            raise Malformed("an A record without an address")
        return record._replace(
            rtype=codes.AAAA, ttl=min(record.ttl, most), rdata=embed(self.prefix, record.rdata)
        )


def embed(prefix: IPv6Network, address: bytes) -> bytes:
    """The IPv6 address, 16 octets, for an IPv4 address of 4: behind the prefix, around octet 8 (RFC 6052 2.2)."""
    behind = prefix.prefixlen // 8
    front = prefix.network_address.packed[:behind] + address[: max(8 - behind, 0)]
    rest = address[max(8 - behind, 0) :]
    return (front + b"\0" * (len(front) == 8) + rest).ljust(16, b"\0")


def _soa_ttl(reply: Reply) -> int:
    """The TTL of the SOA record in the authority section."""
    ttl = _TTL
    for record in w.records(reply.wire):
        if record.section == w.AUTHORITY and record.rtype == codes.SOA:
            ttl = record.ttl
    return ttl


def _prefix(directive: Directive, word: Word) -> IPv6Network:
    network = directive.as_network(word)
    if not isinstance(network, IPv6Network) or network.prefixlen not in LENGTHS:
        expected = "an IPv6 prefix of 32, 40, 48, 56, 64, 72, 80, 88 or 96 bits"
        raise directive.error(f"invalid argument {shown(word)}", word, expected)
    return network
