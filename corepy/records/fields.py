"""The fields of a record's data, one after the other, as octets."""

from __future__ import annotations

import binascii
from base64 import b64decode
from socket import AF_INET, AF_INET6, inet_pton  # turns text into octets; nothing is opened
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.records.words import octets


def read_name(text: str, origin: bytes) -> bytes:
    """A name in wire form; without a final dot it is completed by the origin, `@` is the origin. Raises ValueError."""
    if text == "@":
        return origin
    if text == ".":
        return b"\0"
    if "\\" in text or not text.isascii():
        return _read_any_name(text, origin)
    labels = text.encode().split(b".")
    tail = b"\0" if not labels[-1] else origin
    if not labels[-1]:
        del labels[-1]
    parts = []
    for label in labels:
        size = len(label)
        if not 0 < size < 64:
            raise ValueError(f"{text!r} has a label of {size} octets")
        parts.append(_LENGTHS[size])
        parts.append(label)
    name = b"".join(parts) + tail
    if len(name) > w.MAX_NAME:
        raise ValueError(f"{text!r} has more than {w.MAX_NAME} octets")
    return name


_LENGTHS: Final = tuple(bytes((size,)) for size in range(64))


def _read_any_name(text: str, origin: bytes) -> bytes:
    """The same with escapes: the dot at the end may be a part of a label."""
    name = w.encode_name(text)
    body = text[:-1]
    escaped = (len(body) - len(body.rstrip("\\"))) % 2 == 1
    if text.endswith(".") and not escaped:
        return name
    if len(name) + len(origin) - 1 > w.MAX_NAME:
        raise ValueError(f"{text!r} has more than {w.MAX_NAME} octets")
    return name[:-1] + origin


def read_type(word: str) -> int | None:
    """The number of a type, in any case, `TYPE65280` too; None for what is none."""
    return codes.TYPES.get(word) or codes.TYPES.get(word.upper()) or _numbered(word, "TYPE")


def read_class(word: str) -> int | None:
    """The number of a class, in any case, `CLASS3841` too; None for what is none."""
    known = codes.CLASSES.get(word) or codes.CLASSES.get(word.upper())
    if known is None and word[:1] in "aAcC":
        known = 255 if word.upper() == "ANY" else _numbered(word, "CLASS")
    return known


def _numbered(word: str, prefix: str) -> int | None:
    """RFC 3597's way to write what has no name."""
    digits = word[len(prefix) :]
    if word[: len(prefix)].upper() != prefix or not digits.isdecimal() or not digits.isascii() or len(digits) > 5:
        return None
    return int(digits) if int(digits) <= 0xFFFF else None


class Fields:
    """The words of a record's data; each reader takes the next one, and raises ValueError where it does not fit."""

    __slots__ = ("_at", "_words", "origin")

    def __init__(self, words: list[str], at: int, origin: bytes) -> None:
        self._words = words
        self._at = at
        self.origin = origin

    def word(self) -> str:
        """The next word as it is written."""
        at = self._at
        if at >= len(self._words):
            raise ValueError("data is missing")
        self._at = at + 1
        return self._words[at]

    def peek(self) -> str | None:
        """The next word, which stays; None at the end."""
        return self._words[self._at] if self._at < len(self._words) else None

    def rest(self) -> list[str]:
        """All further words."""
        words = self._words[self._at :]
        self._at = len(self._words)
        return words

    def end(self) -> None:
        """Check that everything was taken."""
        if self._at < len(self._words):
            raise ValueError(f"unexpected {self._words[self._at]!r} behind the data")

    def name(self) -> bytes:
        """A name, complete and uncompressed."""
        return read_name(self.word(), self.origin)

    def number(self, size: int) -> bytes:
        """A decimal number of `size` octets."""
        word = self.word()
        if not word.isdecimal() or not word.isascii() or len(word) > 20 or int(word) >> (8 * size):
            raise ValueError(f"{word!r} is no number of {8 * size} bits")
        return int(word).to_bytes(size, "big")

    def ipv4(self) -> bytes:
        """An IPv4 address."""
        word = self.word()
        try:
            return inet_pton(AF_INET, word)
        except (OSError, ValueError):
            raise ValueError(f"{word!r} is no IPv4 address") from None

    def ipv6(self) -> bytes:
        """An IPv6 address."""
        word = self.word()
        try:
            return inet_pton(AF_INET6, word)
        except (OSError, ValueError):
            raise ValueError(f"{word!r} is no IPv6 address") from None

    def string(self) -> bytes:
        """A character string with its length in front (RFC 1035 3.3)."""
        return counted(octets(self.word()))

    def hexadecimal(self) -> bytes:
        """Octets in hexadecimal, all further words."""
        return read_hex("".join(self.rest()))

    def base64(self) -> bytes:
        """Octets in base64, all further words (RFC 4648 4)."""
        text = "".join(self.rest())
        try:
            return b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{text!r} is not base64") from None

    def unknown(self) -> bytes:
        r"""`\\# LENGTH HEX`: data of any type (RFC 3597 5)."""
        self.word()
        size = int.from_bytes(self.number(2), "big")
        data = self.hexadecimal()
        if len(data) != size:
            raise ValueError(f"{len(data)} octets of data where {size} were announced")
        return data


def counted(raw: bytes) -> bytes:
    """Octets behind their number, 255 at most."""
    if len(raw) > 255:
        raise ValueError(f"a string of {len(raw)} octets, more than 255")
    return bytes((len(raw),)) + raw


def read_hex(text: str) -> bytes:
    """Octets from hexadecimal digits. Raises ValueError."""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise ValueError(f"{text!r} is not hexadecimal") from None
