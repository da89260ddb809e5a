"""What `proxyproto` says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from corepy.plugin import ConfigError, Directive
from corepy.rules import Rule

SPECTRUM: Final = 30.0
"""Seconds after which Cloudflare's Spectrum forgets an idle UDP flow, and may give its port to another client."""

EVERYONE: Final = Rule(
    "CPY201",
    "PROXY headers are believed from everyone",
    "Anyone who reaches the server can claim to be any client, which acl, view and logs then believe.",
    "example.org {\n    proxyproto\n    whoami\n}\n",
)
LONG: Final = Rule(
    "CPY202",
    "UDP clients are remembered for longer than Spectrum knows them",
    "After 30 seconds the balancer may use a port for another client, who is then taken for the first one.",
    ". {\n    proxyproto {\n        allow 192.0.2.0/24\n        udp_session_tracking 5m\n    }\n    whoami\n}\n",
)


def check(lines: Sequence[Directive], *, everyone: bool) -> Iterator[ConfigError]:
    """Look at the directives of a server block; `everyone`: nobody is left out of those who are believed."""
    if everyone:
        hint = "allow names who may send them"
        yield EVERYONE.warn("PROXY headers are accepted from every address", lines[0].at, hint)
    for option in (option for line in lines for option in line.block or []):
        if option.name == "udp_session_tracking" and option.duration() > SPECTRUM:
            yield LONG.warn("clients are remembered for more than 30s", option.arguments[0].at)
