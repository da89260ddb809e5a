"""What can go wrong, split by whose fault it is.

* `ConfigError`: the Corefile. Raised while it is read; the command line prints it and exits with 1.
* `Malformed`: the client. Raised while a message is read; the listener answers FORMERR, NOTIMP or not at all.
* `Failure`: the world behind us. Raised while a query is served; it knows the rcode the client gets.

A refusal that is expected (a blocked client, a name that does not exist) is a `Reply`, not an exception.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """Where a word of a Corefile stands: the file as the user named it, line and column from 1."""

    file: str
    line: int
    column: int
    text: str = field(default="", compare=False)
    """The whole source line, for the caret below it; empty where it has a secret that nobody is to see."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ConfigError(Exception):
    """A Corefile that cannot be served.

    `what` is wrong, `expected` would have been right, `hint` is a guess at what was meant; `plugin` is the
    directive whose rules were broken, empty outside of one. `str()` is one line; `explain()` adds the source
    line, a caret and the hint.
    """

    def __init__(
        self, what: str, at: Position | None = None, *, expected: str = "", hint: str = "", plugin: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.at = at
        self.expected = expected
        self.hint = hint
        self.plugin = plugin

    def __str__(self) -> str:
        plugin = f"plugin/{self.plugin}: " if self.plugin else ""
        where = f"{self.at}: " if self.at else ""
        expected = f", expected {self.expected}" if self.expected else ""
        return f"{plugin}{where}{self.what}{expected}"

    def explain(self) -> str:
        """The error for a person: the line of `str()`, then the source with a caret, then the hint."""
        lines = [str(self)]
        if self.at and self.at.text:
            before = self.at.text[: self.at.column - 1]
            indent = "".join("\t" if letter == "\t" else " " for letter in before)
            lines += [f"    {self.at.text}", f"    {indent}^"]
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)

    def locate(self, at: Position, plugin: str = "") -> ConfigError:
        """Fill in the place and the plugin where they are still unknown; returns the error itself."""
        self.at = self.at or at
        self.plugin = self.plugin or plugin
        return self


class ConfigErrors(ConfigError):  # noqa: N818 - several of them
    """All errors that one reading of a Corefile found, in the order of the file; never empty."""

    def __init__(self, errors: list[ConfigError]) -> None:
        first = errors[0]
        super().__init__(first.what, first.at, expected=first.expected, hint=first.hint, plugin=first.plugin)
        self.errors = errors

    def explain(self) -> str:
        """Every error for a person, one below the other."""
        return "\n".join(error.explain() for error in self.errors)


class Malformed(Exception):  # noqa: N818 - the field's word for such a message, see RFC 1035 4.1.1
    """A message that is no proper query: `rcode` for an error reply, None where only silence is safe.

    Silence is for what could start or feed a loop (a response) or has no header to answer with.
    """

    def __init__(self, why: str, rcode: int | None = None) -> None:
        super().__init__(why)
        self.rcode = rcode
        self.question = b""
        """The question in wire form where it could be read, and what follows could not: it comes back."""


class Failure(Exception):  # noqa: N818 - SERVFAIL is the field's word for it
    """A query that could not be served, through no fault of the client: `rcode` is what it is told."""

    def __init__(self, why: str, rcode: int = 2) -> None:
        super().__init__(why)
        self.rcode = rcode


__all__ = ["ConfigError", "ConfigErrors", "Failure", "Malformed", "Position"]
