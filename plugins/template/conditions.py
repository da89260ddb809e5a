"""Variables and conditions of a rule: `var NAME EXPRESSION`, `expr EXPRESSION`, in the language of `view`.

They came to CoreDNS after 1.14.7. A variable may use those above it, a condition all above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from corepy.exprlang import ANY, STRING, EvaluationError, Function, Program, Type, is_free_name
from corepy.plugin import Directive, Failure
from corepy.plugins.template.data import Data
from corepy.queryexpr import FUNCTIONS, read_expression
from corepy.words import shown

if TYPE_CHECKING:
    from corepy.clock import Clock

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _of_query(function: Function) -> Function:
    """A function about a query as one about the data of a template."""
    call: Callable[..., Any] = function.call
    return function._replace(call=lambda data, *arguments: call(data.query, *arguments))


_FUNCTIONS: Final[Mapping[str, Function]] = {
    **{name: _of_query(function) for name, function in FUNCTIONS.items()},
    "group": Function((ANY,), STRING, Data.group),
}


@dataclass
class Conditions:
    """What a rule works out for a question, and what has to be true of it."""

    variables: dict[str, Program] = field(default_factory=dict)
    """In the order of their lines."""
    expressions: list[tuple[Program, int]] = field(default_factory=list)
    """Each with the number of variables above it."""

    def read_variable(self, option: Directive) -> None:
        """Read `var NAME EXPRESSION`. Raises ConfigError."""
        name = option.word("the name of a variable")
        if not _NAME.fullmatch(name):
            raise option.error(f"invalid name of a variable {shown(name)}", name, "letters, digits and _")
        if name in self.variables or not is_free_name(name, _FUNCTIONS):
            raise option.error(f"the name {shown(name)} is taken", name, "one that means nothing else")
        self.variables[str(name)] = read_expression(option, _FUNCTIONS, self._types())

    def read_expression(self, option: Directive) -> None:
        """Read `expr EXPRESSION`. Raises ConfigError."""
        self.expressions.append((read_expression(option, _FUNCTIONS, self._types()), len(self.variables)))

    def look_at(self, clock: Clock) -> None:
        """Let `now()` be the time of this clock."""
        for program in [*self.variables.values(), *[program for program, _known in self.expressions]]:
            program.clock = clock

    def _types(self) -> dict[str, Type]:
        return {name: program.type for name, program in self.variables.items()}

    def hold(self, data: Data) -> bool:
        """Whether all expressions are true; `data` is told the variables.

        Raises Failure where something has no value: the question is for this rule, which cannot answer it.
        """
        values: list[Any] = []
        try:
            for name, program in self.variables.items():
                values.append(program.run(data, values))
                data.variables[name] = values[-1]
            return all(program.run(data, values[:known]) is True for program, known in self.expressions)
        except EvaluationError as error:
            raise Failure(f"an expression of the template has no value: {error}") from None
