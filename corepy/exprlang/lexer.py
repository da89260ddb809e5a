"""The words of an expression."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from corepy.exprlang.errors import ExpressionError

Kind = Literal["number", "string", "bytes", "name", "operator", "bracket", "end"]

WORD_OPERATORS: Final = frozenset(
    ("not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else")
)
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<number>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+
          |(?:[0-9][0-9_]*(?:\.(?![.])[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)
      | [bB]?(?P<quote>['"`])(?<![bB]`)
      | (?P<name>[^\W\d]\w*|\$\w*)
      | (?P<operator>\.\.|\?\.|\?\?|\|\||&&|==|!=|<=|>=|\*\*|::|[-+*/%^,;:?.!<>=|\#])
      | (?P<bracket>[][(){}])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\}|([0-7]{3})|(.))", re.DOTALL
)
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
}  # fmt: skip
_LAST_CHARACTER: Final = 0x10FFFF
_LAST_OCTET: Final = 0xFF


class Token(NamedTuple):
    """A word; `text` of a string is its value, of bytes a character for each. `at` is its offset."""

    kind: Kind
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def tokens(source: str) -> list[Token]:
    """The words of a text, an end behind them. Raises ExpressionError."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise ExpressionError(f"unexpected character {source[at]!r}", at)
        kind = match.lastgroup
        if kind == "quote":
            octets = match[0] != match["quote"]
            text, end = _string(source, at + octets, octets=octets)
            found.append(Token("bytes" if octets else "string", text, at))
            at = end
            continue
        if kind == "number":
            _check_number(source, match.end(), at)
            found.append(Token("number", match[0], at))
        elif kind == "name":
            found.append(Token("operator" if match[0] in WORD_OPERATORS else "name", match[0], at))
        elif kind == "operator":
            found.append(Token("operator", match[0], at))
        elif kind == "bracket":
            found.append(Token("bracket", match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(source))]


def _check_number(source: str, end: int, at: int) -> None:
    if end < len(source) and (source[end].isalnum() or source[end] in "_$"):
        raise ExpressionError(f"bad number {source[at : end + 1]!r}", at)


def _string(source: str, at: int, *, octets: bool) -> tuple[str, int]:
    """A string and the offset behind it; in backquotes nothing but a doubled backquote has a meaning.

    Of `octets` each is a character; one that was written as a character is as many as it has in UTF-8.
    """
    quote = source[at]
    if quote == "`":
        match = re.compile(r"`((?:[^`]|``)*)`").match(source, at)
        if match is None:
            raise ExpressionError("a string without end", at)
        return match[1].replace("``", "`"), match.end()
    parts: list[str] = []
    place = at + 1
    while True:
        if place >= len(source) or source[place] == "\n":
            raise ExpressionError("a string without end", at)
        letter = source[place]
        if letter == quote:
            return "".join(parts), place + 1
        if letter == "\\":
            letter, place = _escape(source, place, quote, _LAST_OCTET if octets else _LAST_CHARACTER)
        else:
            letter = letter.encode(errors="surrogatepass").decode("latin-1") if octets else letter
            place += 1
        parts.append(letter)


def _escape(source: str, at: int, quote: str, last: int) -> tuple[str, int]:
    match = _ESCAPE.match(source, at)
    if match is None:
        raise ExpressionError("a backslash that escapes nothing", at)
    two, four, eight, braced, octal, simple = match.groups()
    if simple is not None:
        if simple not in _SIMPLE and simple != quote:
            raise ExpressionError(f"a backslash in front of {simple!r} (write two for one)", at)
        return _SIMPLE.get(simple, simple), match.end()
    code = int(octal, 8) if octal else int(two or four or eight or braced, 16)
    if code > last or (last == _LAST_OCTET and not (octal or two)):
        raise ExpressionError(f"no character {match[0]}", at)
    return chr(code), match.end()
