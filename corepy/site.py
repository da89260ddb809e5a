"""A configuration made real: server blocks become sites, sites share listeners.

Laws of this file:
* a site is one server block: its zones, its chain, and what its plugins want of the listener;
* a listener is one address that is listened on, with the sites of all blocks that have it;
* on one address a zone belongs to one site, and an address is not served both for itself and as one of all;
* every mistake of a Corefile is found in one go: errors are collected, and raised together at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from corepy import order, registry
from corepy import wire as w
from corepy.chain import Wrap, fold
from corepy.clock import SYSTEM, Clock
from corepy.directive import Directive, unknown_directive
from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.keys import Key, parse_keys
from corepy.listener import Door, Listener, Report, refuse
from corepy.log import Log
from corepy.lookup import resolver
from corepy.mistakes import mistakes
from corepy.router import Filtered

if TYPE_CHECKING:
    from corepy.blocks import ServerBlock
    from corepy.corefile import Corefile
    from corepy.origin import Watcher
    from corepy.plugin import Plugin, Serve
    from corepy.query import Query


class Timeouts(NamedTuple):
    """What a stream connection is given, in seconds; CoreDNS's defaults."""

    read: float = 3.0
    """For the first message."""
    idle: float = 10.0
    """For every further one, waiting included."""
    write: float = 5.0
    """For the client to read replies on, when more of them wait than are held for it."""
    max_queries: int = 0
    """Queries on one connection; 0 for any number."""

    def changed_by(self, other: Timeouts) -> Timeouts:
        """With what is not as it always is in another server block on the same address."""
        changed = zip(self, other, DEFAULT_TIMEOUTS, strict=True)
        return Timeouts._make(theirs if theirs != default else mine for mine, theirs, default in changed)


DEFAULT_TIMEOUTS = Timeouts()
SERVED: Final = frozenset(("dns",))
"""The schemes that there are listeners for."""


@dataclass
class Site:
    """One server block. Plugins that shape the listener set the fields below `keys` in `configure(site)`."""

    keys: list[Key]
    hosts: list[str] = field(default_factory=lambda: [""])
    """Addresses to listen on; an empty one stands for all."""
    door: Callable[[], Door] | None = None
    """Makes what stands between a listener and its queries: one for each listener."""
    timeouts: Timeouts = field(default_factory=lambda: DEFAULT_TIMEOUTS)
    sockets: int = 1
    """Sets of sockets to listen on, each in a process of its own; on an address the first block's number counts."""
    watcher: Watcher | None = None
    """Follows the Corefile's changes; of several blocks' the last one."""
    debug: bool = False
    """Debug lines, for the whole process."""
    root: str = ""
    """Where relative paths begin, the working directory if empty; for plugins behind `root`, so for all others."""
    plugins: list[Plugin] = field(default_factory=list)
    """In the order of the chain, those included that do not serve."""
    chain: Serve | None = None
    follow: Plugin | None = None
    """A plugin that wants to know which one behind it a query got to (`Query.reached`)."""
    report: Report | None = None
    """Hears of queries that get to no plugin, on all listeners of the configuration."""
    view: str = ""
    """The name of the view that the block is for; a label of metrics."""
    takes: Callable[[Query], bool] | None = None
    """Which queries the block is for, where it is not for all; such blocks may share a zone with others."""
    collect: Callable[[Query], None] | None = None
    """Collects metadata of a query, which `takes` may ask for."""
    said: object = None
    """What the Corefile says in the block, to be compared with what it said before a reload."""
    blocks: list[Site] = field(default_factory=list, repr=False, compare=False)
    """All server blocks of the configuration, this one included, in the order of the Corefile."""

    @staticmethod
    def server(key: Key, host: str = "") -> str:
        """How metrics and logs name the listener for one of the keys on one of the hosts, as `Endpoint.server` is."""
        return Bind(key.scheme, host, key.port).server

    def path(self, name: str | Path) -> Path:
        """The file that a Corefile names: below `root` unless the name is absolute. Looks at no file system."""
        return Path(self.root, name)


