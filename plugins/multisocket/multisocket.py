"""How many sets of sockets a server block listens on, each of them served by a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from corepy.plugin import Directive, Plugin
from corepy.plugins.multisocket.cores import cores

if TYPE_CHECKING:
    from corepy.site import Site

MAX_SOCKETS: Final = 1024
"""CoreDNS's bound."""


@dataclass
class MultiSocket(Plugin):
    """Not in the chain: it shapes the listeners of its block. Of several blocks on one address the first one counts."""

    number: int

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One a server block."""
        if len(directives) > 1:
            raise directives[1].error("multisocket is there already", hint=f"the first one is at {directives[0].at}")
        return [cls.parse(directives[0])]

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """`multisocket [NUMBER]`; as many as there are cores for us, unless given."""
        word = directive.optional()
        number = cores() if word is None else directive.as_integer(word, "a number of sockets", 1, MAX_SOCKETS)
        directive.finish()
        return cls(number)

    def configure(self, site: Site) -> None:
        """Listen so often on each address of the block."""
        site.sockets = self.number
