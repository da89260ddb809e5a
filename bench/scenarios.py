"""What is asked, and what it is asked of: a zone of many names, and six ways to have its addresses served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NAMES: Final = 10_000
ZONE: Final = "example.org"
POPULAR: Final = 1_000
"""Names in the cache: more than a processor's own caches hold, less than anybody's limit."""


@dataclass(frozen=True)
class Scenario:
    """`serves` says what the configuration is for; others differ in what is asked, and how."""

    name: str
    what: str
    serves: str
    names: int = POPULAR
    """Different names that are asked for; all of them at the start too, to fill caches."""
    transport: str = "udp"
    unique: bool = False
    """Whether no name is asked for twice."""

    @property
    def upstream(self) -> bool:
        """Whether somebody else has the answers."""
        return self.serves in ("forward", "cache")

    def questions(self, count: int, salt: str = "") -> Iterator[str]:
        """So many names; with another salt others, where each is to be new."""
        for number in range(count):
            yield f"{salt}n{number}.new.{ZONE}" if self.unique else f"host{number % self.names}.{ZONE}"


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("static", "one name with one address", "static", names=1),
        Scenario("hosts", f"a hosts file of {NAMES:,} names", "hosts", names=NAMES),
        Scenario("zone", f"a zone of {NAMES:,} names", "zone", names=NAMES),
        Scenario("zone-tcp", "the same zone, over TCP", "zone", names=NAMES, transport="tcp"),
        Scenario("cache", f"{POPULAR:,} names from the cache", "cache"),
        Scenario("miss", "names that are not in the cache", "cache", unique=True),
        Scenario("forward", "one upstream, no cache", "forward"),
    )
}


def address(number: int) -> str:
    """The address of a host, one of 192.0.2.0/24 and the benchmarking network (RFC 2544)."""
    return f"198.18.{number // 250 % 250}.{number % 250 + 1}"


def zone_text(names: int = NAMES) -> str:
    """The zone as a master file; below `new` there is any name."""
    hosts = "".join(f"host{number} A {address(number)}\n" for number in range(names))
    return f"""\
$ORIGIN {ZONE}.
$TTL 3600
@ SOA ns hostmaster 1 7200 3600 1209600 3600
@ NS ns
ns A 192.0.2.53
*.new A 192.0.2.1
{hosts}"""


def hosts_text(names: int = NAMES) -> str:
    """The addresses as a hosts file."""
    return "".join(f"{address(number)} host{number}.{ZONE}\n" for number in range(names))


__all__ = ["NAMES", "SCENARIOS", "ZONE", "Scenario", "address", "hosts_text", "zone_text"]
