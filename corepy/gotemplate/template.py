"""A template that was read, ready to be rendered."""

from __future__ import annotations

from collections.abc import Mapping

from corepy.gotemplate.errors import ExecutionError
from corepy.gotemplate.evaluate import Compiler, Frame
from corepy.gotemplate.functions import BUILTINS, SHORT_CIRCUIT
from corepy.gotemplate.lexer import Lexer
from corepy.gotemplate.parser import parse
from corepy.gotemplate.values import Function


class Template:
    """Made by `compile_template`; equal by name and text. Rendering changes nothing in it."""

    __slots__ = ("_run", "_slots", "name", "text")

    def __init__(self, name: str, text: str, functions: Mapping[str, Function]) -> None:
        self.name = name
        self.text = text
        known = {**BUILTINS, **functions}
        definitions = parse(name, text, known.keys() | SHORT_CIRCUIT)
        self._slots, self._run = Compiler(name, Lexer(name, text).place, known, definitions).main(name)

    def render(self, data: object) -> str:
        """The text that the template makes of the data, which is the dot. Raises ExecutionError."""
        out: list[str] = []
        try:
            self._run(Frame(self._slots, data, out), data)
        except RecursionError:
            raise ExecutionError(self.name, 1, 1, "too deep for Python's stack") from None
        return "".join(out)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and (self.name, self.text) == (other.name, other.text)

    def __hash__(self) -> int:
        return hash((self.name, self.text))

    def __repr__(self) -> str:
        return f"Template({self.name!r}, {self.text!r})"


def compile_template(text: str, name: str = "template", functions: Mapping[str, Function] | None = None) -> Template:
    """Read a template; `functions` come in addition to the builtin ones or in their place.

    `name` stands in front of the errors. Raises TemplateSyntaxError.
    """
    return Template(name, text, functions or {})


__all__ = ["Template", "compile_template"]
