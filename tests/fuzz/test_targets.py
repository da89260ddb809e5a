"""All that is fuzzed, for a moment: its seeds, mutations of them that are the same in every run, and old findings."""

from __future__ import annotations

import random

import pytest

from corepy.log import Log
from tests.fuzz.targets import TARGETS

MUTATIONS = 150
"""Of each target: for what a coverage-guided fuzzer finds in hours, see run.py."""
EDGES = (0x00, 0x01, 0x0C, 0x29, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF, *b'\n {}"\\$.%')
FINDINGS: dict[str, list[bytes]] = {
    "records": [b"a. 6H" + b"1" * 33 + b".\x0f.1"],  # a TTL that took minutes to refuse
    "requests": [b"POST / HTTP/1.0\nContent-Length: 6\n\nabc"],  # whose body comes later
    "corefiles": [b"example.org {\n file a\0b\n hosts c\0d\n auto {\n directory e\0f\n }\n}\n"],  # paths that are none
    "zonefiles": [b"$INCLUDE a\0b\n"],
    "patterns": [b"\\Qa\\E" * 40],  # an expression that took years to read
}
"""What a fuzzer has found, by target; mended since."""


def mutated(dice: random.Random, seed: bytes, other: bytes) -> bytes:
    """A few octets changed, left out or doubled, or the ends of two seeds joined."""
    wire = bytearray(seed)
    for _ in range(dice.randint(1, 5)):
        at, size = dice.randrange(len(wire) + 1), dice.randint(1, 9)
        match dice.randrange(5):
            case 0:
                wire[at : at + 1] = bytes((dice.choice(EDGES),))
            case 1:
                del wire[at : at + size]
            case 2:
                wire[at:at] = wire[at : at + size]
            case 3:
                wire[at:at] = dice.randbytes(size)
            case _:
                wire[at:] = other[dice.randrange(len(other) + 1) :]
    return bytes(wire)


@pytest.mark.parametrize("name", TARGETS)
def test_no_octets_do_harm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "silent", True)
    run, seeds = TARGETS[name]
    dice = random.Random(name)
    for octets in (*seeds, *FINDINGS.get(name, []), b""):
        run(octets)
    for _ in range(MUTATIONS):
        run(mutated(dice, dice.choice(seeds), dice.choice(seeds)))
