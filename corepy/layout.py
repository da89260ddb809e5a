"""The one layout of a Corefile: what `corepy fmt` writes.

Tokens are those of the grammar, comments included, and stay as they are written; only the space between them changes:

* four spaces for each block around a line, one space between words and before a comment that ends a line;
* an opening brace ends its line, a closing brace begins one;
* one empty line where there were several, none inside of braces next to them, one below a server block.

Lines are never joined: a line break ends a directive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from corepy.corefile import tokens

INDENT: Final = "    "


def format_corefile(text: str | bytes, filename: str) -> str:
    """The text in its layout, which reads as the same Corefile. Raises ConfigError where its syntax is wrong."""
    page = _Page()
    for (kind, word), (following, _) in pairwise([*tokens(text, filename), ("_NEWLINE", "\n")]):
        page.take(kind, word, following)
    page.end_line()
    return "".join(f"{line}\n" for line in page.lines)


@dataclass
class _Page:
    """Lines as they are written, the last one still in words."""

    lines: list[str] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)
    _depth: int = 0
    _gap: bool = False
    """Whether an empty line is due before the next one."""
    _opened: bool = True
    """Whether the last line opened something, the file included: no empty line below it."""

    def take(self, kind: str, text: str, following: str) -> None:
        """Take a token; `following` is the kind of the next one."""
        if kind == "_NEWLINE":
            self._gap |= not self._words
            self.end_line()
            return
        if kind == "BRACE_CLOSE":
            self._depth -= 1
            self._gap = False
        indent = "" if self._words else self._begin()
        self._words.append(indent + _plain(kind, text))
        if kind == "BRACE_CLOSE" and not self._depth:
            self._gap = True
        if kind == "BRACE_OPEN":
            self._depth += 1
            self._opened = True
            if following != "COMMENT":   # which tells what is opened
                self.end_line()

    def end_line(self) -> None:
        """Write the words that there are."""
        if self._words:
            self.lines.append(" ".join(self._words))
            self._words = []

    def _begin(self) -> str:
        """Begin a line, below an empty one if that is due; what it is indented by."""
        if self._gap and not self._opened:
            self.lines.append("")
        self._gap = self._opened = False
        return INDENT * self._depth


def _plain(kind: str, text: str) -> str:
    """A token without what does not belong to it: carriage returns of a word, space behind a comment."""
    if kind == "WORD":
        return text.replace("\r", "")
    return text.rstrip() if kind == "COMMENT" else text
