"""A target of fuzzing, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from corepy.address import Address
from corepy.endpoint import Endpoint


class Target(NamedTuple):
    """What takes octets, and octets to begin from."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]


TARGETS: dict[str, Target] = {}


def target(*seeds: bytes) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """A function that is fuzzed, under its name."""

    def enter(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        TARGETS[run.__name__] = Target(run, seeds)
        return run

    return enter


PEER = Address.of("192.0.2.9", 4242)
SERVER = Address.of("192.0.2.53", 53)
ENDPOINTS = (Endpoint("udp", "dns://:53"), Endpoint("tcp", "dns://:53"))
