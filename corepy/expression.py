r"""Regular expressions that users write in a Corefile: CoreDNS's, which are RE2's.

The only door to an engine for them, so that all plugins read the same language. Today that is Python's `re`; what it
has and RE2 has not (looking around, backreferences, atomic and possessive groups) is refused, so that a Corefile keeps
its meaning when RE2 takes its place, and so is what it would read otherwise (classes such as `[[:alpha:]]`). Until
then an expression is as dear as `re` makes it: it comes from the Corefile, never from the network.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Final

MAX_LENGTH: Final = 10_000
"""Octets of an expression, at most; CoreDNS's limit."""

_SET: Final = re.compile(r"\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\\\]])*\]|\\.", re.DOTALL)
"""A set of characters or an escape, in which nothing else has a meaning."""
_NOT_IN_RE2: Final = re.compile(r"\(\?(?:<?[=!]|[(>#]|P[=>])|[*+?}]\+")
_BACKREFERENCE: Final = re.compile(r"\\[1-9]")
_POSIX: Final = re.compile(r"\[:\^?[a-z]+:\]")


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; made by `compile`. Equal and hashed by its `pattern`, the text as written."""

    pattern: str
    _compiled: re.Pattern[str] = field(compare=False, repr=False)

    def search(self, text: str) -> bool:
        """Whether the expression matches anywhere in the text."""
        return self._compiled.search(text) is not None


def compile(text: str) -> Expression:  # noqa: A001 - every engine calls it so, and users write expression.compile
    """The expression that a text says. Raises ValueError, which says why, where it says none."""
    length = len(text.encode("utf-8", "surrogateescape"))
    if length > MAX_LENGTH:
        raise ValueError(f"a regular expression of {length} octets, more than {MAX_LENGTH}")
    _refuse_foreign(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `[[]` and the like mean what RE2 means by them
            return Expression(text, re.compile(text))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from None


def _refuse_foreign(text: str) -> None:
    """Raise ValueError for what means nothing to RE2, or something else."""
    for match in _SET.finditer(text):
        if _BACKREFERENCE.match(match[0]):
            raise ValueError(f"no regular expression: backreference {match[0]}")
        if match[0].startswith("[") and (posix := _POSIX.search(match[0], 1)):
            raise ValueError(f"the class {posix[0]} is not built yet")
    foreign = _NOT_IN_RE2.search(_SET.sub("_", text))
    if foreign:
        raise ValueError(f"no regular expression: {foreign[0]} is unknown")
