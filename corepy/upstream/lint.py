"""What a line that names upstreams says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from corepy.plugin import ConfigError, Directive
from corepy.rules import Rule
from corepy.upstream.base import Target
from corepy.upstream.targets import Host
from corepy.words import shown

if TYPE_CHECKING:
    from corepy.site import Site

_ROOT: Final = b"\0"
_EVERYWHERE: Final = ("", "0.0.0.0", "::")
_GUARDS: Final = ("acl", "tsig")
"""Directives that let only some clients ask, whoever builds them."""
_FORGED: Final = ("dns", "quic")
"""Schemes over UDP, where a source address is easily forged."""

ONE_UPSTREAM: Final = Rule(
    "CPY206",
    "A policy chooses among one upstream",
    "There is nothing to choose; perhaps an upstream was forgotten.",
    "example.org {\n    forward . 192.0.2.53 {\n        policy round_robin\n    }\n}\n",
)
OPEN: Final = Rule(
    "CPY207",
    "The server is an open resolver",
    "It asks for any name on behalf of anyone who reaches it, and so takes part in attacks by reflection (RFC 5358).",
    ". {\n    forward . 192.0.2.53\n}\n",
)
ITSELF: Final = Rule(
    "CPY208",
    "The server forwards to itself",
    "The query comes back to the same server block and goes round until it is dropped.",
    "example.org {\n    forward . 127.0.0.1\n}\n",
)
PART: Final = Rule(
    "CPY209",
    "A part of a network is forwarded",
    "The network stands for several reverse zones, and only the first one is forwarded.",
    "168.192.in-addr.arpa {\n    forward 192.168.0.0/23 192.0.2.53\n}\n",
)


def check(zone: bytes, to: Sequence[Target | Host], directive: Directive, site: Site) -> Iterator[ConfigError]:
    """Look at a line that forwards a zone to these upstreams."""
    first = directive.arguments[0]
    if (number := len(directive.as_zones([first]))) > 1:
        yield PART.warn(f"{shown(first)} stands for {number} zones, of which one is forwarded", first.at)
    for option in directive.block or []:
        if option.name == "policy" and len(to) == 1 and isinstance(to[0], Target):
            yield ONE_UPSTREAM.warn("there is but one upstream to choose", option.at)
    if zone == _ROOT and _is_open(site):
        hint = "acl says who may ask, bind on which addresses"
        yield OPEN.warn("anyone may have any name looked up", directive.at, hint)
    for target in to:
        if isinstance(target, Target) and _is_itself(target, site):
            words = [word for word in directive.arguments if str(target.address.ip) in word]
            yield ITSELF.warn(f"{target.address} is this server block", (words or [directive.name])[0].at)


def _is_open(site: Site) -> bool:
    """Whether everyone can reach the block, and ask for names of the whole tree."""
    root = any(key.zone == _ROOT and key.scheme in _FORGED for key in site.keys)
    reached = root and any(host in _EVERYWHERE for host in site.hosts)
    return reached and site.takes is None and not any(plugin.name in _GUARDS for plugin in site.plugins)


def _is_itself(target: Target, site: Site) -> bool:
    ip = ip_address(target.address.packed)
    here = str(ip) in site.hosts or (ip.is_loopback and any(host in _EVERYWHERE for host in site.hosts))
    return here and any((key.scheme, key.port) == (target.kind, target.address.port) for key in site.keys)
