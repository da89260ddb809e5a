"""Names as a zone orders them; all in wire form and lower case."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from corepy import wire as w

WILDCARD: Final = b"\1*"
"""The label that stands for others (RFC 4592 2.1.1)."""


def parent(name: bytes) -> bytes:
    """The name less its first label; of the root nothing."""
    return name[name[0] + 1 :]


def wildcard(name: bytes) -> bytes:
    """The name with `*` in place of its first label."""
    return WILDCARD + name[name[0] + 1 :]


def from_top(name: bytes, labels: int) -> list[bytes]:
    """The names that lead to a name, the shortest first and the name itself last: those with more than `labels`."""
    found = list(w.suffixes(name))
    found.reverse()
    return found[labels + 1 :]


def closest(key: bytes, zones: Container[bytes]) -> bytes | None:
    """The longest of the zones that a name is in, all as keys; None where it is in none."""
    at = 0
    while (zone := key[at:]) not in zones:
        if not key[at]:
            return None
        at += key[at] + 1
    return zone


def canonical(name: bytes) -> bytes:
    """Octets that sort as the names do in DNSSEC (RFC 4034 6.1): by the last label first, and what is absent first.

    Each label ends in two zeros; a zero in a label becomes 0 1, so that it sorts behind the end of the label.
    """
    labels = []
    at = 0
    while length := name[at]:
        labels.append(name[at + 1 : at + 1 + length].replace(b"\0", b"\0\1"))
        at += length + 1
    labels.reverse()
    return b"\0\0".join(labels) + b"\0\0"
