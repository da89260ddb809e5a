"""Weight files: how often each address of a name is to be the first one.

A line with a name begins the weights of its addresses, each on a line of its own: `192.0.2.1 3`.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from corepy import wire as w
from corepy.words import shown

Weights = dict[bytes, dict[bytes, int]]
"""By name (a key) and by address (4 or 16 octets): 1 to 255."""
_HEAVIEST: Final = 255


def parse_weights(text: bytes) -> Weights:
    """What a weight file says. Raises ValueError with the line that is wrong, and nothing else."""
    weights: Weights = {}
    current: dict[bytes, int] | None = None
    for number, line in enumerate(text.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            current = _read(words, weights, current)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return weights


def _read(words: list[str], weights: Weights, current: dict[bytes, int] | None) -> dict[bytes, int]:
    """Take in the words of a line; the weights of the name that the next line is about."""
    if len(words) == 1:
        return weights.setdefault(_name(words[0]), {})
    if len(words) > 2:
        raise ValueError(f"{shown(' '.join(words))} is neither a name nor an address and its weight")
    if current is None:
        raise ValueError(f"no name stands above the address {shown(words[0])}")
    current.setdefault(_address(words[0]), _weight(words[1]))
    return current


def _name(word: str) -> bytes:
    try:
        ip_address(word)
    except ValueError:
        return w.key(w.encode_name(word))
    raise ValueError(f"the address {shown(word)} has no weight")


def _address(word: str) -> bytes:
    try:
        return ip_address(word).packed
    except ValueError:
        raise ValueError(f"{shown(word)} is no address") from None


def _weight(word: str) -> int:
    weight = int(word) if word.isascii() and word.isdigit() and len(word) <= 9 else 0
    if not 1 <= weight <= _HEAVIEST:
        raise ValueError(f"{shown(word)} is no weight from 1 to {_HEAVIEST}")
    return weight
