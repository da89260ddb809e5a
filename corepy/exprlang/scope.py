"""What the names of an expression stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from corepy.exprlang import tree
from corepy.exprlang.builtins import BUILTINS, HANDED_IN
from corepy.exprlang.types import Function, Reference, Type

ENVIRONMENT: Final = "$env"
"""A map of what is handed in."""


class Scope:
    """Functions and variables: those that are handed in, and those of `let`."""

    def __init__(self, functions: Mapping[str, Function], variables: Mapping[str, Type]) -> None:
        self.functions = dict(functions)
        self.variables = {name: (of, place) for place, (name, of) in enumerate(variables.items(), 1)}
        self.places = len(variables)
        self._references = {name: Reference(name) for name in functions if name not in HANDED_IN}
        self._handed = {name: place for name, (_of, place) in self.variables.items()}

    def more_places(self, count: int) -> int:
        """Places of the frame that nobody else has; the first of them."""
        first = self.places + 1
        self.places += count
        return first

    def environment(self, frame: list[Any]) -> dict[str, Any]:
        """What `$env` is while a program runs."""
        return {**self._references, **{name: frame[place] for name, place in self._handed.items()}}

    def is_environment(self, node: tree.Node) -> bool:
        """Whether a node is `$env`."""
        return isinstance(node, tree.Name) and node.name == ENVIRONMENT and ENVIRONMENT not in self.variables

    def is_handed_in(self, name: str) -> bool:
        """Whether `$env` has it."""
        return name in self._references or name in self._handed

    def is_taken(self, name: str) -> bool:
        """Whether `let` may not give this name."""
        return name in self.functions or name in BUILTINS or name in self.variables

    def let(self, name: str, of: Type, value: tree.Node) -> int:
        """Give a value a name, by which a function can be called, too; the place of the value."""
        place = self.more_places(1)
        self.variables[name] = (of, place)
        function = self._function(value)
        if function is not None:
            self.functions[name] = function
        return place

    def forget(self, name: str) -> None:
        """Take the name away again."""
        del self.variables[name]
        self.functions.pop(name, None)

    def _function(self, node: tree.Node) -> Function | None:
        """The function for which a node stands, as `name` and `$env.name` do."""
        if isinstance(node, tree.Member) and self.is_environment(node.of) and isinstance(node.key, tree.Literal):
            return self.functions.get(str(node.key.value))
        return self.functions.get(node.name) if isinstance(node, tree.Name) else None
