"""An expression that can be run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from corepy.clock import SYSTEM, Clock
from corepy.exprlang import tree
from corepy.exprlang.builtins import BUILTINS, HANDED_IN
from corepy.exprlang.compiler import Compiler, Run
from corepy.exprlang.errors import EvaluationError, ExpressionError
from corepy.exprlang.methods import now_function
from corepy.exprlang.parser import PREDICATES, parse
from corepy.exprlang.scope import ENVIRONMENT
from corepy.exprlang.types import Function, Type


class Program:
    """An expression that can be run; `type` is that of its value."""

    clock: Clock = SYSTEM
    """What `now()` looks at."""

    def __init__(self, source: str, of: Type, run: Run, places: int) -> None:
        self.source = source
        self.type = of
        self._run = run
        self._empty = [None] * places

    def run(self, context: Any = None, values: Iterable[Any] = ()) -> Any:
        """The value of the expression, where its variables have these values, in their order.

        Raises EvaluationError where it has none.
        """
        try:
            return self._run([context, *values, *self._empty])
        except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError, MemoryError) as error:
            raise EvaluationError(str(error)) from None


def compile_expression(
    source: str, functions: Mapping[str, Function] | None = None, variables: Mapping[str, Type] | None = None
) -> Program:
    """The program for a text that may call these functions and use these variables; raises ExpressionError."""
    now = now_function(lambda: program.clock.wall())  # noqa: PLW0108 - the program is made below, its clock changes
    compiler = Compiler({"now": now, **(functions or {})}, variables or {})
    made = compiler.compile(parse(source))
    program = Program(source, made.type, made.run, compiler.places - len(variables or {}))
    return program


def is_free_name(text: str, functions: Mapping[str, Function]) -> bool:
    """Whether a variable may have this name: an identifier that stands for nothing else."""
    try:
        node = parse(text)
    except ExpressionError:
        return False
    taken = text in functions or text in BUILTINS or text in PREDICATES or text in (*HANDED_IN, "type", ENVIRONMENT)
    return isinstance(node, tree.Name) and node.name == text and not taken
