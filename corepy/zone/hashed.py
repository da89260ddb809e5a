"""Denial of existence by hashes: the chain of NSEC3 records (RFC 5155)."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Mapping
from hashlib import sha1
from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w

NSEC3: Final = codes.TYPES["NSEC3"]
NSEC3PARAM: Final = codes.TYPES["NSEC3PARAM"]
_SHA1: Final = 1
"""The only algorithm that there is (RFC 5155 11)."""
_MOST_ITERATIONS: Final = 150
"""What validators take; more make each denial expensive, and prove nothing (RFC 9276 3.2)."""


class Parameters(NamedTuple):
    """How names are hashed."""

    algorithm: int
    iterations: int
    salt: bytes

    def hash(self, name: bytes) -> bytes:
        """The hash of a name in wire form and lower case (RFC 5155 5)."""
        digest = sha1(name + self.salt, usedforsecurity=False).digest()
        for _ in range(self.iterations):
            digest = sha1(digest + self.salt, usedforsecurity=False).digest()
        return digest


class Chain:
    """The owners of a zone's NSEC3 records, in the order of the hashes; given with the data of a record of each.

    Raises ValueError where they do not make a closed chain: from a part of one nothing could be proved.
    """

    def __init__(self, parameters: bytes, records: Mapping[bytes, bytes]) -> None:
        """`parameters` are the data of the NSEC3PARAM record."""
        self.parameters, _ = _parameters(parameters)
        if self.parameters.algorithm != _SHA1 or self.parameters.iterations > _MOST_ITERATIONS:
            what = f"NSEC3 with other than SHA-1, or more than {_MOST_ITERATIONS} iterations"
            raise ValueError(f"{what}, is not supported")
        following = {}
        self._owners: dict[bytes, bytes] = {}
        for owner, data in records.items():
            given, at = _parameters(data)
            if given == self.parameters:
                own = _hash_of(owner)
                self._owners[own] = owner
                following[own] = data[at + 1 : at + 1 + data[at]]
        self._hashes = sorted(self._owners)
        if not self._hashes:
            raise ValueError("a zone with NSEC3PARAM, but without NSEC3 records for it, is not supported")
        for own, after in zip(self._hashes, [*self._hashes[1:], self._hashes[0]], strict=True):
            if following[own] != after:
                raise ValueError(f"the chain of NSEC3 records is broken behind {w.decode_name(self._owners[own])}")

    def matching(self, name: bytes) -> bytes | None:
        """The owner of the record that is for a name; None where there is none."""
        return self._owners.get(self.parameters.hash(name))

    def covering(self, name: bytes) -> bytes:
        """The owner of the record whose hash is that of a name, or the next one before it."""
        return self._owners[self._hashes[bisect_right(self._hashes, self.parameters.hash(name)) - 1]]


def _parameters(data: bytes) -> tuple[Parameters, int]:
    """What the data of NSEC3 or NSEC3PARAM begin with, and where that ends; flags do not count (RFC 5155 4.1.2)."""
    if len(data) < 5 or len(data) < 5 + data[4]:
        raise ValueError(f"NSEC3 data of {len(data)} octets")
    end = 5 + data[4]
    return Parameters(data[0], int.from_bytes(data[2:4], "big"), data[5:end]), end


def _hash_of(owner: bytes) -> bytes:
    """The hash in the first label of an owner."""
    label = owner[1 : owner[0] + 1].upper()
    try:
        return base64.b32hexdecode(label + b"=" * (-len(label) % 8))
    except binascii.Error:
        raise ValueError(f"{w.decode_name(owner)} is no owner of NSEC3 records") from None


__all__ = ["NSEC3", "NSEC3PARAM", "Chain", "Parameters"]
