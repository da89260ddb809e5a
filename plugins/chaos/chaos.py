"""Answer TXT queries of class CH for the names that servers tell about themselves under (RFC 4892)."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import corepy
from corepy import codes
from corepy import wire as w
from corepy.plugin import Directive, Outcome, Plugin, Query, Reply

_VERSION: Final = frozenset(map(w.encode_name, ("version.bind", "version.server")))
_HOST: Final = frozenset(map(w.encode_name, ("hostname.bind", "id.server")))
_AUTHORS: Final = w.encode_name("authors.bind")
_LONGEST: Final = 255
"""Octets of a character string (RFC 1035 3.3); what is longer is cut."""


@dataclass
class Chaos(Plugin):
    """`version` and `authors` are texts; every author has a record."""

    any_class: ClassVar[bool] = True

    version: str = f"corepy-{corepy.__version__}"
    authors: tuple[str, ...] = ("the authors of corepy",)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `chaos [VERSION] [AUTHORS...]`."""
        version = directive.optional()
        if version is None:
            return cls()
        authors = sorted(set(directive.words()))
        return cls(version, tuple(authors)) if authors else cls(version)

    def serve(self, query: Query) -> Outcome:
        """Answer, the authors in a new order each time; all other queries are for the next plugin."""
        if query.qclass == codes.CH and query.qtype == codes.TXT:
            if query.key in _VERSION:
                return _answer(query, [self.version])
            if query.key in _HOST:
                return _answer(query, [os.uname().nodename])
            if query.key == _AUTHORS:
                return _answer(query, random.sample(self.authors, len(self.authors)))
        return self.next(query)


def _answer(query: Query, texts: Iterable[str]) -> Reply:
    """A TXT record for each text."""
    records = []
    for text in texts:
        data = text.encode("utf-8", "surrogateescape")[:_LONGEST]
        head = w.RECORD.pack(codes.TXT, codes.CH, 0, len(data) + 1)
        records.append(b"\xc0\x0c" + head + bytes((len(data),)) + data)
    return Reply.build(query, counts=(len(records), 0, 0), body=b"".join(records))
