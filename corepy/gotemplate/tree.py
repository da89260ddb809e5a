"""A template as a tree: what the parser makes and `evaluate` compiles.

Operands and commands give values, statements write text. `at` is an offset in the text, for errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

UNDEFINED: Final = -1
"""The slot of a variable that is filled without having been declared."""


@dataclass(frozen=True, slots=True)
class Constant:
    """`true`, or a string."""

    at: int
    value: bool | str


@dataclass(frozen=True, slots=True)
class Nil:
    """`nil`: good as an argument, never as a command."""

    at: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number without a type: what it is as int, float and complex, where it can be that.

    `value` is what it is where nobody asks for one of them.
    """

    at: int
    text: str
    integer: int | None
    real: float | None
    value: float | complex


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`, what the template works on."""

    at: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x`, by its slot."""

    at: int
    name: str
    slot: int


@dataclass(frozen=True, slots=True)
class Named:
    """A function."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`, `$x.A.B` or `(...).A.B`: fields or methods of a base."""

    at: int
    base: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """An operand and the arguments that are given to it."""

    at: int
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the value of the one before as its last argument; the value goes to variables, too.

    `slots` are those of the variables: `:=` makes new ones, `=` fills those that there are.
    """

    at: int
    commands: tuple[Command, ...]
    slots: tuple[int, ...] = ()


Operand: TypeAlias = Constant | Nil | Number | Dot | Variable | Named | Field | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """What stands outside of actions."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is written, unless it goes to a variable."""

    at: int
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Choice:
    """`if` and `with`: the body of the first pipeline that is true; `with` makes its value the dot there."""

    at: int
    moves_dot: bool
    branches: tuple[tuple[Pipeline, Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Range:
    """`range`: the body for each element, or the other one where there are none."""

    at: int
    pipeline: Pipeline
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Leave:
    """`break`, or `continue` where `goes_on`."""

    at: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Call:
    """`template NAME PIPELINE`, and what a `block` leaves where it stands."""

    at: int
    name: str
    pipeline: Pipeline | None


Statement: TypeAlias = Text | Action | Choice | Range | Leave | Call
Body: TypeAlias = tuple[Statement, ...]


@dataclass(slots=True)
class Definition:
    """One template of a text: its statements, and how many slots its variables need; slot 0 is `$`."""

    body: Body = ()
    slots: int = 1

    @property
    def empty(self) -> bool:
        """Whether there is nothing but space: such a definition may be replaced."""
        return all(isinstance(each, Text) and not each.text.strip() for each in self.body)
