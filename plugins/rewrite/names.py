"""Which names a rule is for, and which name each of them becomes.

Rules speak of names as text, with a final dot; a part of a name that is looked for has the final dot too, so that it
ends where a label ends (CoreDNS's way). Between rules and messages stand functions from wire form to wire form. Where a
rule is about whole labels, as most are, they work on octets; else by way of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from corepy import wire as w
from corepy.expression import Expression
from corepy.plugin import Failure

Rename = Callable[[bytes], bytes | None]
"""From one name to another, both in wire form; None where the rule is not for the name. Raises Failure where what comes
of it is no name."""

_GROUP: Final = re.compile(r"\{(0|[1-9][0-9]{0,3})\}")
"""A group of an expression, in what takes its place."""


@dataclass(frozen=True)
class Pattern:
    """What a rule looks for: `old` is a name or a part of one, in lower case; case in names does not matter."""

    old: str

    def matches(self, name: str) -> bool:
        """Whether the rule is for a name, given in presentation form."""
        raise NotImplementedError

    def replaced(self, name: str, new: str) -> str:
        """What comes of a name that matches; perhaps no name."""
        raise NotImplementedError

    def octets(self, new: str) -> Rename | None:  # noqa: ARG002 - for those that override it
        """The same on octets, where that is possible."""
        return None


class Exact(Pattern):
    """The name itself."""

    def matches(self, name: str) -> bool:
        """Whether it is the name."""
        return name.lower() == self.old

    def replaced(self, name: str, new: str) -> str:  # noqa: ARG002 - nothing of it stays
        """The new name, whatever there was."""
        return new

    def octets(self, new: str) -> Rename | None:
        """The same on octets."""
        old, whole = _encoded(self.old), _encoded(new)
        if old is None or whole is None:
            return None
        return lambda name: whole if name.lower() == old else None


class Prefix(Pattern):
    """Names that begin so."""

    def matches(self, name: str) -> bool:
        """Whether the name begins so."""
        return name.lower().startswith(self.old)

    def replaced(self, name: str, new: str) -> str:
        """The name with another beginning."""
        return new + name[len(self.old) :]


class Suffix(Pattern):
    """Names that end so."""

    def matches(self, name: str) -> bool:
        """Whether the name ends so."""
        return name.lower().endswith(self.old)

    def replaced(self, name: str, new: str) -> str:
        """The name with another end."""
        return name[: len(name) - len(self.old)] + new

    def octets(self, new: str) -> Rename | None:
        """The same on octets, for suffixes which both begin with a dot, so with a label."""
        if not (self.old.startswith(".") and new.startswith(".")):
            return None
        old, end = _encoded(self.old[1:]), _encoded(new[1:])
        if old is None or end is None:
            return None
        size = len(old)

        def rename(name: bytes) -> bytes | None:
            key = name.lower()
            if not key.endswith(old):
                return None
            at, stop = 0, len(name) - size
            while at < stop:
                at += name[at] + 1
            return checked(name[:stop] + end) if at == stop and stop else None

        return rename


class Substring(Pattern):
    """Names that have this somewhere; all occurrences are replaced."""

    def matches(self, name: str) -> bool:
        """Whether the name has it."""
        return self.old in name.lower()

    def replaced(self, name: str, new: str) -> str:
        """The name, in lower case, with all occurrences replaced."""
        return name.lower().replace(self.old, new)


@dataclass(frozen=True)
class Regex(Pattern):
    """Names that an expression matches, as they are spelled; `{1}` in what takes their place is its first group."""

    expression: Expression

    def matches(self, name: str) -> bool:
        """Whether the expression matches anywhere in the name."""
        return self.expression.search(name)

    def replaced(self, name: str, new: str) -> str:
        """What the new name says, with the groups filled in; a group that there is not is left as it is written."""
        match = self.expression.match(name)
        groups = match.groups if match else ()
        return _GROUP.sub(lambda found: groups[int(found[1])] if int(found[1]) < len(groups) else found[0], new)


KINDS: Final[dict[str, type[Pattern]]] = {
    "exact": Exact,
    "prefix": Prefix,
    "suffix": Suffix,
    "substring": Substring,
    "regex": Regex,
}


def renaming(pattern: Pattern, new: str) -> Rename:
    """The function for names that match a pattern."""

    def by_text(name: bytes) -> bytes | None:
        text = w.decode_name(name)
        return encoded(pattern.replaced(text, new)) if pattern.matches(text) else None

    return pattern.octets(new) or by_text


def moved(old: bytes, new: bytes) -> Rename:
    """The function that makes `new` of the name `old` (a key), and of names below `old` names below `new`."""
    size = len(old)

    def rename(name: bytes) -> bytes | None:
        key = name.lower()
        if key == old:
            return new
        if size == 1 or not w.is_subdomain(key, old):
            return None
        return checked(name[:-size] + new)

    return rename


def encoded(name: str) -> bytes:
    """The wire form of what comes of a rule. Raises Failure where it is no name."""
    try:
        return w.encode_name(name)
    except ValueError:
        raise Failure(f"invalid name after rewrite: {name}") from None


def checked(name: bytes) -> bytes:
    """A name that was made of labels. Raises Failure where it is too long."""
    if len(name) > w.MAX_NAME:
        raise Failure(f"invalid name after rewrite: {w.decode_name(name)}")
    return name


def _encoded(name: str) -> bytes | None:
    """The wire form of a name in a Corefile; None where it is none, and so matches nothing or becomes no name."""
    try:
        return w.encode_name(name)
    except ValueError:
        return None
