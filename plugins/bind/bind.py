"""Say which addresses the listeners of a server block are bound to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Self

from corepy import interfaces
from corepy.plugin import Address, Directive, Plugin
from corepy.words import Word, nearest, shown

if TYPE_CHECKING:
    from corepy.site import Site

_EXPECTED: Final = "an IP address or the name of an interface"


@dataclass
class Bind(Plugin):
    """The addresses of all `bind` lines of a block, as text and in their order, each of them once."""

    hosts: list[str]

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all lines; `except` takes addresses from its own line alone.

        Interfaces are looked up here, so a reload notices new addresses. No address at all is an error: the block
        would be served to nobody (CoreDNS starts, or exits without a word if it is the only one).
        """
        hosts = dict.fromkeys(host for directive in directives for host in _hosts(directive))
        if not hosts:
            raise directives[0].error("no address is left to listen on", hint="interfaces may have none at the moment")
        return [cls(list(hosts))]

    def configure(self, site: Site) -> None:
        """Hand the addresses to the listeners."""
        site.hosts = self.hosts


def _hosts(directive: Directive) -> list[str]:
    """The addresses of one line, less its exceptions."""
    words = directive.words(_EXPECTED, at_least=1)
    without: set[str] = set()
    for option in directive.options("except"):
        without.update(_resolve(option, option.words(_EXPECTED, at_least=1)))
    return [host for host in _resolve(directive, words) if host not in without]


def _resolve(directive: Directive, words: list[Word]) -> Iterator[str]:
    """The addresses that the words stand for."""
    for word in words:
        try:
            yield _address(word)
        except ValueError:
            yield from _of_interface(directive, word)


def _address(word: str) -> str:
    """The address in its usual form (RFC 5952), its scope as written. Raises ValueError for what is no address."""
    address = Address.of(word, 0)
    return str(ip_address(word)) if address.scope else address.host


def _of_interface(directive: Directive, word: Word) -> list[str]:
    """The addresses of the interface of this name."""
    try:
        return interfaces.addresses(word)
    except LookupError:
        hint = nearest(word, interfaces.names())
        raise directive.error(f"{shown(word)} is no address or interface here", word, _EXPECTED, hint) from None
    except OSError as error:
        raise directive.error(f"cannot look up {shown(word)}: {error.strerror or error}", word) from None
