"""Expressions that users write in a Corefile, as in `expr type() in ['A', 'AAAA'] && do()`.

The language is expr-lang's, which CoreDNS uses. A text becomes a `Program` once, by way of tokens (`lexer`) and a tree
(`parser`); then types are checked and closures made of it (`compiler`). What a program may call beside the `builtins`
is handed in, and so is the clock that `now()` looks at. `ExpressionError` says where a text is
wrong; a program that fails while it runs raises `EvaluationError`.
"""

from corepy.exprlang.errors import EvaluationError, ExpressionError
from corepy.exprlang.program import Program, compile_expression, is_free_name
from corepy.exprlang.types import ANY, BOOL, FLOAT, INT, MAP, NIL, NUMBER, STRING, Function, Type, array

__all__ = [
    "ANY", "BOOL", "FLOAT", "INT", "MAP", "NIL", "NUMBER", "STRING", "EvaluationError", "ExpressionError", "Function",
    "Program", "Type", "array", "compile_expression", "is_free_name",
]  # fmt: skip
