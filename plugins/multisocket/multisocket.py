"""How many sets of sockets a server block listens on, each of them served by a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy.plugin import Directive, Plugin
from corepy.plugins.multisocket.cores import cores

if TYPE_CHECKING:
    from corepy.site import Site

MAX_SOCKETS: Final = 1024
"""CoreDNS's bound."""


@dataclass
class MultiSocket(Plugin):
    """Not in the chain: it shapes the listeners of its block. Of several blocks on one address the first one counts."""

    once: ClassVar[bool] = True

    number: int

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
