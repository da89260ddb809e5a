"""What can be wrong with an expression."""

from __future__ import annotations


class ExpressionError(Exception):
    """A text that is no expression, or one whose types do not fit; `at` is the offset of the place in characters."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


class EvaluationError(Exception):
    """An expression that has no value this time, such as the element behind the end of an array."""
