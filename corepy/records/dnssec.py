"""Fields of the types of DNSSEC (RFC 4034, RFC 5155, RFC 4398)."""

from __future__ import annotations

import base64
import binascii
from calendar import timegm
from collections.abc import Iterable
from time import strptime
from typing import Final

from corepy.records.fields import Fields, counted, read_hex, read_type

_ALGORITHMS: Final = {
    "RSAMD5": 1, "DH": 2, "DSA": 3, "RSASHA1": 5, "DSA-NSEC3-SHA1": 6, "RSASHA1-NSEC3-SHA1": 7, "RSASHA256": 8,
    "RSASHA512": 10, "ECC-GOST": 12, "ECDSAP256SHA256": 13, "ECDSAP384SHA384": 14, "ED25519": 15, "ED448": 16,
    "INDIRECT": 252, "PRIVATEDNS": 253, "PRIVATEOID": 254,
}  # fmt: skip
"""IANA, DNS Security Algorithm Numbers."""
_CERTIFICATES: Final = {
    "PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8, "URI": 253,
    "OID": 254,
}  # fmt: skip
"""RFC 4398 2.1."""


def algorithm(fields: Fields) -> bytes:
    """The number of an algorithm, or its name."""
    known = _ALGORITHMS.get((fields.peek() or "").upper())
    if known is None:
        return fields.number(1)
    fields.word()
    return bytes((known,))


def certificate_type(fields: Fields) -> bytes:
    """The number of a kind of certificate, or its name."""
    known = _CERTIFICATES.get((fields.peek() or "").upper())
    if known is None:
        return fields.number(2)
    fields.word()
    return known.to_bytes(2, "big")


def salt(fields: Fields) -> bytes:
    """Hexadecimal behind its length; `-` for none (RFC 5155 3.3)."""
    word = fields.word()
    return b"\0" if word == "-" else counted(read_hex(word))


def hashed_owner(fields: Fields) -> bytes:
    """Base32 with the extended hex alphabet and without padding, behind its length (RFC 5155 3.3)."""
    word = fields.word().upper()
    try:
        return counted(base64.b32hexdecode(word + "=" * (-len(word) % 8)))
    except binascii.Error:
        raise ValueError(f"{word!r} is no hashed name") from None


def type_bitmap(fields: Fields) -> bytes:
    """All further words: the types that a name has (RFC 4034 4.1.2)."""
    types = []
    for word in fields.rest():
        number = read_type(word)
        if number is None:
            raise ValueError(f"{word!r} is no type")
        types.append(number)
    return encode_bitmap(types)


def encode_bitmap(types: Iterable[int]) -> bytes:
    """Types as windows of bits, each with its number and length (RFC 4034 4.1.2)."""
    windows: dict[int, bytearray] = {}
    for number in sorted(set(types)):
        window = windows.setdefault(number >> 8, bytearray())
        at = (number & 0xFF) >> 3
        window.extend(bytes(at + 1 - len(window)))
        window[at] |= 0x80 >> (number & 7)
    return b"".join([bytes((number, len(bits))) + bits for number, bits in windows.items()])


def rrsig(fields: Fields) -> bytes:
    """A signature (RFC 4034 3.2)."""
    covered = read_type(fields.word())
    if covered is None:
        raise ValueError("no type that is covered")
    head = covered.to_bytes(2, "big") + algorithm(fields) + fields.number(1) + fields.number(4)
    return head + _time(fields) + _time(fields) + fields.number(2) + fields.name() + fields.base64()


def _time(fields: Fields) -> bytes:
    """YYYYMMDDHHmmSS in UTC, or seconds since 1970; 32 bits that wrap (RFC 4034 3.1.5)."""
    word = fields.peek() or ""
    if len(word) != 14:
        return fields.number(4)
    fields.word()
    try:
        return (timegm(strptime(word, "%Y%m%d%H%M%S")) & 0xFFFFFFFF).to_bytes(4, "big")
    except ValueError:
        raise ValueError(f"{word!r} is no time") from None
