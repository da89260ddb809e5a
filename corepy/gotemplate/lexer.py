r"""The text of a template as tokens.

Outside of `{{` and `}}` everything is TEXT. `{{- ` and ` -}}` trim the white space of the text beside them; comments
leave no token. A SPACE token is kept inside of actions, because it parts arguments: `.A.B` is one operand, `.A .B` two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from corepy.gotemplate.errors import TemplateSyntaxError

TEXT: Final = "text"
OPEN: Final = "{{"
CLOSE: Final = "}}"
SPACE: Final = "space"
KEYWORD: Final = "keyword"
WORD: Final = "function"
FIELD: Final = "field"
VARIABLE: Final = "variable"
DOT: Final = "dot"
NUMBER: Final = "number"
CHARACTER: Final = "character"
STRING: Final = "string"
RAW: Final = "raw string"
SIGN: Final = "sign"
END: Final = "end of text"

_KEYWORDS: Final = frozenset(
    ("block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with")
)
_BLANK: Final = " \t\r\n"
_DIGITS: Final = r"""[+-]?(?: 0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?
    | 0[oO][0-7_]*(?:\.[0-7_]*)? | 0[bB][01_]*(?:\.[01_]*)?
    | [0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)? )i?"""
_ENDS: Final = r"(?=[ \t\r\n.,|:()]|\}\}|\Z)"
"""What may stand behind a name; anything else, as in `$x+2`, is an error rather than the beginning of a new word."""
_TOKEN: Final = re.compile(
    rf"""(?P<close>(?:[ \t\r\n]-)?\}}\}})
    | (?P<space>(?:[ \t\r\n](?!-\}}\}}))+)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
    | (?P<raw>`[^`]*`)
    | (?P<character>'(?:[^'\\\n]|\\[^\n])*')
    | (?P<variable>\$\w*){_ENDS}
    | (?P<field>\.(?![0-9])\w+){_ENDS}
    | (?P<number>(?=[0-9+-]|\.[0-9]){_DIGITS}(?:(?=[+-]){_DIGITS})?)(?!\w)
    | (?P<dot>\.){_ENDS}
    | (?P<word>\w+){_ENDS}
    | (?P<sign>:=|[=|,()!\#%&*/;<>?@\[\\\]^{{}}~])""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of the text: its kind, its letters, and its offset."""

    kind: str
    text: str
    at: int


class Lexer:
    """The tokens of a text; `error` knows line and column of an offset."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        return self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)

    def error(self, why: str, at: int) -> TemplateSyntaxError:
        """An error to raise, at an offset."""
        return TemplateSyntaxError(self.name, *self.place(at), why)

    def tokens(self) -> Iterator[Token]:
        """All tokens, the last one an END. Raises TemplateSyntaxError at what is none."""
        text, at, trim = self.text, 0, False
        while True:
            start = text.find("{{", at)
            piece = text[at : start if start >= 0 else len(text)]
            shown = piece.lstrip(_BLANK) if trim else piece
            begin = at + len(piece) - len(shown)
            if start >= 0 and _trims_left(text, start + 2):
                shown = shown.rstrip(_BLANK)
            if shown:
                yield Token(TEXT, shown, begin)
            if start < 0:
                yield Token(END, "", len(text))
                return
            inside = start + (4 if _trims_left(text, start + 2) else 2)
            if text.startswith("/*", inside):
                at, trim = self._comment(inside)
                continue
            yield Token(OPEN, "{{", start)
            at = inside
            for token in self._action(inside):
                yield token
                at = token.at + len(token.text)
                trim = len(token.text) > 2

    def _comment(self, at: int) -> tuple[int, bool]:
        """Where the text goes on behind a comment, and whether it is trimmed there."""
        end = self.text.find("*/", at + 2)
        if end < 0:
            raise self.error("unclosed comment", at)
        close = _TOKEN.match(self.text, end + 2)
        if close is None or close.lastgroup != "close":
            raise self.error("a comment has to be alone between its braces", at)
        return close.end(), len(close[0]) > 2

    def _action(self, at: int) -> Iterator[Token]:
        """The tokens of an action, up to and with its CLOSE."""
        start, depth = at, 0
        while True:
            match = _TOKEN.match(self.text, at)
            if match is None or match.end() == at:
                raise self._bad(start, at)
            kind, text = str(match.lastgroup), match[0]
            if kind == "close":
                if depth:
                    raise self.error("unclosed left parenthesis", at)
                yield Token(CLOSE, text, at)
                return
            depth += (text == "(") - (text == ")") if kind == "sign" else 0
            if depth < 0:
                raise self.error("unexpected right parenthesis", at)
            yield Token(_KINDS.get(kind) or (KEYWORD if text in _KEYWORDS else WORD), text, at)
            at = match.end()

    def _bad(self, start: int, at: int) -> TemplateSyntaxError:
        """Why there is no token at an offset."""
        letter = self.text[at : at + 1]
        if not letter:
            return self.error("unclosed action", start)
        what = {'"': "unterminated string", "`": "unterminated raw string", "'": "unterminated character"}.get(letter)
        if what is None and (letter in "$." or letter.isalnum() or letter in "_+-"):
            what = f"a name or number with a character that it cannot have: {self.text[at : at + 20]!r}"
        return self.error(what or f"unexpected character {letter!r}", at)


def _trims_left(text: str, at: int) -> bool:
    """Whether `{{`, which ends at an offset, is the `{{- ` that trims the text before it."""
    return text.startswith("-", at) and text[at + 1 : at + 2] in tuple(_BLANK)


_KINDS: Final = {
    "space": SPACE,
    "string": STRING,
    "raw": RAW,
    "character": CHARACTER,
    "variable": VARIABLE,
    "field": FIELD,
    "number": NUMBER,
    "dot": DOT,
    "sign": SIGN,
}
