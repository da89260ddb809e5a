"""Command line flags the way Go's programs take them, which is how CoreDNS is called.

`-name value`, `-name=value`, and both with two dashes; a boolean flag takes its value only behind `=`; flags end at the
first word that is none, or behind `--`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Flag:
    """One flag: what it is for, and the kind of its value (`bool` for a switch)."""

    name: str
    help: str
    kind: type[str | bool] = str
    same_as: str = ""
    """Another flag whose value this one sets."""
    words: tuple[str, ...] = ()
    """What a switch may say behind `=` besides yes and no."""


class UsageError(Exception):
    """Arguments that make no sense; `code` is the exit status, 0 where help was asked for."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code


_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def parse(arguments: list[str], flags: list[Flag]) -> tuple[dict[str, str | bool], list[str]]:
    """The values of the flags that were given (the last of several counts), and the words behind them.

    Raises UsageError with the words of Go's flag package.
    """
    known = {flag.name: flag for flag in flags}
    values: dict[str, str | bool] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word[2 if word.startswith("--") else 1 :].partition("=")
        if not name or name.startswith("-"):
            raise UsageError(f"bad flag syntax: {word}")
        if name not in known:
            raise UsageError("", 0) if name in ("h", "help") else UsageError(f"flag provided but not defined: -{name}")
        target = known[name].same_as or name
        if known[name].kind is bool:
            values[target] = _switch(known[name], value) if equals else True
        elif equals:
            values[target] = value
        elif rest:
            values[target] = rest.pop(0)
        else:
            raise UsageError(f"flag needs an argument: -{name}")
    return values, rest


def _switch(flag: Flag, value: str) -> str | bool:
    if value in flag.words:
        return value
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise UsageError(f'invalid boolean value "{value}" for -{flag.name}: parse error')


def usage(command: str, flags: list[Flag]) -> str:
    """The help text: the flags sorted by name, each with its explanation in the next line."""
    lines = [f"Usage of {command}:"]
    for flag in sorted(flags, key=lambda flag: flag.name):
        lines += [f"  -{flag.name}{'' if flag.kind is bool else ' string'}", f"    \t{flag.help}"]
    return "\n".join(lines)
