"""What `pprof` says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from corepy.errors import Position
from corepy.plugin import ConfigError
from corepy.rules import Rule

PUBLIC: Final = Rule(
    "CPY216",
    "Profiles for everyone",
    "Who reaches the endpoint can look into the server, and slow it down with every profile that is taken.",
    "example.org {\n    pprof :6053\n    whoami\n}\n",
)


def check(host: str, at: Position) -> Iterator[ConfigError]:
    """Look at the address of the endpoint."""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        yield PUBLIC.warn("profiles are not for this machine alone", at, "by default they are at localhost:6053")
