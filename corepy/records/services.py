"""Data about services and keys: SVCB and HTTPS (RFC 9460), IPSECKEY (RFC 4025), HIP (RFC 8005)."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_pton  # turns text into octets; nothing is opened
from typing import Final

from corepy.records.fields import Fields, counted, read_hex
from corepy.records.words import Quoted, octets

_KEYS: Final = {
    "mandatory": 0, "alpn": 1, "no-default-alpn": 2, "port": 3, "ipv4hint": 4, "ech": 5, "ipv6hint": 6,
    "dohpath": 7, "ohttp": 8, "tls-supported-groups": 9,
}  # fmt: skip
"""IANA, DNS Service Parameter Keys."""
SERVICE_KEYS: Final = {number: name for name, number in _KEYS.items()}
"""The names of those that have one, by their number."""
_ITEM: Final = re.compile(rb"(?:[^,\\]|\\.)+", re.DOTALL)


def svcb(fields: Fields) -> bytes:
    """Priority, target, and parameters in the order of their keys (RFC 9460 2.1, 2.2)."""
    head = fields.number(2) + fields.name()
    parameters: dict[int, bytes] = {}
    while (word := fields.peek()) is not None:
        fields.word()
        key, equals, value = word.partition("=")
        if equals and not value and isinstance(fields.peek(), Quoted):
            value = fields.word()   # key="value" is two words: quotes end the first one
        number = _key(key)
        if number in parameters:
            raise ValueError(f"{key} twice")
        parameters[number] = _value(number, key, value)
    return head + b"".join([_parameter(number, parameters[number]) for number in sorted(parameters)])


def _parameter(number: int, value: bytes) -> bytes:
    return number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def _key(name: str) -> int:
    known = _KEYS.get(name)
    digits = name.removeprefix("key")
    if known is None and digits != name and digits.isdecimal() and digits.isascii() and len(digits) < 6:
        known = int(digits)
    if known is None or known >= 65535:
        raise ValueError(f"{name!r} is no service parameter")
    return known


def _value(number: int, key: str, text: str) -> bytes:
    """The value of a parameter in wire form; of a key without a form of its own octets as they are (RFC 9460 2.1)."""
    reader = _VALUES.get(number)
    try:
        return reader(text) if reader else octets(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"{key}: {error}") from None


def _items(text: str) -> list[bytes]:
    r"""A list with commas; `\\,` is a comma in an item (RFC 9460 A.1)."""
    raw = octets(text)
    items = _ITEM.findall(raw)
    if not items or b",".join(items) != raw:
        raise ValueError(f"{text!r} is no list")
    return [re.sub(rb"\\(.)", rb"\1", item, flags=re.DOTALL) for item in items]


def _mandatory(text: str) -> bytes:
    keys = sorted({_key(name) for name in text.split(",")})
    if 0 in keys:
        raise ValueError("cannot name itself")
    return b"".join([key.to_bytes(2, "big") for key in keys])


def _alpn(text: str) -> bytes:
    return b"".join([counted(item) for item in _items(text)])


def _nothing(text: str) -> bytes:
    if text:
        raise ValueError("takes no value")
    return b""


def _port(text: str) -> bytes:
    if not text.isdecimal() or not text.isascii() or len(text) > 5 or int(text) > 0xFFFF:
        raise ValueError(f"{text!r} is no port")
    return int(text).to_bytes(2, "big")


def _addresses(family: int) -> Callable[[str], bytes]:
    return lambda text: b"".join([inet_pton(family, word) for word in text.split(",")])


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"{text!r} is not base64") from None


def _groups(text: str) -> bytes:
    return b"".join([_port(word) for word in text.split(",")])


_VALUES: Final[dict[int, Callable[[str], bytes]]] = {
    0: _mandatory, 1: _alpn, 2: _nothing, 3: _port, 4: _addresses(AF_INET), 5: _base64, 6: _addresses(AF_INET6),
    8: _nothing, 9: _groups,
}  # fmt: skip


def ipseckey(fields: Fields) -> bytes:
    """Precedence, kind of gateway, algorithm, gateway and key (RFC 4025 3)."""
    precedence, kind, algorithm = fields.number(1), fields.number(1), fields.number(1)
    return precedence + kind + algorithm + _gateway(fields, kind[0]) + fields.base64()


def amtrelay(fields: Fields) -> bytes:
    """Precedence, whether to look for others first, kind of relay, and relay (RFC 8777 4.3.1)."""
    precedence, discovery, kind = fields.number(1), fields.word(), fields.number(1)[0]
    if discovery not in ("0", "1"):
        raise ValueError(f"{discovery!r} is neither 0 nor 1")
    return precedence + bytes((int(discovery) << 7 | kind,)) + _gateway(fields, kind)


def _gateway(fields: Fields, kind: int) -> bytes:
    """None, an IPv4 address, an IPv6 address or a name, as its kind announces."""
    match kind:
        case 0:
            if fields.word() != ".":
                raise ValueError("a gateway where none was announced")
            return b""
        case 1:
            return fields.ipv4()
        case 2:
            return fields.ipv6()
        case 3:
            return fields.name()
        case _:
            raise ValueError(f"{kind} is no kind of gateway")


def hip(fields: Fields) -> bytes:
    """Algorithm, host identity tag, public key, and rendezvous servers (RFC 8005 5, 6)."""
    algorithm, tag, key = fields.number(1), read_hex(fields.word()), _base64(fields.word())
    if len(tag) > 255:
        raise ValueError("a host identity tag of more than 255 octets")
    servers = b""
    while fields.peek() is not None:
        servers += fields.name()
    return bytes((len(tag),)) + algorithm + len(key).to_bytes(2, "big") + tag + key + servers
