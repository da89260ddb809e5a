"""A directive of a Corefile as its plugin sees it: readers for its arguments and options.

Each reader takes the next argument of the line, checks it, and raises a ConfigError that has the place, what was
expected and often a guess. `as_integer` and the others do the same with a word that was taken before. What nobody
took is an error too: `finish` says so, for every option and, called by the core, for the directive itself. So::

    for option in directive.options("max_fails", "except"):
        if option.name == "max_fails":
            self.max_fails = option.integer(minimum=0)
        else:
            self.ignored = option.origins()
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from corepy.address import Address
from corepy.duration import format_duration, parse_duration
from corepy.errors import ConfigError, Position
from corepy.keys import Network, parse_network, parse_zones
from corepy.words import Word, nearest, not_set, shown

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_ADDRESS = re.compile(
    r"""(?: \[(?P<bracketed>[^\[\]]*)\] | (?P<host>[^:\[\]]*) ) (?: :(?P<port>[0-9]{1,5}) )?
      | (?P<bare>[^\[\]]*:[^\[\]]*:[^\[\]]*)  # IPv6 without brackets has no port""",
    re.VERBOSE,
)


@dataclass(slots=True)
class Directive:
    """One line of a block: a directive of a server block, or an option of a directive.

    `arguments` are all the words behind the name; the readers take them in order. `block` has the lines of its
    own block, None without one, and `opened` and `closed` the places of its braces. `zones` are the zones of the
    server block, wire names in lower case, filled in by the core. `plugin` is the directive that an option belongs to.
    """

    name: Word
    arguments: list[Word] = field(default_factory=list)
    block: list[Directive] | None = None
    opened: Position | None = None
    closed: Position | None = None
    zones: tuple[bytes, ...] = ()
    plugin: str = ""
    _taken: int = 0
    _block_read: bool = False

    @property
    def at(self) -> Position:
        """Where the directive begins."""
        return self.name.at

    def unread(self) -> Directive:
        """The same directive, of which nothing has been taken."""
        block = None if self.block is None else [line.unread() for line in self.block]
        return Directive(self.name, self.arguments, block, self.opened, self.closed, self.zones, self.plugin)

    def error(self, what: str, at: Word | Position | None = None, expected: str = "", hint: str = "") -> ConfigError:
        """An error to raise: at a word or place, or else at the directive as a whole.

        Variables that are not set are mentioned: those of the word, or else those of the whole line.
        """
        where = at.at if isinstance(at, Word) else at or self.at
        words = [at] if isinstance(at, Word) else [self.name, *self.arguments]
        return ConfigError(what + not_set(words), where, expected=expected, hint=hint, plugin=self.plugin or self.name)

    # --- arguments as they are ---

    def word(self, expected: str = "an argument") -> Word:
        """The next argument."""
        word = self.optional()
        if word is None:
            raise self.error(f"{shown(self.name)} lacks an argument", expected=expected)
        return word

    def optional(self) -> Word | None:
        """The next argument, None if all were taken."""
        if self._taken >= len(self.arguments):
            return None
        self._taken += 1
        return self.arguments[self._taken - 1]

    def words(self, expected: str = "an argument", at_least: int = 0) -> list[Word]:
        """All further arguments."""
        words = self.arguments[self._taken :]
        self._taken = len(self.arguments)
        if len(words) < at_least:
            raise self.error(f"{shown(self.name)} lacks an argument", expected=expected)
        return words

    def no_more(self) -> None:
        """Check that all arguments were taken."""
        surplus = self.optional()
        if surplus is not None:
            expected = "no arguments" if self._taken == 1 else "the end of the line"
            raise self.error(f"unexpected argument {shown(surplus)}", surplus, expected=expected)

    def no_block(self) -> None:
        """Check that there is no block; its first line is what is too much, if it has one."""
        if self.block is not None:
            first = self.block[0].name if self.block else None
            what = "unexpected '{'"
            if first:
                what = f"unexpected {shown(first)} in a block, opened at {self.opened} by '{{'"
            raise self.error(what, first or self.opened, expected=f"no block for {self.name}")

    def finish(self) -> None:
        """Check that all arguments were taken, and that the options were read if there is a block."""
        self.no_more()
        if not self._block_read:
            self.no_block()

    # --- arguments as values ---

    def integer(self, expected: str = "a whole number", minimum: int | None = None, maximum: int | None = None) -> int:
        """The next argument as a whole number within the bounds, of at most 18 digits."""
        return self.as_integer(self.word(_bounded(expected, minimum, maximum)), expected, minimum, maximum)

    def as_integer(
        self, word: Word, expected: str = "a whole number", minimum: int | None = None, maximum: int | None = None
    ) -> int:
        """This word as `integer` reads it."""
        number = int(word) if _INTEGER.fullmatch(word) else None
        if number is None or not _within(number, minimum, maximum):
            raise self._invalid(word, _bounded(expected, minimum, maximum))
        return number

    def duration(self, expected: str = "a duration such as 30s or 1h30m", minimum: float | None = None) -> float:
        """The next argument as seconds, not below `minimum` (see `parse_duration`)."""
        return self.as_duration(self.word(expected), expected, minimum)

    def as_duration(
        self, word: Word, expected: str = "a duration such as 30s or 1h30m", minimum: float | None = None
    ) -> float:
        """This word as `duration` reads it."""
        try:
            seconds = parse_duration(word)
        except ValueError:
            raise self._invalid(word, expected) from None
        if not _within(seconds, minimum, None):
            raise self._invalid(word, _bounded(expected, format_duration(minimum or 0), None))
        return seconds

    def choice(self, *names: str, fold_case: bool = False) -> str:
        """The next argument as one of the names, exactly or in any case."""
        return self.as_choice(self.word(_one_of(names)), *names, fold_case=fold_case)

    def as_choice(self, word: Word, *names: str, fold_case: bool = False) -> str:
        """This word as `choice` reads it."""
        for name in names:
            if word == name or (fold_case and word.casefold() == name.casefold()):
                return name
        raise self._invalid(word, _one_of(names), nearest(word, names))

    def networks(self, at_least: int = 1, *, addresses: bool = False) -> list[Network]:
        """All further arguments as networks, their host bits cleared; single addresses count if `addresses`."""
        words = self.words(_network_expected(addresses), at_least)
        return [self.as_network(word, addresses=addresses) for word in words]

    def as_network(self, word: Word, *, addresses: bool = False) -> Network:
        """This word as `networks` reads it. IPv6 forms of IPv4 addresses become IPv4."""
        try:
            if addresses and "/" not in word:
                return parse_network(f"{word}/{ip_address(word).max_prefixlen}")
            return parse_network(word)
        except ValueError:
            raise self._invalid(word, _network_expected(addresses)) from None

    def address(self, default_port: int | None = None) -> tuple[str, int]:
        """The next argument as host and port, `HOST:PORT`, `[IPv6]:PORT` or `:PORT`, the host without brackets.

        With a default port, an address or name without port is allowed too. The host is not looked at further.
        """
        return self.as_address(self.word(_address_expected(default_port)), default_port)

    def as_address(self, word: Word, default_port: int | None = None) -> tuple[str, int]:
        """This word as `address` reads it."""
        match = _ADDRESS.fullmatch(word)
        if match is None:
            raise self._invalid(word, _address_expected(default_port))
        host = match["bracketed"] or match["bare"] or match["host"] or ""
        port = match["port"] if match["port"] is not None else default_port
        if port is None or int(port) > 65535 or not (host or match["port"]):
            raise self._invalid(word, _address_expected(default_port))
        return host, int(port)

    def ip_address(self) -> Address:
        """The next argument as an IP address, with port 0; IPv6 may have an interface, as in `fe80::1%eth0`."""
        word = self.word("an IP address")
        try:
            return Address.of(word, 0)
        except ValueError:
            raise self._invalid(word, "an IP address") from None

    def origins(self) -> tuple[bytes, ...]:
        """All further arguments as zones, networks as their reverse zones; without any, those of the server block.

        Wire names in lower case.
        """
        return self.as_zones(self.words()) or self.zones

    def as_zones(self, words: Iterable[Word]) -> tuple[bytes, ...]:
        """These words as zones, networks as their reverse zones (see `parse_zones`)."""
        try:
            return parse_zones(words)
        except ConfigError as error:
            raise error.locate(self.at, self.plugin or self.name) from None

    # --- the block ---

    def lines(self) -> Iterator[Directive]:
        """The lines of the block in their order, none without a block.

        A line is finished, as `finish` does, when the next one is asked for: whatever a reader left is an error.
        """
        self._block_read = True
        for line in self.block or []:
            line.zones, line.plugin = self.zones, self.plugin or self.name
            yield line
            line.finish()

    def options(self, *names: str, once: Collection[str] = ()) -> Iterator[Directive]:
        """The lines of the block as `lines` has them, each of which begins with one of the names.

        Those that are in `once` may not come again.
        """
        seen: dict[str, Directive] = {}
        for option in self.lines():
            name = option.name
            if name not in names:
                raise option.error(f"unknown option {shown(name)}", name, _one_of(names), nearest(name, names))
            if name in once and seen.setdefault(name, option) is not option:
                raise option.error(f"{shown(name)} given twice, first at {seen[name].at}", name)
            yield option

    def _invalid(self, word: Word, expected: str, hint: str = "") -> ConfigError:
        what = f"invalid argument {shown(word)}" if word else "empty argument"
        return self.error(what, word, expected, hint)


