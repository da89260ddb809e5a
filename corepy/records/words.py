r"""The words of a record in a zone file: quotes, comments, parentheses (RFC 1035 5.1).

Escapes stay as they are written, since `\.` means one thing in a name and another in a text; `octets` is for texts.
"""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(
    r"""(?P<blank>[ \t\r]+) | (?P<comment>;[^\n]*) | (?P<newline>\n) | (?P<parenthesis>[()])
      | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<plain>(?:[^ \t\r\n;()"\\]|\\.)+)""",
    re.VERBOSE | re.DOTALL,
)
_SPECIAL: Final = re.compile(r'[\n\r;()"\\]')
_ESCAPE: Final = re.compile(rb"\\(?:([0-9]{3})|(.))", re.DOTALL)


def split(text: str) -> list[str]:
    """The words of the first record of a text, none where there is no record; the first one empty behind a blank.

    A newline ends a record, but not between parentheses. Raises ValueError.
    """
    if _SPECIAL.search(text) is None:
        words = text.split()
        return ["", *words] if words and text[0] in " \t" else words
    return _split(text)


def _split(text: str) -> list[str]:
    """The same for any text."""
    words: list[str] = []
    at = depth = 0
    begins_blank = False
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise ValueError("unfinished quotes or escape")
        at, kind = match.end(), match.lastgroup
        if kind == "newline" and not depth:
            if words:
                break
            begins_blank = False
        elif kind == "blank" and match.start() in (0, text.rfind("\n", 0, match.start()) + 1) and not words:
            begins_blank = True
        elif kind == "parenthesis":
            depth += 1 if match[0] == "(" else -1
            if depth < 0:
                raise ValueError("a closing parenthesis too many")
        elif kind in ("quoted", "plain"):
            words.append(match[kind])
    if depth:
        raise ValueError("a closing parenthesis is missing")
    return ["", *words] if words and begins_blank else words


def octets(text: str) -> bytes:
    r"""A word as octets: `\065` and `\A` are the letter A (RFC 1035 5.1). Raises ValueError."""
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_unescape, raw) if b"\\" in raw else raw


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        return match[2]
    if int(match[1]) > 255:
        raise ValueError(f"\\{match[1].decode()} is no octet")
    return bytes((int(match[1]),))
