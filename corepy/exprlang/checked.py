"""What closures of a program share: checks of arguments and of values."""

from __future__ import annotations

from typing import Any

from corepy.exprlang import tree
from corepy.exprlang.errors import ExpressionError
from corepy.exprlang.types import Function, Type, fits


def parameters(function: Function, count: int) -> list[Type]:
    """The types of so many parameters."""
    wanted = list(function.parameters)
    return wanted + [wanted[-1]] * (count - len(wanted)) if function.repeated else wanted[:count]


def check_arguments(node: tree.Call | tree.Method, function: Function, types: list[Type]) -> None:
    """Raise ExpressionError where the arguments of a call do not fit in number or type."""
    least, most = len(function.parameters) - function.optional, len(function.parameters)
    if len(types) < least or (len(types) > most and not function.repeated):
        number = str(least) if least == most and not function.repeated else f"{least} or more"
        raise ExpressionError(f"{node.name!r} takes {number} arguments and not {len(types)}", node.at)
    for argument, given, wanted in zip(node.arguments, types, parameters(function, len(types)), strict=True):
        if not fits(given, wanted):
            raise ExpressionError(f"{node.name!r} takes a {wanted} here and no {given}", argument.at)


def text(value: Any) -> str:
    """A value that is a string. Raises TypeError for another one, as all of these."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    return value


def truth(value: Any) -> bool:
    """One that is true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def listed(value: Any) -> list[Any]:
    """One that is an array."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no array")
    return value


def nothing(_frame: list[Any]) -> None:
    """The closure of nil."""
