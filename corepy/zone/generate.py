r"""`$GENERATE RANGE TEXT`: a record for each number of a range (BIND's extension).

`$` in the text is the number, `${OFFSET,WIDTH,BASE}` the number plus an offset, filled up with zeros, in base d, o, x
or X; `$$` and `\$` are a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})(?:/([0-9]{1,18}))?", re.ASCII)
_NUMBER: Final = re.compile(r"\$\$|\\.|\$(?:\{([^}]*)(\}|$))?", re.DOTALL)
_MODIFIER: Final = re.compile(r"([+-]?[0-9]{1,10})(?:,([0-9]{1,3})(?:,([doxX]))?)?", re.ASCII)
_MOST: Final = 65536
"""Records that one line may become (CoreDNS's figure)."""
_LARGEST: Final = (1 << 31) - 1
"""The largest number with its offset (CoreDNS's figure)."""


def numbers(text: str) -> range:
    """The numbers of `START-STOP` or `START-STOP/STEP`. Raises ValueError."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no range as 1-9 or 1-9/2")
    start, stop, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if step == 0 or stop < start:
        raise ValueError(f"{text!r} is a range without numbers")
    found = range(start, stop + 1, step)
    if (stop - start) // step >= _MOST:
        raise ValueError(f"{text!r} has more than {_MOST} numbers")
    return found


def expand(text: str, over: range) -> Iterator[str]:
    """The text for each number. Raises ValueError, before the first one."""
    pieces: list[str] = []
    formats: list[tuple[int, str]] = []
    at, piece = 0, ""
    for match in _NUMBER.finditer(text):
        piece += text[at : match.start()]
        at = match.end()
        if match[0] in ("$$", "\\$"):
            piece += "$"
        elif match[0].startswith("\\"):
            piece += match[0]
        else:
            pieces.append(piece)
            piece = ""
            formats.append((0, "d") if match[2] is None else _modifier(match, over))
    return _expand([*pieces, piece + text[at:]], formats, over)


def _expand(pieces: list[str], formats: list[tuple[int, str]], over: range) -> Iterator[str]:
    for number in over:
        parts = [pieces[0]]
        for (offset, form), piece in zip(formats, pieces[1:], strict=True):
            parts += format(number + offset, form), piece
        yield "".join(parts)


def _modifier(match: re.Match[str], over: range) -> tuple[int, str]:
    """Offset and format."""
    found = _MODIFIER.fullmatch(match[1]) if match[2] else None
    if found is None or int(found[2] or 0) > 255:
        raise ValueError(f"{match[0]!r} is not written as ${{OFFSET,WIDTH,BASE}}")
    offset, width, base = int(found[1]), int(found[2] or 0), found[3] or "d"
    if over[0] + offset < 0 or over[-1] + offset > _LARGEST:
        raise ValueError(f"{match[0]!r} leads to numbers below 0 or above {_LARGEST}")
    return offset, f"0{width}{base}" if width else base
