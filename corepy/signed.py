"""The signature of a query, and what signs the reply when nothing of it changes any more.

A query with a TSIG record has a `Signed`, shared by all queries that plugins make of it (`Query.with_wire`). A plugin
that puts a `Seal` there has the last word on every message of the reply, behind all plugins and `finish`.
"""

from __future__ import annotations

from typing import Protocol


class Seal(Protocol):
    """What signs the messages of a reply."""

    room: int
    """Octets that it adds to a message at most."""

    def sign(self, wire: bytes) -> bytes:
        """A message, signed; called for each message of a reply in turn."""


class Signed:
    """What is known of a query with a TSIG record (RFC 8945)."""

    __slots__ = ("key", "seal", "wire")

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        """The message as it came: what was signed."""
        self.key: bytes | None = None
        """The name of the key, lower case in wire form, once the signature is known to be right."""
        self.seal: Seal | None = None
        """What the reply is signed with."""


__all__ = ["Seal", "Signed"]
