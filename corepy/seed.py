"""A secret of this server: made when it starts, the same in all its workers and after a reload, gone with it.

Workers read a Corefile each for themselves. What they have to agree on, and nobody else may know, they derive from
this; so it is made before the first of them is forked.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

_SEED: Final = os.urandom(32)


def derived(purpose: str, size: int) -> bytes:
    """A secret of `size` octets, at most 64, for one purpose: from one of them nobody learns another."""
    return hashlib.blake2b(purpose.encode(), key=_SEED, digest_size=size).digest()


__all__ = ["derived"]
