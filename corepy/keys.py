"""Keys of a server block: `[SCHEME://]ZONE[:PORT]`, where a zone may be a network that stands for its reverse zones."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Final, TypeAlias

from corepy import wire
from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.words import NOWHERE, Word, nearest, not_set, shown

Network: TypeAlias = IPv4Network | IPv6Network

SCHEMES: Final = {"dns": 53, "tls": 853, "quic": 853, "grpc": 443, "https": 443, "https3": 443}
"""What a server block may speak, and the port of each (RFC 1035, RFC 7858, RFC 9250; RFC 8484 for the rest)."""
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PORT: Final = re.compile(r"[+-]?[0-9]{1,18}")
_CIDR: Final = re.compile(r"([^/%]*)/([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Key:
    """One zone that a server block serves.

    `zone` is a wire name in lower case, `port` 0 to 65535 (0: any that is free). Two keys are equal when they
    say the same, wherever they stand.
    """

    scheme: str
    zone: bytes
    port: int
    at: Position = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{wire.decode_name(self.zone)}:{self.port}"


def parse_keys(words: Iterable[Word], default_port: int = 53) -> list[Key]:
    """The zones that the words of a server block name, in their order; a network may give several.

    `default_port` is for the scheme dns alone (the flag `-p`). Duplicates are kept: who serves several blocks
    has to look for them anyway. Raises ConfigErrors with every word that is no zone, scheme or port.
    """
    keys = []
    errors = []
    for word in words:
        try:
            scheme, zones, port = _split(word)
        except ConfigError as error:
            errors.append(error)
            continue
        if port is None:
            port = default_port if scheme == "dns" else SCHEMES[scheme]
        keys += [Key(scheme, zone, port, word.at) for zone in zones]
    if errors:
        raise ConfigErrors(errors)
    return keys


def parse_zones(words: Iterable[Word]) -> tuple[bytes, ...]:
    """The zones that arguments of a directive name: wire names in lower case, networks as their reverse zones.

    As in CoreDNS a scheme and a port may stand with the zone and mean nothing. Raises ConfigError for what is
    no zone, where CoreDNS goes on without it.
    """
    return tuple(zone for word in words for zone in _split(word)[1])


def parse_network(text: str) -> Network:
    """The network that `ADDRESS/LENGTH` says, its host bits cleared (Go's net.ParseCIDR).

    An IPv6 network of mapped IPv4 addresses is an IPv4 network. Raises ValueError for everything else.
    """
    match = _CIDR.fullmatch(text)
    try:
        if match is None:
            raise ValueError  # noqa: TRY301 - one message for whatever is wrong
        network = ipaddress.ip_network((match[1], int(match[2])), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network") from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def reverse_zones(network: Network) -> list[bytes]:
    """The zones with the names of all addresses of a network (RFC 1035 3.5, RFC 3596 2.5), wire names.

    One zone if the network ends at an octet (IPv6: nibble), else one for each value of that octet or nibble:
    at most 128 and 8.
    """
    bits = 8 if network.version == 4 else 4
    length = -(-network.prefixlen // bits) * bits
    zones = []
    for subnet in network.subnets(new_prefix=length):
        labels = subnet.network_address.reverse_pointer.split(".")
        host = (subnet.max_prefixlen - length) // bits
        zones.append(wire.encode_name(".".join(labels[host:])))
    return zones


def _split(word: Word) -> tuple[str, list[bytes], int | None]:
    """Scheme, zones and port of a word; the port is None where it names none."""
    match = _SCHEME.match(word)
    scheme = match[1] if match else "dns"
    if scheme not in SCHEMES:
        hint = nearest(scheme, SCHEMES)
        raise _error(f"unknown scheme {shown(scheme)} in {shown(word)}", word, f"one of {', '.join(SCHEMES)}", hint)
    rest = word[match.end() :] if match else str(word)
    zone, colon, port = rest.rpartition(":")
    if not colon or "/" in port:
        return scheme, _zones(word, rest), None
    if not _PORT.fullmatch(port) or not 0 <= int(port) <= 65535:
        hint = "an IPv6 network needs its length: 2001:db8::/32" if ":" in zone else ""
        raise _error(f"invalid port {shown(port)} in {shown(word)}", word, "a number from 0 to 65535", hint)
    return scheme, _zones(word, zone), int(port)


def _zones(word: Word, zone: str) -> list[bytes]:
    """The zones that the part of a word between scheme and port names."""
    try:
        if _is_network(zone):
            return reverse_zones(parse_network(zone))
        if zone and ":" not in zone:
            return [wire.key(wire.encode_name(zone))]
    except ValueError as error:
        raise _error(f"invalid zone: {error}", word, "a domain name or a network") from None
    raise _error(
        f"invalid zone {shown(word)}", word, "a domain name or a network such as 192.0.2.0/24 or 2001:db8::/32"
    )


def _is_network(zone: str) -> bool:
    """Whether the text is meant as a network and not as a name with a slash (RFC 2317), or with a final dot.

    Like CoreDNS, takes none whose text begins with a colon or as an IPv6 address with a zero: this keeps out
    `::/0` and networks of mapped IPv4 addresses.
    """
    address, slash, _ = zone.partition("/")
    if not slash or zone.endswith(".") or zone.startswith(":") or (zone.startswith("0") and ":" in zone):
        return False
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _error(what: str, word: Word, expected: str, hint: str = "") -> ConfigError:
    return ConfigError(what + not_set([word]), word.at, expected=expected, hint=hint)
