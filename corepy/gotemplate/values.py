"""Go's values in Python: what their types are called, whether they are true, and objects with fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from corepy.gotemplate.errors import Unfit


class Uint(int):
    """An unsigned integer: the same as an int but where a type is asked for by name."""

    __slots__ = ()


class Struct:
    """Something with fields and methods. `fields` and `methods` have Go's names; printed as `str()` says."""

    __slots__ = ()

    fields: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    """Name to a getter."""
    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {}
    """Name to what binds the method."""
    type_name: ClassVar[str] = "struct"


@dataclass(frozen=True, slots=True)
class Function:
    """What a template may call: `call` gets the arguments, checked against `takes`, and raises `Unfit` or ValueError.

    `takes` has "any", "string", "int", "uint", "bool" or "float" for each argument; `more` is for any number of others.
    """

    call: Callable[..., Any]
    takes: tuple[str, ...] = ()
    more: str = ""

    def wrong_number(self, count: int) -> str:
        """What is wrong with a number of arguments; nothing if it is right."""
        if count == len(self.takes) or (self.more and count > len(self.takes)):
            return ""
        return f"wrong number of arguments: {count} for {len(self.takes)}{' or more' * bool(self.more)}"

    def kind(self, index: int) -> str:
        """The type of the argument of this index."""
        return self.takes[index] if index < len(self.takes) else self.more


_KINDS = {bool: "bool", int: "int", Uint: "uint", float: "float", complex: "complex", str: "string"}
_TYPES = {bool: "bool", int: "int", Uint: "uint64", float: "float64", complex: "complex128", str: "string"}


def kind_of(value: object) -> str:
    """The basic kind of a value, "" for others."""
    return _KINDS.get(type(value), "")


def type_of(value: object) -> str:
    """What Go would call the type of a value."""
    if isinstance(value, Struct):
        return value.type_name
    if isinstance(value, (list, tuple)):
        return f"[]{type_of(value[0]) if value else 'string'}"
    if isinstance(value, dict):
        return "map[string]string"
    return "<nil>" if value is None else _TYPES.get(type(value), "func")


def truth(value: object) -> bool:
    """Whether a value counts as true: anything but zero, nil and the empty; structs always do."""
    return bool(value) or isinstance(value, (Struct, Function))


def octets(text: str) -> bytes:
    """A string as Go has it."""
    return text.encode("utf-8", "surrogateescape")


def text_of(raw: bytes) -> str:
    """Octets as a string."""
    return raw.decode("utf-8", "surrogateescape")


def length(value: object) -> int:
    """`len`: octets of a string, elements of anything else that has any. Raises Unfit."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(octets(value))
    if isinstance(value, (list, tuple, dict)):
        return len(value)
    raise Unfit(f"len of {type_of(value)}")


def look_up(value: object, name: str) -> Any:
    """A field, the entry of a map (None where it has none), or a bound method. Raises Unfit."""
    if isinstance(value, Struct):
        getter = value.fields.get(name)
        if getter is not None:
            return getter(value)
        method = value.methods.get(name)
        if method is not None:
            return method(value)
    elif isinstance(value, dict):
        return value.get(name)
    elif value is None:
        return None
    raise Unfit(f"no field {name} in {type_of(value)}")
