"""What a `tsig` block says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.plugin import ConfigError, Directive
from corepy.plugins.tsig.keyfile import parse_keys
from corepy.tsig import Key, read_secret
from corepy.words import Word, nearest, shown

_OPCODES: Final = {"QUERY": 0, "IQUERY": 1, "STATUS": 2, "NOTIFY": 4, "UPDATE": 5}
_HARMLESS: Final = ("require", "secrets", "tsig", "}")
"""What lines without a secret begin with."""


@dataclass
class Options:
    """A block, as it was read."""

    zones: tuple[bytes, ...]
    keys: dict[bytes, Key] = field(default_factory=dict)
    types: set[int] = field(default_factory=set)
    opcodes: set[int] = field(default_factory=set)
    all_types: bool = False
    all_opcodes: bool = False


def read(directive: Directive) -> Options:
    """Read `tsig [ZONES...]` and its block. Raises ConfigError."""
    found = Options(directive.origins())
    for option in directive.options("secret", "secrets", "require", "require_opcode"):
        match option.name:
            case "secret":
                _add(found, option, _secret(option))
            case "secrets":
                for key in _file(option):
                    _add(found, option, key)
            case "require":
                found.types, every = _required(option, codes.COREFILE_TYPES, "type", "A")
                found.all_types |= every
            case _:
                found.opcodes, every = _required(option, _OPCODES, "opcode", "NOTIFY")
                found.all_opcodes |= every
    return found


def hidden(error: ConfigError) -> ConfigError:
    """The error without the line that it is about, if that may have a secret."""
    if error.at is not None and not error.at.text.lstrip().startswith(_HARMLESS):
        error.at = replace(error.at, text="")
    return error


def _add(found: Options, option: Directive, key: Key) -> None:
    if key.name in found.keys:
        raise option.error(f"key {shown(str(key))} is defined twice", option.name)
    found.keys[key.name] = key


def _secret(option: Directive) -> Key:
    """`secret NAME KEY`; no message shows a word of it but the name."""
    expected = "the name of a key and its secret in base 64"
    words = option.words()
    if len(words) != 2:
        raise option.error(f"'secret' with {len(words)} arguments", option.name, expected)
    try:
        name = w.key(w.encode_name(words[0]))
    except ValueError:
        raise option.error("a name of a key that is no domain name", words[0], expected) from None
    try:
        return Key(name, read_secret(words[1]))
    except ValueError as error:
        raise option.error(str(error), words[1], "what tsig-keygen or keymgr prints") from None


def _file(option: Directive) -> list[Key]:
    """The keys of `secrets FILE`."""
    word = option.word("a file with keys, as named.conf has them")
    try:
        return parse_keys(Path(word).read_text("utf-8", "surrogateescape"))
    except OSError as error:
        raise option.error(f"cannot read {shown(word)}: {error.strerror or error}", word) from None
    except ValueError as error:
        raise option.error(f"{shown(word)} {error}", word, 'keys such as key "NAME" { secret "KEY"; };') from None


def _required(option: Directive, numbers: dict[str, int], what: str, example: str) -> tuple[set[int], bool]:
    """The numbers of a line, and whether it says `all`; behind `all` and `none` nothing is looked at (as CoreDNS)."""
    words = option.words(f"all, none, or {what}s such as {example}", at_least=1)
    if words[0] in ("all", "none"):
        return set(), words[0] == "all"
    return {_number(option, word, numbers, what, example) for word in words}, False


def _number(option: Directive, word: Word, numbers: dict[str, int], what: str, example: str) -> int:
    if word not in numbers:
        expected = f"all, none, or {what}s such as {example}"
        raise option.error(f"unknown {what} {shown(word)}", word, expected, nearest(word, numbers))
    return numbers[word]
