r"""Regular expressions that users write in a Corefile: CoreDNS's, which are RE2's.

The only door to an engine for them, so that all plugins read the same language and none of them can be kept busy:
what is matched comes from strangers, and RE2 takes time in proportion to its length whatever the expression. The
engine is loaded when the first expression is compiled.

Go's package and RE2 read the same syntax but for two things, which are refused here as in Go: `\C`, an octet of a
character, and names of groups with letters beyond ASCII. Of two groups of one name Go takes the last one, we the first.
In a text that is not UTF-8 Go's `.` matches a stray octet, RE2's does not; names are escaped to ASCII before they get
here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

MAX_LENGTH: Final = 10_000
"""Octets of an expression, at most; CoreDNS's limit."""
MAX_MEMORY: Final = 8 << 20
"""Octets that an expression may take, compiled and at work: RE2's own default. One that needs more to be compiled is
refused, one that needs more at work becomes slower by a factor and stays linear."""

_ANY_OCTET: Final = re.compile(rb"(?:[^\\]|\\Q(?:(?!\\E).)*(?:\\E|\Z)|\\[^CQ])*\\C", re.DOTALL)
_GROUP_NAME: Final = re.compile(rb"\(\?P?<([^>=!]*)>")


class Match(NamedTuple):
    """Where an expression matched: the whole match and its groups; a group that took no part is empty, as in Go."""

    groups: tuple[str, ...]
    """The whole match, then the groups by their numbers."""
    names: Mapping[str, int]
    """Numbers of the groups that have names."""

    def named(self) -> dict[str, str]:
        """All groups by name and by number: `{"0": whole, "1": first, "host": first}`; a name wins over a number."""
        found = {str(number): text for number, text in enumerate(self.groups)}
        found.update({name: self.groups[number] for name, number in self.names.items()})
        return found


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; made by `compile`. Equal and hashed by its `pattern`, the text as written."""

    pattern: str
    _finder: Any = field(compare=False, repr=False)
    """Without groups: it need not remember where they began."""
    _matcher: Any = field(compare=False, repr=False)
    _names: Mapping[str, int] = field(compare=False, repr=False)

    @property
    def groups(self) -> int:
        """How many groups it has, the whole match not counted."""
        return int(self._matcher.groups)

    def search(self, text: str) -> bool:
        """Whether the expression matches anywhere in the text."""
        return self._finder.search(_octets(text)) is not None

    def match(self, text: str) -> Match | None:
        """The leftmost match in the text with its groups; None where there is none."""
        found = self._matcher.search(_octets(text))
        if found is None:
            return None
        groups = found.groups(b"")
        return Match(tuple([group.decode("utf-8", "surrogateescape") for group in (found[0], *groups)]), self._names)


def compile(text: str) -> Expression:  # noqa: A001 - every engine calls it so, and users write expression.compile
    """The expression that a text says. Raises ValueError, which says why, where it says none."""
    pattern = _octets(text)
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"a regular expression of {len(pattern)} octets, more than {MAX_LENGTH}")
    if _ANY_OCTET.match(pattern):
        raise ValueError(r"no regular expression: \C is unknown")
    for name in _GROUP_NAME.findall(pattern):
        if not name.isascii():
            raise ValueError(f"no regular expression: group name {name.decode('utf-8', 'replace')!r}")
    matcher = _compiled(pattern, captures=True)
    names = {name.decode("ascii", "replace"): number for name, number in matcher.groupindex.items()}
    return Expression(str(text), _compiled(pattern, captures=False), matcher, names)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _compiled(pattern: bytes, *, captures: bool) -> Any:
    """RE2's object for a pattern, which says nothing by itself. Raises ValueError."""
    engine, error = _engine()
    options = engine.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    options.never_capture = not captures
    try:
        return engine.compile(pattern, options)
    except error as refused:
        why = refused.args[0]
        raise ValueError(f"no regular expression: {why.decode('utf-8', 'replace')}") from None


@lru_cache(maxsize=1)
def _engine() -> tuple[Any, type[Exception]]:
    """RE2 and its error. Loaded late, since most Corefiles have no expression."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    return re2, re2.error
