r"""The words of a record in a zone file: quotes, comments, parentheses (RFC 1035 5.1).

Escapes stay as they are written, since `\.` means one thing in a name and another in a text; `octets` is for texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = re.compile(
    r"""(?P<blank>[ \t\r]+) | (?P<comment>;[^\n]*) | (?P<newline>\n) | (?P<parenthesis>[()])
      | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<plain>(?:[^ \t\r\n;()"\\]|\\.)+)""",
    re.VERBOSE | re.DOTALL,
)
_SPECIAL: Final = re.compile(r'[\n\r;()"\\]')
_ESCAPE: Final = re.compile(rb"\\(?:([0-9]{3})|(.))", re.DOTALL)


class Quoted(str):
    """A word that stood in quotes, which it has no more."""

    __slots__ = ()


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
    depth = line = 0
    begins_blank = False
    for match in _tokens(text):
        kind = match.lastgroup
        if kind == "newline":
            line = match.end()
            if words and not depth:
                break
            begins_blank = begins_blank and depth > 0
        elif kind == "blank":
            begins_blank = begins_blank or (match.start() == line and not words)
        elif kind == "parenthesis":
            depth += 1 if match[0] == "(" else -1
            if depth < 0:
                raise ValueError("a closing parenthesis too many")
        elif kind == "quoted":
            words.append(Quoted(match[kind]))
        elif kind == "plain":
            words.append(match[kind])
    if depth:
        raise ValueError("a closing parenthesis is missing")
    return ["", *words] if words and begins_blank else words


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """What a text is made of; nothing is looked at twice, since a record may be all of a large file."""
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise ValueError("unfinished quotes or escape")
        yield match
        at = match.end()


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
