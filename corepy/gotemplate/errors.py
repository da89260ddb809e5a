"""What can be wrong with a template: its text, or what it is given to work on."""

from __future__ import annotations


class TemplateError(ValueError):
    """A template that cannot be read or carried out: `NAME:LINE:COLUMN: why`, line and column from 1."""

    def __init__(self, name: str, line: int, column: int, why: str) -> None:
        super().__init__(f"{name}:{line}:{column}: {why}")
        self.line = line
        self.column = column
        self.why = why


class TemplateSyntaxError(TemplateError):
    """A text that is no template."""


class ExecutionError(TemplateError):
    """A template that does not fit its data."""


class Unfit(Exception):  # noqa: N818 - it becomes an ExecutionError where the place is known
    """Raised by functions, which do not know where in a template they are called."""
