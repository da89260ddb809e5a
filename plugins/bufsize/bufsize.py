"""Take a client's EDNS size for no more than a limit, towards plugins, upstreams and the client itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from corepy import wire as w
from corepy.plugin import Directive, Outcome, Plugin, Query

DEFAULT: Final = 1232
"""Octets that fit into a datagram without fragments nearly everywhere (DNS Flag Day 2020)."""
LOWEST: Final = w.MIN_UDP_SIZE
HIGHEST: Final = 4096
"""CoreDNS's bound: what resolvers used to say before 2020."""


@dataclass
class Bufsize(Plugin):
    """`size` is the limit in octets. Queries without EDNS have 512 anyway (RFC 1035 2.3.4)."""

    once: ClassVar[bool] = True

    size: int = DEFAULT

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `bufsize [SIZE]`."""
        word = directive.optional()
        return cls() if word is None else cls(directive.as_integer(word, "a size in octets", LOWEST, HIGHEST))

    def serve(self, query: Query) -> Outcome:
        """Pass on the query with the size that it may have."""
        edns = query.edns
        if edns is None or edns.size <= self.size:
            return self.next(query)
        wire, opt = query.wire, w.find_opt(query.wire, query.qend)
        assert opt is not None  # noqa: S101 - that is where `edns` is from
        # What leaves the server is cut for the query that came in: it has to say the same.
        query.edns = edns._replace(size=self.size)
        at = opt.data - 8
        return self.next(query.with_wire(wire[:at] + self.size.to_bytes(2, "big") + wire[at + 2 :]))
