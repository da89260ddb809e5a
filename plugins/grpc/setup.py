"""From a `grpc` line to what it asks for; CoreDNS's checks, each with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corepy.fallthrough import Fallthrough
from corepy.plugin import Directive
from corepy.upstream import Host, Options, Target, missing, policy, read_targets
from corepy.upstream.lines import read_context, read_files, read_zone

if TYPE_CHECKING:
    from corepy.directive import Word

MAX_TO: Final = 15
"""Upstreams of one line (CoreDNS's bound)."""
_EXPECTED: Final = "an address or a file of nameservers"


@dataclass
class _Settings:
    """What the block has said so far."""

    fields: dict[str, Any] = field(default_factory=dict)
    """Fields of Grpc."""
    tls: Directive | None = None
    """The option tls, to point at."""
    files: tuple[Word, ...] = ()
    """Its arguments."""
    server_name: str = ""


@dataclass(frozen=True)
class Sources:
    """The words of a line that may be names of files, which can be read when it is known where paths begin."""

    directive: Directive
    words: list[Word]
    settings: _Settings

    def read(self, below: Callable[[str], Path]) -> tuple[tuple[Target, ...], Options]:
        """The upstreams, and the options with what TLS needs; `below` finds a file. Raises ConfigError."""
        settings = self.settings
        to: list[Target] = []
        for word in self.words:
            to += _targets(self.directive, word, below)
            if len(to) > MAX_TO:
                raise self.directive.error("too many upstreams", word, f"at most {MAX_TO}")
        if not to:
            raise self.directive.error("no upstreams: the file has no nameserver line", self.words[0], _EXPECTED)
        named = tuple(Target(one.address, "grpc", settings.server_name) for one in to)
        encrypted = settings.tls is not None or settings.server_name
        context = read_context(settings.tls, settings.files, below, "h2") if encrypted else None
        return named, Options(grpc=context, owner="grpc")


def read(directive: Directive) -> dict[str, Any]:
    """The fields of a Grpc, but for what `Sources` reads. Raises ConfigError."""
    settings = _Settings()
    zone = read_zone(directive)
    words = directive.words("an upstream", at_least=1)
    for option in directive.options(*_OPTIONS):
        _OPTIONS[option.name](option, settings)
    if extra := missing("grpc"):
        raise directive.error(f"grpc needs the extra 'corepy[{extra}]' to be installed")
    return {**settings.fields, "zone": zone, "sources": Sources(directive, words, settings)}


def _targets(directive: Directive, word: Word, below: Callable[[str], Path]) -> list[Target]:
    """The upstreams that a word stands for; whether they speak TLS is for `tls` to say, not for their words."""
    kind, separator, rest = word.partition("://")
    if separator and kind not in ("dns", "grpc"):
        raise directive.error(f"'{kind}' is no protocol of grpc: '{word}'", word, f"{_EXPECTED}, and the option tls")
    try:
        found = read_targets(word, below)
    except ValueError as error:
        raise directive.error(str(error), word, _EXPECTED) from None
    if any(isinstance(one, Host) for one in found):
        raise directive.error(f"'{rest or word}' is no IP address or file", word, _EXPECTED)
    return [one for one in found if isinstance(one, Target)]


# --- options, each a function that reads one line ---


def _except(option: Directive, settings: _Settings) -> None:
    zones = option.as_zones(option.words("a zone", at_least=1))
    settings.fields["excepted"] = (*settings.fields.get("excepted", ()), *zones)


def _tls(option: Directive, settings: _Settings) -> None:
    settings.tls, settings.files = option, read_files(option)


def _tls_servername(option: Directive, settings: _Settings) -> None:
    settings.server_name = str(option.word("the name in the upstreams' certificates"))


def _policy(option: Directive, settings: _Settings) -> None:
    settings.fields["policy"] = policy.named(option.choice(*policy.POLICIES))


def _fallthrough(option: Directive, settings: _Settings) -> None:
    settings.fields["fallthrough"] = Fallthrough.parse(option)


_OPTIONS: Final = {
    "except": _except,
    "tls": _tls,
    "tls_servername": _tls_servername,
    "policy": _policy,
    "fallthrough": _fallthrough,
}
