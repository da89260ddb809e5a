r"""The text of a zone file as entries: what stands on one line, or goes on over several (RFC 1035 5.1).

Parentheses and quotes make a line go on. What they and backslashes mean inside of an entry is the business of
`corepy.records`; here it only matters where the entry ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from corepy.errors import Position

_SPECIAL: Final = re.compile(r'[;()"\\]')
_MARK: Final = re.compile(r'\\.|[;()"]', re.DOTALL)
_QUOTED: Final = re.compile(r"'([^']+)'")


class Entry(NamedTuple):
    """A record or a directive as it is written, its lines joined by newlines; `line` is the number of the first."""

    line: int
    text: str

    def position(self, file: str, what: str = "") -> Position:
        """Where the entry is, as exactly as an error tells that quotes a word of it."""
        at = len(self.text) - len(self.text.lstrip())
        if quoted := _QUOTED.search(what):
            at = max(self.text.find(quoted[1]), at)
        before = self.text[:at]
        start = before.rfind("\n") + 1
        end = self.text.find("\n", at)
        whole = self.text[start:] if end < 0 else self.text[start:end]
        return Position(file, self.line + before.count("\n"), at - start + 1, whole.rstrip("\r"))


def entries(text: str) -> Iterator[Entry]:
    """The entries of a text; lines that are empty or have nothing but a comment are left out. Never raises."""
    begun: list[str] = []
    depth, quoted, first = 0, False, 0
    for number, line in enumerate(text.split("\n"), 1):
        if not begun:
            if _SPECIAL.search(line) is None:
                if line and not line.isspace():
                    yield Entry(number, line)
                continue
            first = number
        begun.append(line)
        depth, quoted = _scan(line, depth, quoted)
        if depth <= 0 and not quoted:
            if len(begun) > 1 or not line.lstrip().startswith(";"):
                yield Entry(first, "\n".join(begun))
            begun, depth = [], 0
    if begun:
        yield Entry(first, "\n".join(begun))


def _scan(line: str, depth: int, quoted: bool) -> tuple[int, bool]:
    """How many parentheses are open behind a line, and whether quotes are, when so many were before it."""
    for match in _MARK.finditer(line):
        mark = match[0]
        if quoted:
            quoted = mark != '"'
        elif mark == '"':
            quoted = True
        elif mark == ";":
            break
        elif mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
    return depth, quoted
