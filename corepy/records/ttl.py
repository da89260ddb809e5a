"""Times to live as they are written."""

from __future__ import annotations

import re
from typing import Final

DEFAULT_TTL: Final = 3600
"""Seconds that a record lives which says nothing about it; CoreDNS's figure."""
MAX_TTL: Final = (1 << 32) - 1
"""What 32 bits hold. RFC 2181 8 wants 31; CoreDNS takes all, and so do its users' files."""

# Numbers with units, then one that may be without: written in a way in which no text can be read in two.
_TTL: Final = re.compile(r"(?:[0-9]+[smhdw])+[0-9]*", re.IGNORECASE | re.ASCII)
_TTL_PART: Final = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE | re.ASCII)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MAX_LETTERS: Final = 60
"""Longer than any TTL that is meant: reading digits is quadratic."""


def parse_ttl(text: str) -> int:
    """Seconds from `3600`, `1h30m` or `2W` (units s, m, h, d, w; a number without one counts seconds). ValueError."""
    if text.isdecimal() and text.isascii():
        seconds = int(text) if len(text) < 12 else MAX_TTL + 1
    elif len(text) < _MAX_LETTERS and _TTL.fullmatch(text):
        seconds = sum(int(number) * _SECONDS[unit.lower()] for number, unit in _TTL_PART.findall(text))
    else:
        raise ValueError(f"{text!r} is no time")
    if seconds > MAX_TTL:
        raise ValueError(f"a TTL of more than {MAX_TTL} seconds")
    return seconds
