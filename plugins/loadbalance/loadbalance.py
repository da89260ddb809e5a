"""Change the order of addresses in replies, so that clients which take the first one spread over all."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.duration import format_duration
from corepy.errors import Malformed, Position
from corepy.networks import NetworkSet
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply, after
from corepy.plugins.loadbalance import lint
from corepy.plugins.loadbalance.reorder import addresses_alone, reorder
from corepy.plugins.loadbalance.weights import Weights, parse_weights
from corepy.watched import WatchedFile
from corepy.words import shown

if TYPE_CHECKING:
    from corepy.site import Site

_counts = struct.Struct("!3xB2x3H").unpack_from
"""Rcode, and how many records there are in each section."""
_TRANSFERS: Final = frozenset((codes.AXFR, codes.IXFR))
_WEIGHTED: Final = frozenset((codes.A, codes.AAAA, codes.SRV))
"""Types of queries whose replies the weighted policy looks at."""


@dataclass
class LoadBalance(Plugin):
    """Round robin without `weights`, else the addresses of a name come first as often as their weights say.

    Networks in `prefer` take their addresses to the front afterwards, the first network first.
    """

    prefer: list[NetworkSet] = field(default_factory=list)
    """A set for each network, in the order of preference."""
    weights: Path | None = None
    """The weight file; below `root` if relative."""
    reload: float = 30.0
    """Seconds between two looks whether the weight file has changed; 0 for none."""
    at: Position | None = field(default=None, compare=False)
    """Where the Corefile names the weight file."""
    _weights: Weights = field(default_factory=dict, init=False, compare=False, repr=False)
    _file: WatchedFile[Weights] | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin: of several lines the last policy counts, networks behind it add up."""
        plugin = cls()
        for directive in directives:
            policy = directive.optional()
            if policy is not None and directive.as_choice(policy, "round_robin", "weighted") == "weighted":
                file = directive.word("a weight file")
                plugin = cls(weights=Path(file), at=file.at)
                directive.no_more()
                for option in directive.options("reload"):
                    plugin.reload = option.duration(minimum=0)
            else:
                plugin.weights = None
                directive.no_more()
                for option in directive.options("prefer"):
                    plugin.prefer += [NetworkSet([network]) for network in option.networks(at_least=0)]
        return [plugin]

    def configure(self, site: Site) -> None:
        """Learn where relative paths begin."""
        if self.weights is not None:
            self.weights = site.path(self.weights)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the path
        """Read the weight file, as `start` does."""
        if self.weights is not None:
            yield from lint.check(self.weights, self.at or lines[0].at, waits=self.reload > 0)

    async def start(self) -> None:
        """Read the weight file. Raises ConfigError where it has mistakes, or is missing and not looked for again."""
        if self.weights is None:
            return
        self._file = WatchedFile(self.weights, parse_weights, self._use)
        what = f"cannot read {shown(str(self.weights))}"
        try:
            await self._file.read()
        except OSError as error:
            if not self.reload:
                raise ConfigError(f"{what}: {error.strerror}", self.at, plugin=self.name) from error
            remark = f"{what}: {error.strerror}; trying again every {format_duration(self.reload)}"
            self.log.warning(remark)
        except ValueError as error:
            raise ConfigError(f"{what}: {error}", self.at, plugin=self.name) from error
        self._file.watch(self.clock, self.reload, self._complain)

    def stop(self) -> None:
        """Look no more."""
        if self._file is not None:
            self._file.stop()

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, and change the order of what comes back."""
        return after(self.next(query), self._arrange)

    def _arrange(self, reply: Reply) -> Reply:
        """The reply in another order; itself where that makes no difference."""
        wire = reply.wire
        if not wire:
            return reply
        rcode, *counts = _counts(wire)
        if rcode & w.RCODE or max(counts) <= 1:
            return reply
        try:
            made = self._reordered(wire, counts)
        except (Malformed, IndexError):
            return reply   # finishing deals with what is no message
        return reply if made is wire else Reply(made, reply.plain)

    def _reordered(self, wire: bytes, counts: list[int]) -> bytes:
        at = w.question_end(wire)
        if self.weights is None and not self.prefer:
            records = addresses_alone(wire, at, counts[0])
            if records:
                random.shuffle(records)
                return wire[:at] + b"".join(records) + wire[at + len(records) * len(records[0]) :]
        qtype = int.from_bytes(wire[at - 4 : at - 2], "big")
        before = list(w.records(wire, at))
        if qtype in _TRANSFERS or before[-1].rtype == codes.TSIG:  # what is signed stays as it is
            return wire
        return reorder(wire, before, self._ordered(wire, before, qtype))

    def _ordered(self, wire: bytes, records: list[w.Record], qtype: int) -> list[w.Record]:
        """The records of all sections, in the order that the client gets."""
        ordered: list[w.Record] = []
        for section in (w.ANSWER, w.AUTHORITY, w.ADDITIONAL):
            found = [record for record in records if record.section == section]
            if len(found) > 1:
                if self.weights is None:
                    found = _round_robin(found)
                elif qtype in _WEIGHTED and section != w.AUTHORITY:
                    found = self._by_weight(wire, found)
                if self.prefer and section != w.AUTHORITY:
                    found = self._by_network(wire, found)
            ordered += found
        return ordered

    def _by_weight(self, wire: bytes, records: list[w.Record]) -> list[w.Record]:
        """Aliases first, then all others, then the addresses, one of them drawn for the first place, then MX."""
        aliases, addresses, exchanges, others = _kinds(records)
        if not addresses:
            return records
        drawn = random.choices(range(len(addresses)), [self._weight(wire, record) for record in addresses])[0]
        addresses[0], addresses[drawn] = addresses[drawn], addresses[0]
        return aliases + others + addresses + exchanges

    def _weight(self, wire: bytes, record: w.Record) -> int:
        """The weight of an address for its name; 1 where the file does not know it."""
        known = self._weights.get(w.key(w.read_name(wire, record.start)[0]))
        return known.get(wire[record.data : record.end], 1) if known else 1

    def _by_network(self, wire: bytes, records: list[w.Record]) -> list[w.Record]:
        """Aliases first, then the addresses by the first of our networks that has them, MX, and all others."""
        aliases, addresses, exchanges, others = _kinds(records)

        def rank(record: w.Record) -> int:
            packed = wire[record.data : record.end]
            return next((at for at, network in enumerate(self.prefer) if packed in network), len(self.prefer))

        return aliases + sorted(addresses, key=rank) + exchanges + others

    def _use(self, weights: Weights) -> None:
        self._weights = weights
        remark = f"reloaded weights from {self.weights}"
        self.log.info(remark)

    def _complain(self, error: Exception) -> None:
        remark = f"cannot read {shown(str(self.weights))}, the weights stay as they are: {error}"
        self.log.error(remark)


def _round_robin(records: list[w.Record]) -> list[w.Record]:
    """Aliases first, then all others, then addresses and MX, both in an order that is drawn."""
    aliases, addresses, exchanges, others = _kinds(records)
    random.shuffle(addresses)
    random.shuffle(exchanges)
    return aliases + others + addresses + exchanges


def _kinds(records: Iterable[w.Record]) -> tuple[list[w.Record], list[w.Record], list[w.Record], list[w.Record]]:
    """The records by kind: aliases, addresses, MX, and all others."""
    aliases: list[w.Record] = []
    addresses: list[w.Record] = []
    exchanges: list[w.Record] = []
    others: list[w.Record] = []
    kinds = {codes.CNAME: aliases, codes.A: addresses, codes.AAAA: addresses, codes.MX: exchanges}
    for record in records:
        kinds.get(record.rtype, others).append(record)
    return aliases, addresses, exchanges, others
