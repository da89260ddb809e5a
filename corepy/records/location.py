"""Data about places and networks: LOC (RFC 1876), APL (RFC 3123)."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

from corepy.records.fields import Fields

_EQUATOR: Final = 1 << 31
_DEFAULTS: Final = ("1m", "10000m", "10m")
"""Size, horizontal and vertical precision of a place that does not say them (RFC 1876 3)."""
_METRES: Final = re.compile(r"(-?)([0-9]{1,8}(?=[.mM]|$))?(?:\.([0-9]{1,2}))?[mM]?", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,3})?", re.ASCII)


def loc(fields: Fields) -> bytes:
    """Latitude, longitude, altitude, and perhaps size and precisions."""
    angles = _angle(fields, 90, "NS") + _angle(fields, 180, "EW")
    altitude = _centimetres(fields.word()) + 10_000_000
    if not 0 <= altitude < 1 << 32:
        raise ValueError("an altitude that does not fit")
    given = fields.rest()
    if len(given) > len(_DEFAULTS):
        raise ValueError(f"unexpected {given[len(_DEFAULTS)]!r}")
    sizes = bytes([_size(word) for word in [*given, *_DEFAULTS[len(given) :]]])
    return b"\0" + sizes + angles + altitude.to_bytes(4, "big")


def _angle(fields: Fields, limit: int, directions: str) -> bytes:
    """`42 21 54 N` as thousandths of a second from the equator or prime meridian; minutes and seconds are optional."""
    parts = [0, 0, 0]
    for index, bound in enumerate((limit, 59, 59.999)):
        word = fields.word()
        if word.upper() in tuple(directions) and index:
            return _signed(word, parts, limit, directions)
        whole = word.isdecimal() and len(word) < 4
        if not (whole or (index == 2 and _SECONDS.fullmatch(word))) or float(word) > bound:
            raise ValueError(f"{word!r} is no part of an angle")
        seconds, _, thousandths = word.partition(".")
        parts[index] = int(seconds) * 1000 + int(thousandths.ljust(3, "0"))
    return _signed(fields.word(), parts, limit, directions)


def _signed(direction: str, parts: list[int], limit: int, directions: str) -> bytes:
    value = parts[0] * 3600 + parts[1] * 60 + parts[2]
    if direction.upper() not in tuple(directions) or value > limit * 3_600_000:
        raise ValueError(f"{direction!r} where {' or '.join(directions)} belongs, or too far")
    return (_EQUATOR + (value if direction.upper() == directions[0] else -value)).to_bytes(4, "big")


def _centimetres(word: str) -> int:
    match = _METRES.fullmatch(word)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{word!r} is no length in metres")
    value = int(match[2] or 0) * 100 + int((match[3] or "").ljust(2, "0"))
    return -value if match[1] else value


def _size(word: str) -> int:
    """A length as mantissa and power of ten, four bits each (RFC 1876 2)."""
    value, exponent = _centimetres(word), 0
    while value >= 10:
        value, exponent = value // 10, exponent + 1
    if value < 0:
        raise ValueError(f"{word!r} is negative")
    return value << 4 | exponent


def apl(fields: Fields) -> bytes:
    """Networks, `1:192.0.2.0/24` or `!2:2001:db8::/32`, zeros at the end of the address left out."""
    parts = []
    for word in fields.rest():
        family, _, text = word.removeprefix("!").partition(":")
        network = ip_network(text)
        if family != {4: "1", 6: "2"}[network.version]:
            raise ValueError(f"{word!r} is of another family")
        address = network.network_address.packed.rstrip(b"\0")
        negated = 0x80 if word.startswith("!") else 0
        parts.append(bytes((0, int(family), network.prefixlen, negated | len(address))) + address)
    return b"".join(parts)
