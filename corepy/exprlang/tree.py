"""What an expression consists of. `at` is an offset into its text, for errors."""

from __future__ import annotations

from typing import NamedTuple, Union

from corepy.exprlang.types import Bytes


class Literal(NamedTuple):
    """A number, a string, octets, true, false or nil."""

    value: int | float | str | Bytes | bool | None
    at: int


class Name(NamedTuple):
    """A variable."""

    name: str
    at: int


class Pointer(NamedTuple):
    """The element at hand in a predicate (`#`), or its `#index` or `#acc`."""

    name: str
    at: int


class Array(NamedTuple):
    """`[a, b]`."""

    items: list[Node]
    at: int


class Map(NamedTuple):
    """`{a: b}`."""

    pairs: list[tuple[Node, Node]]
    at: int


class Unary(NamedTuple):
    """`-a`, `not a`."""

    operator: str
    operand: Node
    at: int


class Binary(NamedTuple):
    """`a + b`."""

    operator: str
    left: Node
    right: Node
    at: int


class Conditional(NamedTuple):
    """`a ? b : c`, `if a { b } else { c }`."""

    condition: Node
    then: Node
    otherwise: Node
    at: int


class Member(NamedTuple):
    """`a[b]`, `a.b`; `optional` for `a?.b`, which is nil where `a` is."""

    of: Node
    key: Node
    optional: bool
    at: int


class Slice(NamedTuple):
    """`a[b:c]`."""

    of: Node
    start: Node | None
    end: Node | None
    at: int


class Call(NamedTuple):
    """`name(a, b)`."""

    name: str
    arguments: list[Node]
    at: int


class Method(NamedTuple):
    """`of.name(a, b)`."""

    of: Node
    name: str
    arguments: list[Node]
    at: int


class Let(NamedTuple):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node
    at: int


class Sequence(NamedTuple):
    """`a; b`: all are evaluated, and the last one is the value."""

    nodes: list[Node]
    at: int


Node = Union[  # noqa: UP007 - the classes above name it before it is there
    Literal, Name, Pointer, Array, Map, Unary, Binary, Conditional, Member, Slice, Call, Method, Let, Sequence
]
