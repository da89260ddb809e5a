"""Put the name server identifier into replies to queries that ask for it (RFC 5001)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from corepy import wire as w
from corepy.errors import Malformed
from corepy.options import with_options
from corepy.plugin import Directive, Outcome, Plugin, Query, Reply, after

_NSID: Final = 3


def _host() -> bytes:
    return os.uname().nodename.encode()


@dataclass
class Nsid(Plugin):
    """`data` is what clients are told: any octets, the name of the machine if nothing else is asked for."""

    once: ClassVar[bool] = True

    data: bytes = field(default_factory=_host)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `nsid [DATA]`; several words are one text."""
        words = directive.words()
        return cls(" ".join(words).encode("utf-8", "surrogateescape")) if words else cls()

    def serve(self, query: Query) -> Outcome:
        """Pass the query on; what it brings as an NSID does not matter (RFC 5001 2.1)."""
        edns = query.edns
        if edns is None or not any(code == _NSID for code, _ in edns.options):
            return self.next(query)
        return after(self.next(query), self._tell)

    def _tell(self, reply: Reply) -> Reply:
        """The reply with our identifier, in place of one that came from upstream."""
        if not reply.wire:
            return reply
        try:
            opt = None if reply.plain else w.find_opt(reply.wire)
            options = list(w.options(reply.wire, opt)) if opt else []
        except Malformed:
            return reply
        if opt is None or all(code != _NSID for code, _ in options):
            return reply.with_option(_NSID, self.data)
        ours = [(code, self.data if code == _NSID else theirs) for code, theirs in options]
        return Reply(with_options(reply.wire, opt, ours))