def unknown_directive(directive: Directive, known: Iterable[str]) -> ConfigError:
    """The error for a directive that is none of `known`, with the one that was probably meant."""
    name = directive.name
    hint = nearest(name, known)
    if name.startswith(("{", "}")) or name.endswith(("{", "}")):
        hint = "a brace counts only where it is a word of its own"
    elif not hint and ("." in name or ":" in name):
        hint = "is this a server block? each needs its braces when there are several"
    return ConfigError(
        f"unknown directive {shown(name)}{not_set([name])}",
        name.at,
        expected="a directive of CoreDNS or of an installed plugin",
        hint=hint,
    )


def _within(number: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or number >= minimum) and (maximum is None or number <= maximum)


def _bounded(expected: str, minimum: object, maximum: object) -> str:
    """What is expected, with the bounds that there are."""
    if minimum is None:
        return expected if maximum is None else f"{expected} of at most {maximum}"
    return f"{expected} of at least {minimum}" if maximum is None else f"{expected} from {minimum} to {maximum}"


def _one_of(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def _network_expected(addresses: bool) -> str:
    return f"{'an address or ' * addresses}a network such as 192.0.2.0/24 or 2001:db8::/32"


def _address_expected(default_port: int | None) -> str:
    return "HOST:PORT" if default_port is None else "HOST or HOST:PORT"


__all__ = ["Directive", "Network", "Word", "unknown_directive"]
