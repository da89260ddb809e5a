"""Numbers that nobody can guess: message ids, and which socket a query leaves by (RFC 5452 9.2).

They come from the kernel a page at a time, for one call a query would cost as much as sending it.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final, TypeAlias

Tokens: TypeAlias = list[tuple[bytes, int]]
"""Unused tokens: a message id as its two octets, and a number from 0 to 65535."""

_TOKEN: Final = Struct("!2sH")
_PAGE: Final = 4096
"""Octets fetched at a time: 1,024 tokens, which makes the call a hundredth of what a token costs."""

TOKENS: Final[Tokens] = []
"""The supply of the process. Take one with `(TOKENS or refill()).pop()`; none is ever used twice."""


def refill() -> Tokens:
    """Fetch more tokens; returns TOKENS."""
    TOKENS.extend(_TOKEN.iter_unpack(os.urandom(_PAGE)))
    return TOKENS


def draw(below: int) -> int:
    """A number from 0 up to, but not including, `below`, which has to be far less than 65,536 to be fair."""
    return (TOKENS or refill()).pop()[1] % below


# A forked worker must not ask with the ids that its parent asks with.
os.register_at_fork(after_in_child=TOKENS.clear)
