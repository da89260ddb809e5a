"""From a `forward` line to what it asks for; CoreDNS's checks, each with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corepy import codes
from corepy import wire as w
from corepy.plugin import Address, Directive
from corepy.upstream import RESOLUTION, Check, Host, Options, Target, missing, policy, read_targets
from corepy.upstream.lines import read_context, read_files, read_zone

if TYPE_CHECKING:
    from corepy.directive import Word

MAX_TO: Final = 15
"""TOs of one line (CoreDNS's bound)."""
_UINT32: Final = (1 << 32) - 1
_KINDS: Final = ("dns", "tls", "https")
_TICKS: Final = 16
"""How many times in a read timeout its end is looked for, at least: an attempt takes a sixteenth longer at most."""


@dataclass
class _Settings:
    """What the block has said so far."""

    fields: dict[str, Any] = field(default_factory=dict)
    """Fields of Forward."""
    options: dict[str, Any] = field(default_factory=dict)
    """Fields of Options."""
    check: dict[str, Any] = field(default_factory=dict)
    """Fields of Check."""
    tls: Directive | None = None
    """The option tls, to point at."""
    files: tuple[Word, ...] = ()
    """Its arguments."""
    server_name: str = ""
    age: Directive | None = None
    """The option max_age, to point at."""


@dataclass(frozen=True)
class Sources:
    """The words of a line that may be names of files, which can be read when it is known where paths begin."""

    directive: Directive
    words: list[Word]
    settings: _Settings

    def read(self, options: Options, below: Callable[[str], Path]) -> tuple[tuple[Target | Host, ...], Options]:
        """The upstreams, and the options with what TLS needs; `below` finds a file. Raises ConfigError."""
        to = _upstreams(self.directive, self.words, self.settings, below)
        kinds = {one.kind for one in to}
        option, files = self.settings.tls, self.settings.files
        tls = read_context(option, files, below) if option or "tls" in kinds else None
        https = read_context(option, files, below, "h2") if "https" in kinds else None
        return to, replace(options, tls=tls, https=https)


def read(directive: Directive) -> dict[str, Any]:
    """The fields of a Forward, but for what `Sources` reads. Raises ConfigError."""
    settings = _Settings()
    zone = read_zone(directive)
    words = directive.words("an upstream", at_least=1)
    for option in directive.options(*_OPTIONS):
        _OPTIONS[option.name](option, settings)
    if len(words) > MAX_TO:
        raise directive.error(f"{len(words)} upstreams", words[MAX_TO], f"at most {MAX_TO}")
    resolution = min(settings.fields.get("read_timeout", 2.0) / _TICKS, RESOLUTION)
    options = Options(**settings.options, resolution=resolution)
    if 0 < options.max_age < options.expire:
        assert settings.age is not None  # noqa: S101 - it has set max_age
        raise settings.age.error("max_age is less than expire", settings.age.arguments[0], "no less than expire")
    over_tcp = bool(settings.fields.get("force_tcp"))
    check = Check(**settings.check, over_tcp=over_tcp)
    fields = {**settings.fields, "zone": zone, "options": options, "health": check, "at": directive.at}
    return {**fields, "sources": Sources(directive, words, settings)}


def _upstreams(
    directive: Directive, words: list[Word], settings: _Settings, below: Callable[[str], Path]
) -> tuple[Target | Host, ...]:
    """TO...: the upstreams, each once."""
    found: dict[object, Target | Host] = {}
    for word in words:
        kind, separator, rest = word.partition("://")
        if separator and kind not in _KINDS:
            expected = "dns://, tls:// or https://"
            raise directive.error(f"'{kind}' is no protocol to forward over: '{word}'", word, expected)
        if separator and kind == "https" and "/" in rest:
            raise directive.error(f"'{word}' has a path", word, "none: /dns-query is used")
        if separator and (extra := missing(kind)):
            raise directive.error(f"{kind}:// upstreams need the extra 'corepy[{extra}]' to be installed", word)
        try:
            for target in read_targets(word, below):
                one = _named(directive, word, target, settings.server_name)
                found.setdefault(one.address if isinstance(one, Target) else one[:2], one)
        except ValueError as error:
            raise directive.error(str(error), word, "an address, a host or a file of nameservers") from None
    if not found:
        raise directive.error("no upstreams: the file has no nameserver line", words[0], "an upstream address")
    return tuple(found.values())


def _named(directive: Directive, word: Word, target: Target | Host, server_name: str) -> Target | Host:
    """The target with the name that its certificate has to have."""
    if target.kind == "dns" or not server_name:
        return target
    if target.kind == "tls" and target.server_name:
        raise directive.error(f"'{word}' has a server name, and tls_servername says '{server_name}'", word, "one name")
    return target._replace(server_name=server_name)


# --- options, each a function that reads one line ---


def _except(option: Directive, settings: _Settings) -> None:
    zones = option.as_zones(option.words("a zone", at_least=1))
    settings.fields["excepted"] = (*settings.fields.get("excepted", ()), *zones)


def _flag(option: Directive, settings: _Settings) -> None:
    name = "failfast" if option.name.startswith("failfast") else str(option.name)
    settings.fields[name] = True


def _number(option: Directive, settings: _Settings) -> None:
    settings.fields[str(option.name)] = option.integer(minimum=0, maximum=_UINT32)


def _duration(option: Directive, settings: _Settings) -> None:
    settings.options[str(option.name)] = option.duration(minimum=0)
    if option.name == "max_age":
        settings.age = option


def _max_idle(option: Directive, settings: _Settings) -> None:
    settings.options["max_idle"] = option.integer(minimum=0)


def _read_timeout(option: Directive, settings: _Settings) -> None:
    word = option.word("a duration such as 2s")
    seconds = option.as_duration(word)
    if seconds <= 0:
        raise option.error(f"read_timeout of '{word}'", word, "more than 0s")
    settings.fields["read_timeout"] = seconds


def _policy(option: Directive, settings: _Settings) -> None:
    settings.fields["policy"] = policy.named(option.choice(*policy.POLICIES))


def _rcodes(option: Directive) -> frozenset[int]:
    names = tuple(codes.RCODES)
    words = option.words("an rcode", at_least=1)
    return frozenset(codes.RCODES[option.as_choice(word, *names, fold_case=True)] for word in words)


def _next(option: Directive, settings: _Settings) -> None:
    settings.fields["next_rcodes"] = settings.fields.get("next_rcodes", frozenset()) | _rcodes(option)


def _failover(option: Directive, settings: _Settings) -> None:
    rcodes = _rcodes(option)
    if codes.NOERROR in rcodes:
        raise option.error("failover at NOERROR: no reply would be good enough", expected="rcodes of failures")
    settings.fields["failover"] = settings.fields.get("failover", frozenset()) | rcodes


def _health_check(option: Directive, settings: _Settings) -> None:
    settings.check = {"interval": option.duration("health_check with a duration such as 500ms", minimum=0)}
    while (word := option.optional()) is not None:
        if option.as_choice(word, "no_rec", "domain") == "no_rec":
            settings.check["recursion"] = False
            continue
        name = option.word("a domain name")
        try:
            settings.check["domain"] = w.key(w.encode_name(name))
        except ValueError as error:
            raise option.error(f"health_check: {error}", name, "a domain name") from None


def _source_address(option: Directive, settings: _Settings) -> None:
    settings.options["source"] = option.ip_address()


def _resolver(option: Directive, settings: _Settings) -> None:
    words = option.words("the address of a resolver", at_least=1)
    resolvers = []
    for word in words:
        host, port = option.as_address(word, 53)
        try:
            resolvers.append(Target(Address.of(host, port)))
        except ValueError:
            raise option.error(f"invalid resolver '{word}'", word, "an IP address, or one with a port") from None
    settings.fields["resolvers"] = tuple(resolvers)


def _tls(option: Directive, settings: _Settings) -> None:
    settings.tls, settings.files = option, read_files(option)


def _tls_servername(option: Directive, settings: _Settings) -> None:
    settings.server_name = str(option.word("the name in the upstreams' certificates"))


def _doh_method(option: Directive, settings: _Settings) -> None:
    word = option.word("POST or GET")
    if word not in ("POST", "GET"):  # in capitals, as methods are (RFC 9110 9.1)
        raise option.error(f"doh_method '{word}'", word, "POST or GET")
    settings.options["doh_method"] = str(word)


_OPTIONS: Final = {
    "except": _except,
    "force_tcp": _flag,
    "prefer_udp": _flag,
    "tls": _tls,
    "tls_servername": _tls_servername,
    "policy": _policy,
    "expire": _duration,
    "max_age": _duration,
    "max_idle_conns": _max_idle,
    "read_timeout": _read_timeout,
    "max_fails": _number,
    "max_concurrent": _number,
    "max_connect_attempts": _number,
    "health_check": _health_check,
    "failover": _failover,
    "next": _next,
    "next_on_nodata": _flag,
    "failfast_all_unhealthy_upstreams": _flag,
    "resolver": _resolver,
    "source_address": _source_address,
    "doh_method": _doh_method,
}