@dataclass(frozen=True)
class Bind:
    """An address to listen on: scheme, host (empty for all addresses) and port (0 for any that is free)."""

    scheme: str
    host: str
    port: int
    at: Position | None = field(default=None, compare=False)
    both: bool = field(default=False, compare=False)
    """Whether the unspecified address of one family stands for all addresses of the other one too."""

    @property
    def server(self) -> str:
        """CoreDNS's text: `dns://:53`, `dns://127.0.0.1:53`, `tls://[::1]:853`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return self.server


@dataclass
class Configuration:
    """Everything that a Corefile asks for, ready to be started by a Server."""

    sites: list[Site]
    listeners: dict[Bind, Listener]
    zones: dict[Bind, list[bytes]]
    """The zones of each listener, for people."""
    sets: dict[Bind, int] = field(default_factory=dict)
    """How many sets of sockets each address has, where it is not one."""
    digest: str = ""
    """The Corefile's (`Corefile.digest`)."""

    def __post_init__(self) -> None:
        resolve = resolver({bind.server: listener for bind, listener in self.listeners.items()})
        for plugin in self.plugins:
            plugin.resolve = resolve

    @property
    def plugins(self) -> list[Plugin]:
        """All plugins, block by block."""
        return [plugin for site in self.sites for plugin in site.plugins]

    @property
    def debug(self) -> bool:
        """Whether any block wants debug lines."""
        return any(site.debug for site in self.sites)

    @property
    def workers(self) -> int:
        """How many processes share the work."""
        return max(self.sets.values(), default=1)

    @property
    def watcher(self) -> Watcher | None:
        """Who follows the Corefile's changes, if anybody does."""
        return next((site.watcher for site in reversed(self.sites) if site.watcher is not None), None)

    def describe(self) -> list[str]:
        """The lines that CoreDNS prints at the start: which zone is served where, and odd names."""
        lines = []
        for bind, zones in self.zones.items():
            scheme = "" if bind.scheme == "dns" else f"{bind.scheme}://"
            host = f" on {bind.host}" if bind.host else ""
            for zone in sorted(map(w.decode_name, zones)):
                if not _preferred(zone):
                    lines.append(f'Warning: Domain "{zone}" does not follow RFC1035 preferred syntax')
                lines.append(f"{scheme}{zone}:{bind.port}{host}")
        return lines


def _preferred(zone: str) -> bool:
    """Whether a zone is written in RFC 1035's preferred syntax (2.3.1); the root and reverse zones count as such."""
    if zone == "." or zone.endswith((".in-addr.arpa.", ".ip6.arpa.")):
        return True
    return re.fullmatch(r"([a-z]([a-z0-9-]*[a-z0-9])?\.)+", zone) is not None


def build(
    corefile: Corefile, *, default_port: int = 53, clock: Clock = SYSTEM, wrap: Wrap | None = None
) -> Configuration:
    """The configuration of a Corefile; opens nothing. Raises ConfigErrors with all that is wrong.

    `wrap` goes around every plugin of every chain, for who wants to see what they do.
    """
    sites, groups, errors = draft(corefile, default_port=default_port, clock=clock)
    if errors:
        raise ConfigErrors(errors)
    for site in sites:
        site.chain = fold(site.plugins, site.follow, wrap)
    zones = {bind: list(dict.fromkeys(zone for zone, _ in routes)) for bind, routes in groups.items()}
    report = next((site.report for site in sites if site.report), None)
    sets = {bind: routes[0][1].sockets for bind, routes in groups.items()}
    listeners = {bind: _listener(routes, report) for bind, routes in groups.items()}
    return Configuration(sites, listeners, zones, sets, corefile.digest)


class Draft(NamedTuple):
    """What can be made of a Corefile, however wrong it is: a site for each block, where they are served, all errors."""

    sites: list[Site]
    groups: dict[Bind, _Routes]
    errors: list[ConfigError]


def draft(corefile: Corefile, *, default_port: int = 53, clock: Clock = SYSTEM) -> Draft:
    """The sites of a Corefile, without their chains, and all that is wrong; opens nothing."""
    errors: list[ConfigError] = []
    sites: list[Site] = []
    for block in corefile.blocks:
        _site(block, default_port, clock, errors, sites)
    groups = _group(sites, errors)
    return Draft(sites, groups, in_order(errors, corefile.files))


def in_order(errors: list[ConfigError], files: list[str]) -> list[ConfigError]:
    """The errors in the order of the Corefile and what it imports; first those without a place."""
    numbers = {name: number for number, name in reversed(list(enumerate(files)))}

    def place(error: ConfigError) -> tuple[int, int, int]:
        return (numbers.get(error.at.file, 0), error.at.line, error.at.column) if error.at else (0, 0, 0)

    return sorted(errors, key=place)


