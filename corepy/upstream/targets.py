"""The words that name upstreams: addresses, files like resolv.conf, and hosts whose addresses have to be looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from corepy import wire as w
from corepy.address import Address
from corepy.upstream.base import Target

PORTS: Final = {"dns": 53, "tls": 853, "https": 443, "grpc": 443, "quic": 853}
"""Kinds of upstreams that a word may name, `KIND://...`, and the port of each."""
_WITH_PORT: Final = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([0-9]{1,5})")
_FILE_LIMIT: Final = 1 << 20
"""Octets of a file that are read: some 40,000 nameservers, and an end to what is no file of text."""


class Host(NamedTuple):
    """An upstream by name; each of its addresses becomes a Target."""

    name: str
    port: int
    kind: str = "dns"
    server_name: str = ""


def read_targets(text: str, below: Callable[[str], Path] = Path) -> list[Target | Host]:
    """What `[KIND://]ADDRESS[:PORT]`, `[KIND://]HOST[:PORT]` or the name of a file stands for.

    An address or host of kind `tls` or `https` may be followed by `%NAME`, the name in its certificate; an IPv6 address
    of kind `dns` by `%INTERFACE`. A file gives the addresses of its `nameserver` lines, none if it has none; one that
    is not in the working directory, where CoreDNS has it, is looked for at `below(name)`. Raises ValueError for
    everything else.
    """
    kind, separator, rest = text.partition("://")
    if not separator or kind not in PORTS:
        kind, rest = "dns", text
    if not rest:
        raise ValueError(f"{text!r} names no address")
    host, port = _split(rest, kind)
    host, server_name = _split_server_name(host) if kind != "dns" else (host, "")
    try:
        return [Target(Address.of(host, port), kind, server_name)]
    except ValueError as error:
        if _is_address(host.partition("%")[0]):
            raise ValueError(f"{text!r} cannot be used: {error}") from None
    found = _read_file(Path(rest), kind, server_name)
    if found is None:
        found = _read_file(below(rest), kind, server_name)
    if found is not None:
        return found
    if port > 0xFFFF or not _is_name(host):
        raise ValueError(f"{text!r} is no IP address, file or domain name")
    return [Host(host, port, kind, server_name)]


def _split(rest: str, kind: str) -> tuple[str, int]:
    """Host and port; brackets may stand around an address without a port too."""
    match = _WITH_PORT.fullmatch(rest)
    if match:
        return match[1] or match[2], int(match[3])
    # As in CoreDNS the name for a certificate may stand between the address and the port: 192.0.2.1%name:853
    return rest.strip("[]"), PORTS[kind]


def _split_server_name(host: str) -> tuple[str, str]:
    host, _, server_name = host.rpartition("%") if "%" in host else (host, "", "")
    return host, server_name


def _is_address(host: str) -> bool:
    try:
        Address.of(host, 0)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """Whether it may be the name of a host; one with any of these was meant as something else."""
    try:
        return w.encode_name(host) != b"\0" and not any(letter in host for letter in ":/[]%")
    except ValueError:
        return False


def _read_file(name: Path, kind: str, server_name: str) -> list[Target | Host] | None:
    """The nameservers of a file; None where it cannot be read."""
    try:
        with name.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_FILE_LIMIT).splitlines()
    except (OSError, ValueError):
        return None
    found: list[Target | Host] = []
    for words in map(str.split, lines):
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.append(Target(Address.of(words[1], PORTS[kind]), kind, server_name))
            except ValueError as error:
                raise ValueError(f"file '{name}': {error}") from None
    return found
