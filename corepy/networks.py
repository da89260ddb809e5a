"""Sets of networks: whether an address is in one of many, at the cost of a few look-ups."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Final

from corepy.address import MAPPED
from corepy.keys import Network

_Prefixes = tuple[tuple[int, frozenset[int]], ...]
"""For each length of prefix that occurs: the bits of an address behind it, and the prefixes; the widest first."""


class NetworkSet:
    """Networks of both families, never changed; `address.packed in networks` asks for 4 or 16 octets.

    IPv4-mapped IPv6 addresses and networks count as IPv4, as in Go. The cost grows with the number of different prefix
    lengths (at most 33 and 129), not with that of networks.
    """

    __slots__ = ("_four", "_six", "everything")

    everything: Final[bool]
    """Whether all addresses of a family are in it: 0.0.0.0/0 or ::/0."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        found = [_unmapped(network) for network in networks]
        self._four = _prefixes(found, 4)
        self._six = _prefixes(found, 6)
        self.everything = any(network.prefixlen == 0 for network in found)

    def __contains__(self, packed: bytes) -> bool:
        prefixes = self._four
        if len(packed) != 4:
            if packed.startswith(MAPPED):
                packed = packed[12:]
            else:
                prefixes = self._six
        number = int.from_bytes(packed, "big")
        for shift, found in prefixes:  # noqa: SIM110 - any() with a generator costs twice as much
            if number >> shift in found:
                return True
        return False

    def __bool__(self) -> bool:
        """Whether there is any network."""
        return bool(self._four or self._six)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NetworkSet):
            return NotImplemented
        return (self._four, self._six) == (other._four, other._six)

    def __hash__(self) -> int:
        return hash((self._four, self._six))


def _unmapped(network: Network) -> Network:
    """A network of IPv4-mapped addresses as the IPv4 network that it means, as in Go."""
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.packed.startswith(MAPPED):
        return IPv4Network((network.network_address.packed[12:], network.prefixlen - 96))
    return network


def _prefixes(networks: list[Network], family: int) -> _Prefixes:
    found: dict[int, set[int]] = {}
    for network in networks:
        if network.version == family:
            shift = network.max_prefixlen - network.prefixlen
            found.setdefault(shift, set()).add(int(network.network_address) >> shift)
    return tuple((shift, frozenset(found[shift])) for shift in sorted(found, reverse=True))


__all__ = ["NetworkSet"]
