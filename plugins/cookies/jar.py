"""Server cookies: made and recognised (RFC 9018 4).

    0        8         9          12          16     24
    | client | version | reserved | timestamp | hash |

The first eight octets are the client's own, the rest is ours. The hash is over all before it and the client's
address: whoever has a cookie of ours has received what was sent to that address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from hmac import compare_digest
from typing import Final

from corepy.plugins.cookies.siphash import siphash24

CLIENT: Final = 8
"""Octets of a client cookie (RFC 7873 4)."""
SECRET: Final = 16
"""Octets of a server secret."""
MOST_SECRETS: Final = 4
"""Secrets at one time: the old, the current and the next one, and one to spare. A forged cookie costs a hash each."""
_SIZE: Final = 24
_VERSION: Final = b"\1\0\0\0"
_OLD: Final = 30 * 60
"""Seconds after which a client gets a new cookie for its old one (RFC 9018 4.3)."""
_EXPIRED: Final = 60 * 60
_AHEAD: Final = 5 * 60
"""Seconds that the clocks of servers with the same secret may be apart (RFC 9018 4.3)."""
_KNOWN: Final = 8192
"""Cookies that are known to be good: a client shows the same one for half an hour, and a hash costs ten times what a
look-up does. Under 2 MB."""


class Jar:
    """Makes and checks cookies under secrets of 16 octets, of which the first one is used for new cookies.

    With `rotate`, a number of seconds, it is no secret itself that is used but what follows from it and the time,
    another one in each such interval; all servers with the same secrets and the same time agree.
    """

    def __init__(self, secrets: Sequence[bytes], rotate: int = 0) -> None:
        self.secrets = tuple(secrets)
        self.rotate = rotate
        self._known: set[bytes] = set()
        self._keys: dict[int, tuple[bytes, ...]] = {0: self.secrets} if not rotate else {}

    def make(self, client: bytes, address: bytes, now: int) -> bytes:
        """The cookie for a client, its part of eight octets included; `address` packed, `now` in seconds since 1970."""
        head = client + _VERSION + (now & 0xFFFFFFFF).to_bytes(4, "big")
        return head + siphash24(self._at(now)[0], head + address)

    def check(self, cookie: bytes, address: bytes, now: int) -> bool:
        """Whether it is a cookie of ours, made for this address and not too long ago."""
        if len(cookie) != _SIZE or cookie[CLIENT] != 1 or not -_AHEAD <= age(cookie, now) <= _EXPIRED:
            return False
        known = cookie + address
        if known in self._known:
            return True
        head, tail = cookie[:16], cookie[16:]
        keys = self._at(now - age(cookie, now))
        if not any(compare_digest(siphash24(key, head + address), tail) for key in keys):
            return False
        if len(self._known) >= _KNOWN:
            self._known.clear()  # no order to keep: to learn them anew costs a hash each
        self._known.add(known)
        return True

    def _at(self, when: int) -> tuple[bytes, ...]:
        """The secrets in use at a time: a cookie's own says under which it was made."""
        interval = when // self.rotate if self.rotate else 0
        keys = self._keys.get(interval)
        if keys is None:
            if len(self._keys) > 2:  # what is behind us, us, and what is ahead by a clock that goes too fast
                self._keys.clear()
            number = interval.to_bytes(8, "big", signed=True)
            made = [hashlib.blake2b(number, key=secret, digest_size=SECRET).digest() for secret in self.secrets]
            keys = self._keys[interval] = tuple(made)
        return keys


def age(cookie: bytes, now: int) -> int:
    """Seconds since a cookie was made; negative where that lies ahead. In serial number arithmetic (RFC 1982)."""
    return (now - int.from_bytes(cookie[12:16], "big") + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def old(cookie: bytes, now: int) -> bool:
    """Whether the client should be sent a new one."""
    return age(cookie, now) > _OLD


def read_secrets(octets: bytes) -> tuple[bytes, ...]:
    """The secrets in a file: 32 hexadecimal digits on each line, the one for new cookies first, # before comments.

    Raises ValueError, which names the line.
    """
    found = []
    for number, line in enumerate(octets.splitlines(), 1):
        text = line.partition(b"#")[0].strip()
        if text:
            found.append(read_secret(text.decode("ascii", "replace"), f"line {number}: "))
    if not 1 <= len(found) <= MOST_SECRETS:
        raise ValueError(f"{len(found)} secrets, expected 1 to {MOST_SECRETS}")
    return tuple(found)


def read_secret(text: str, where: str = "") -> bytes:
    """One secret from hexadecimal digits. Raises ValueError, which does not repeat what may be a secret."""
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET or len(text) != 2 * SECRET:
        raise ValueError(f"{where}no secret, expected {2 * SECRET} hexadecimal digits")
    return secret
