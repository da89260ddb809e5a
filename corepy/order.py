"""The order of directives in a chain: by this list, whatever the order in the Corefile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# CoreDNS 1.14.7's order, since a Corefile relies on it: what comes first sees a query first and a reply last.
DIRECTIVES: Final = (
    "root",
    "metadata",
    "geoip",
    "cancel",
    "proxyproto",
    "quic",
    "grpc_server",
    "https",
    "https3",
    "timeouts",
    "multisocket",
    "reload",
    "nsid",
    "bufsize",
    "bind",
    "debug",
    "trace",
    "ready",
    "health",
    "pprof",
    "shed",
    "prometheus",
    "errors",
    "log",
    "dnstap",
    "local",
    "dns64",
    "any",
    "chaos",
    "loadbalance",
    "tsig",
    "rewrite",
    "autopath",
    "acl",
    "cache",
    "header",
    "dnssec",
    "tls",
    "minimal",
    "template",
    "transfer",
    "hosts",
    "route53",
    "azure",
    "clouddns",
    "k8s_external",
    "kubernetes",
    "file",
    "auto",
    "secondary",
    "etcd",
    "loop",
    "forward",
    "grpc",
    "erratic",
    "whoami",
    "on",
    "sign",
    "view",
    "nomad",
)


EARLIER: Final[Mapping[tuple[int, int, int], tuple[tuple[str, str], ...]]] = {
    (1, 11, 0): (("acl", "any"), ("cache", "rewrite"), ("autopath", "minimal")),
    (1, 14, 2): (("cache", "rewrite"), ("acl", "header"), ("autopath", "minimal")),
    (1, 14, 7): (),
}
"""By the version that began with it: which directives stood in front of which, where they do not in 1.14.7."""


def order_of(version: str) -> tuple[str, ...]:
    """The order of a CoreDNS from 1.11.0 on, with today's directives. Raises ValueError for other versions."""
    parts = version.removeprefix("v").split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 5 for part in parts):
        raise ValueError(f"{version!r} is no version such as 1.14.1")
    wanted = int(parts[0]), int(parts[1]), int(parts[2])
    if not min(EARLIER) <= wanted <= max(EARLIER):
        raise ValueError(f"the orders of CoreDNS 1.11.0 to 1.14.7 are known, not that of {version}")
    names = list(DIRECTIVES)
    for name, anchor in EARLIER[max(known for known in EARLIER if known <= wanted)]:
        names.remove(name)
        names.insert(names.index(anchor), name)
    return tuple(names)


def chain_order(before: Mapping[str, str]) -> dict[str, int]:
    """The place of every directive in the chain, smallest first: a sort key.

    `before` has the directives that CoreDNS does not know, each with the name of a CoreDNS directive that it
    stands directly in front of; where several stand in front of the same, they do so by name. Raises
    ValueError, which names the directive, where its anchor is unknown or its name is CoreDNS's own.
    """
    for name, anchor in before.items():
        if name in DIRECTIVES:
            raise ValueError(f"the directive {name!r} has its place in CoreDNS's order")
        if anchor not in DIRECTIVES:
            raise ValueError(f"the directive {name!r} wants to stand before {anchor!r}, which CoreDNS does not know")
    names: list[str] = []
    for directive in DIRECTIVES:
        names += sorted(name for name, anchor in before.items() if anchor == directive)
        names.append(directive)
    return {name: place for place, name in enumerate(names)}
