"""SipHash-2-4: a keyed hash for short messages, too slow to guess a key from and quick enough for each query.

https://www.aumasson.jp/siphash/siphash.pdf; RFC 9018 makes server cookies with it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

_halves = Struct("<QQ").unpack
_words = Struct("<Q").iter_unpack
_M: Final = 0xFFFFFFFFFFFFFFFF


def siphash24(key: bytes, message: bytes) -> bytes:
    """The eight octets of the hash, in the order of the reference implementation; a key has sixteen."""
    low, high = _halves(key)
    v = low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573
    length = len(message)
    padded = message + bytes(7 - length % 8) + bytes((length & 0xFF,))
    for (word,) in _words(padded):
        a, b, c, d = v
        a, b, c, d = _rounds(a, b, c, d ^ word, 2)
        v = a ^ word, b, c, d
    a, b, c, d = v
    a, b, c, d = _rounds(a, b, c ^ 0xFF, d, 4)
    return (a ^ b ^ c ^ d).to_bytes(8, "little")


def _rounds(a: int, b: int, c: int, d: int, count: int) -> tuple[int, int, int, int]:
    """So many rounds. A rotated word is cut to 64 bits as late as its next use allows: each cut costs time."""
    for _ in range(count):
        a = a + b & _M
        b = (b << 13 & _M | b >> 51) ^ a
        a = a << 32 & _M | a >> 32
        c = c + d & _M
        d = (d << 16 & _M | d >> 48) ^ c
        a = a + d & _M
        d = (d << 21 & _M | d >> 43) ^ a
        c = c + b & _M
        b = (b << 17 & _M | b >> 47) ^ c
        c = c << 32 & _M | c >> 32
    return a, b, c, d
