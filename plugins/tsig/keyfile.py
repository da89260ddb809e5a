"""Files with keys, in the syntax of named.conf.

    key "example." {
        algorithm hmac-sha256;
        secret "c2VjcmV0";
    };

As in CoreDNS the algorithm may be said and clients choose theirs; it is what we sign our own queries with. Quotes and
semicolons may be missing; lines do not matter, and there may be comments, since BIND and its tools write such files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from corepy import wire as w
from corepy.tsig import ALGORITHMS, HMAC_SHA256, Key, read_secret
from corepy.words import shown

_PUNCTUATION: Final = ("{", "}", ";")
_BY_NAME: Final = {w.decode_name(name)[:-1]: name for name in ALGORITHMS}
_TOKEN: Final = re.compile(r'\s+|//[^\n]*|#[^\n]*|/\*.*?\*/|"([^"\n]*)"|([{};])|([^\s{};"]+)', re.DOTALL)


def parse_keys(text: str) -> list[Key]:
    """The keys of a file. Raises ValueError: the line and what is wrong there, to follow the file's name."""
    tokens = _Tokens(text)
    keys: dict[bytes, Key] = {}
    while (word := tokens.next()) is not None:
        if word == ";":
            continue
        if word != "key":
            raise tokens.error("has something that is no key")
        key = _key(tokens)
        if key.name in keys:
            raise tokens.error(f"has the key {key} twice")
        keys[key.name] = key
    return list(keys.values())


def _key(tokens: _Tokens) -> Key:
    """A key behind the word `key`."""
    written = tokens.argument("the name of a key")
    try:
        name = w.key(w.encode_name(written))
    except ValueError:
        raise tokens.error("has a name of a key that is no domain name") from None
    if tokens.value("a brace") != "{":
        raise tokens.error("has a key without a block")
    secret, algorithm = b"", HMAC_SHA256
    while (word := tokens.value("the end of a key")) != "}":
        if word == "secret":
            written = tokens.argument("a secret")
            try:
                secret = read_secret(written)
            except ValueError as error:
                raise tokens.error(f"is wrong: {error}") from None
        elif word == "algorithm":
            algorithm = _BY_NAME.get(tokens.argument("an algorithm").lower().removesuffix("."), algorithm)
        elif word != ";":
            raise tokens.error("has a key with more than an algorithm and a secret")
    if not secret:
        raise tokens.error(f"has the key {w.decode_name(name)} without a secret")
    return Key(name, secret, algorithm)


class _Tokens:
    """Words, and `{`, `}` and `;`, one after the other."""

    def __init__(self, text: str) -> None:
        self._line = 1
        self._tokens = self._split(text)

    def _split(self, text: str) -> Iterator[str]:
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.error("has a quote that does not end")
            if match.lastindex:
                yield match[match.lastindex]
            self._line += match[0].count("\n")
            at = match.end()

    def next(self) -> str | None:
        """The next one; None behind the last."""
        return next(self._tokens, None)

    def value(self, what: str) -> str:
        """The next one, which is there."""
        word = self.next()
        if word is None:
            raise self.error(f"ends before {what}")
        return word

    def argument(self, what: str) -> str:
        """The next one, which is a word."""
        word = self.value(what)
        if word in _PUNCTUATION:
            raise self.error(f"has {shown(word)} in place of {what}")
        return word

    def error(self, what: str) -> ValueError:
        """What is wrong in this line; never a word of the file, which may be a secret."""
        return ValueError(f"line {self._line} {what}")
