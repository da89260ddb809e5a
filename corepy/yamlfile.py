"""A YAML file whose values are taken by name; every mistake in it has its place.

    top = load(octets, "web.yml")         # raises ConfigErrors for what is no YAML
    limit = top.section("rate_limit")
    burst = limit.get("burst", integer)   # None where it is not there, or wrong
    limit.finish()                        # what nobody took is a mistake as well
    top.errors                            # all mistakes, those of its sections among them

The library PyYAML is loaded when a file is read. Nodes stay what the parser made of them: its own constructors know no
places, and take `no` for a truth value wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.words import nearest, shown

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_FILE: Final = 1 << 20
"""Octets of a file: a thousand times what a certificate and some users take."""


def load(octets: bytes, file: str) -> Section:
    """The whole file. Raises ConfigErrors where it is no YAML; what else is wrong is in the section's `errors`."""
    return Section(file, octets.decode("utf-8", "replace").splitlines(), _compose(octets, file), [])


class Section:
    """A mapping of the file whose values are taken by name. Mistakes are collected; what nobody takes is one."""

    def __init__(self, file: str, lines: list[str], node: Node | None, errors: list[ConfigError]) -> None:
        self.file, self._lines, self.errors = file, lines, errors
        self.at = self._position(node) if node is not None else Position(file, 1, 1)
        self.nodes: dict[str, Node] = {}
        self._keys: dict[str, Node] = {}
        self._taken: list[str] = []
        for key, value in self._pairs(node):
            if key.value in self.nodes:
                self.wrong(f"{shown(key.value)} is given twice", self._position(key))
            self.nodes[key.value], self._keys[key.value] = value, key

    def _pairs(self, node: Node | None) -> Iterator[tuple[Node, Node]]:
        if node is None or _is_null(node):
            return
        if _kind(node) != "mapping":
            self.wrong(f"unexpected {_kind(node)}", self.at, "a mapping")
            return
        for key, value in node.value:
            if _kind(key) == "scalar":
                yield key, value
            else:
                self.wrong(f"a {_kind(key)} as a name", self._position(key), "a word")

    def _position(self, node: Node) -> Position:
        line, column = node.start_mark.line, node.start_mark.column
        return Position(self.file, line + 1, column + 1, self._lines[line] if line < len(self._lines) else "")

    def place(self, name: str) -> Position:
        """Where a name stands, or else the mapping."""
        return self._position(self._keys[name]) if name in self._keys else self.at

    def wrong(self, what: str, at: Position, expected: str = "", hint: str = "") -> None:
        """Note a mistake."""
        self.errors.append(ConfigError(what, at, expected=expected, hint=hint))

    def section(self, name: str) -> Section:
        """A mapping within this one; empty where there is none."""
        self._taken.append(name)
        section = Section(self.file, self._lines, self.nodes.get(name), self.errors)
        section.at = self.place(name)
        return section

    def get(self, name: str, reader: Callable[[Node], Any]) -> Any:
        """A value; None where there is none, or where it is wrong, which is noted then."""
        self._taken.append(name)
        node = self.nodes.get(name)
        if node is None or _is_null(node):
            return None
        try:
            return reader(node)
        except Wrong as wrong:
            at = self._position(wrong.node)
            self.wrong(wrong.what, replace(at, text="") if wrong.secret else at, wrong.expected, wrong.hint)
            return None

    def finish(self) -> None:
        """What was not taken is unknown."""
        for name in self.nodes:
            if name not in self._taken:
                hint = nearest(name, self._taken)
                self.wrong(f"unknown key {shown(name)}", self.place(name), f"one of {', '.join(self._taken)}", hint)


# --- values: each reader takes a node, and raises Wrong ---


class Wrong(Exception):  # noqa: N818 - becomes a ConfigError as soon as the place is known
    """A node that is not what it should be."""

    def __init__(
        self, node: Node, what: str = "", expected: str = "", hint: str = "", *, secret: bool = False
    ) -> None:
        super().__init__(what)
        given = shown(node.value) if _kind(node) == "scalar" else f"a {_kind(node)}"
        self.node, self.what, self.expected, self.hint = node, what or f"invalid value {given}", expected, hint
        self.secret = secret
        """Whether the line is nobody's to read."""


def text(node: Node) -> str:
    """Any scalar as it is written, as the format's own reader has it."""
    if _kind(node) != "scalar":
        raise Wrong(node, expected="a text")
    return str(node.value)


def texts(node: Node) -> list[str]:
    """A list of scalars."""
    return [text(each) for each in items(node)]


def items(node: Node) -> list[Node]:
    """What a list has."""
    if _kind(node) != "sequence":
        raise Wrong(node, expected="a list")
    return list(node.value)


def boolean(node: Node) -> bool:
    """One of YAML 1.1's words for truth and its opposite."""
    if node.tag != "tag:yaml.org,2002:bool":
        raise Wrong(node, expected="true or false")
    return text(node).lower() in ("true", "yes", "on")


def integer(node: Node) -> int:
    """A whole number that is not negative, of at most nine digits."""
    if not re.fullmatch(r"[0-9]{1,9}", text(node)):
        raise Wrong(node, expected="a whole number")
    return int(text(node))


def one_of(node: Node, names: tuple[str, ...]) -> str:
    """One of these words."""
    word = text(node)
    if word not in names:
        raise Wrong(node, expected=f"one of {', '.join(names)}", hint=nearest(word, names))
    return word


def named(node: Node) -> Iterator[tuple[Node, Node]]:
    """The pairs of a mapping, each name once."""
    if _kind(node) != "mapping":
        raise Wrong(node, expected="a mapping")
    seen = set()
    for key, value in node.value:
        if text(key) in seen:
            raise Wrong(key, f"{shown(key.value)} is given twice")
        seen.add(text(key))
        yield key, value


# --- nodes ---


def _compose(octets: bytes, file: str) -> Node | None:
    """The file as nodes that know their places."""
    import yaml  # noqa: PLC0415 - a library that few Corefiles need

    start = Position(file, 1, 1)
    if len(octets) > MAX_FILE:
        raise ConfigErrors([ConfigError(f"it has more than {MAX_FILE} octets", start)])
    try:
        node: Node | None = yaml.compose(octets, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(file, mark.line + 1, mark.column + 1) if mark is not None else start
        raise ConfigErrors([ConfigError(f"no YAML: {error.problem or error.context}", at)]) from None
    except yaml.YAMLError as error:
        raise ConfigErrors([ConfigError(f"no YAML: {' '.join(str(error).split())}", start)]) from None
    except RecursionError:
        raise ConfigErrors([ConfigError("no YAML that anybody would write: too deep", start)]) from None
    return node


def _kind(node: Node) -> str:
    """`scalar`, `sequence` or `mapping`."""
    return type(node).__name__.removesuffix("Node").lower()


def _is_null(node: Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


__all__ = ["MAX_FILE", "Section", "Wrong", "boolean", "integer", "items", "load", "named", "one_of", "text", "texts"]