def _site(
    block: ServerBlock, default_port: int, clock: Clock, errors: list[ConfigError], sites: list[Site]
) -> None:
    """A server block with its plugins and chain joins `sites`; what is wrong with it joins `errors`."""
    site = Site([], blocks=sites)
    sites.append(site)
    try:
        site.keys = parse_keys(block.keys, default_port)
    except ConfigErrors as found:
        errors += found.errors
    except ConfigError as error:
        errors.append(error)
    errors += [
        ConfigError(f"the scheme {key.scheme}:// is not built yet", key.at, expected="none, or dns://")
        for key in site.keys
        if key.scheme not in SERVED
    ]
    site.said = block.said
    by_name: dict[str, list[Directive]] = {}
    for directive in block.directives:
        directive.zones = tuple(key.zone for key in site.keys)
        by_name.setdefault(directive.name, []).append(directive)
    places, failed = registry.places(by_name)
    for name in sorted(by_name, key=lambda name: places.get(name, 0)):
        try:
            if name in failed:
                raise failed[name]
            site.plugins += _plugins(name, by_name[name], site, clock)
        except ConfigError as raised:
            several = raised.errors if isinstance(raised, ConfigErrors) else [raised]
            errors += [error.locate(by_name[name][0].at, name) for error in several]


def _plugins(name: str, directives: list[Directive], site: Site, clock: Clock) -> list[Plugin]:
    """The plugins for all directives of one name."""
    cls = registry.find(name)
    if cls is None and name in order.DIRECTIVES:
        raise ConfigError(f"the directive '{name}' of CoreDNS is not built yet", directives[0].at)
    if cls is None:
        raise unknown_directive(directives[0], registry.known())
    try:
        plugins = list(cls.parse_all(directives))
        for directive in directives:
            directive.finish()
    except ConfigError as error:
        raise ConfigErrors(mistakes(cls, directives) or [error]) from None
    errors: list[ConfigError] = []
    for plugin in plugins:
        plugin.name, plugin.clock, plugin.log = name, clock, Log(f"plugin/{name}: ")
        try:
            if site.keys:   # or they were wrong, and plugins may rely on there being some
                plugin.configure(site)
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise ConfigErrors(errors)
    return plugins


_Routes = list[tuple[bytes, Site]]
_OTHER: Final = {"0.0.0.0": "::", "::": "0.0.0.0"}
"""The unspecified addresses. Go listens on both where one is named (net.Listen), and so Corefiles name one."""


def _group(sites: list[Site], errors: list[ConfigError]) -> dict[Bind, _Routes]:
    """Which zones are served on which address; a zone that two blocks claim there is an error."""
    groups: dict[Bind, _Routes] = {}
    taken: dict[tuple[str, int, bytes], dict[str, Key]] = {}
    named = {(key.port, host) for site in sites for host in site.hosts for key in site.keys}
    for site in sites:
        for host in site.hosts:
            for key in site.keys:
                hosts = taken.setdefault((key.scheme, key.port, key.zone), {})
                shares = site.takes is not None and host in hosts
                if not shares and (clash := _clash(key, host, hosts)) is not None:
                    errors.append(clash)
                    continue
                if site.takes is None:
                    hosts[host] = key
                both = host in _OTHER and (key.port, _OTHER[host]) not in named
                groups.setdefault(Bind(key.scheme, host, key.port, key.at, both), []).append((key.zone, site))
    return groups


def _clash(key: Key, host: str, taken: dict[str, Key]) -> ConfigError | None:
    """Why a zone cannot be served on one more address, if it cannot."""
    on = f" on {host}" if host else ""
    if host in taken:
        return ConfigError(f"cannot serve {key}{on}: it is already defined at {taken[host].at}", key.at)
    if taken and (not host or "" in taken):
        other = next(iter(taken))
        where = f"{key} on {other}" if other else str(key)
        return ConfigError(f"cannot serve {key}{on}: it overlaps with {where} at {taken[other].at}", key.at)
    return None


def _served(site: Site) -> Serve | Filtered[Serve]:
    """What a listener is given for a block: its chain, and which queries it is for."""
    chain = site.chain or refuse
    return chain if site.takes is None else Filtered(site.takes, chain)


def _listener(routes: _Routes, report: Report | None) -> Listener:
    """The listener for the sites that share an address; of what several of them shape, the last one counts."""
    door, timeouts = None, DEFAULT_TIMEOUTS
    any_class = False
    for _, site in routes:
        door = site.door or door
        timeouts = timeouts.changed_by(site.timeouts)
        any_class |= any(plugin.any_class for plugin in site.plugins)
    return Listener(
        [(zone, _served(site)) for zone, site in routes],
        any_class=any_class, timeouts=timeouts, door=door() if door else None, report=report,
    )  # fmt: skip
