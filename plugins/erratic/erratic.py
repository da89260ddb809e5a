"""Answer the same to every client, but not always, not at once, or not in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from corepy import codes
from corepy import wire as w
from corepy.plugin import Deferred, Directive, Outcome, Plugin, Query, Reply
from corepy.words import Word

_EVERY: Final = 2
"""One in so many, where an option names no amount."""
_MOST: Final = 2**31 - 1
_OWNER: Final = b"\xc0\x0c"
_LARGE: Final = 30
"""Records of an A answer that is meant to be too large for a datagram without EDNS."""


def _record(rtype: int, data: bytes, owner: bytes = _OWNER) -> bytes:
    return owner + w.RECORD.pack(rtype, codes.IN, 0, len(data)) + data


_A: Final = _record(codes.A, bytes((192, 0, 2, 53)))
_AAAA: Final = _record(codes.AAAA, bytes.fromhex("20010db8 0000000000000000 00000053"))


@dataclass
class Erratic(Plugin):
    """Each of `drop`, `truncate` and `delay` hits one in so many queries, beginning with the first; none if 0.

    `duration` of the delay is in seconds. The end of the chain: nothing is passed on.
    """

    drop: int = _EVERY
    truncate: int = 0
    delay: int = 0
    duration: float = 0.0
    large: bool = False
    _queries: int = field(default=0, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all lines: of each option the last one counts.

        Where there is a delay or truncation, only a `drop` with an amount drops (as CoreDNS).
        """
        plugin, drop = cls(), None
        for directive in directives:
            directive.no_more()
            for option in directive.options("drop", "truncate", "delay", "large"):
                amount = None if option.name == "large" else option.optional()
                if option.name == "drop":
                    drop = drop if amount is None else _amount(option, amount)
                else:
                    plugin._read(option, amount)
        if drop is not None:
            plugin.drop = drop
        elif plugin.delay or plugin.truncate:
            plugin.drop = 0
        return [plugin]

    def _read(self, option: Directive, amount: Word | None) -> None:
        match option.name:
            case "truncate":
                self.truncate = _amount(option, amount)
            case "delay":
                self.delay = _amount(option, amount)
                duration = option.optional()
                self.duration = 0.1 if duration is None else option.as_duration(duration)
            case _:
                self.large = True

    def ends(self) -> Sequence[bytes]:
        """Every query is answered, or dropped."""
        return (b"\0",)

    def serve(self, query: Query) -> Outcome:
        """Answer now, later or never, by the number of the query."""
        number = self._queries
        self._queries += 1
        if self.drop and number % self.drop == 0:
            return Reply.SILENCE
        # An AND where a remainder would be right: the amount is exact for powers of two only (as CoreDNS).
        truncated = bool(self.truncate) and number & self.truncate == 0
        reply = self._reply(query, truncated=truncated)
        if not self.delay or number % self.delay or self.duration <= 0:
            return reply
        late = Deferred()
        self.clock.later(self.duration, lambda: late.settle(reply))
        return late

    def ready(self) -> bool:
        """Ready after three queries, and not any more after five: something for tests to watch."""
        return 3 <= self._queries < 5

    def _reply(self, query: Query, *, truncated: bool) -> Reply:
        flags = w.AA | (w.TC if truncated else 0)
        match query.qtype:
            case codes.A:
                number = _LARGE if self.large else 1
                return Reply.build(query, flags=flags, counts=(number, 0, 0), body=_A * number)
            case codes.AAAA:
                return Reply.build(query, flags=flags, counts=(1, 0, 0), body=_AAAA)
            case codes.AXFR if len(query.key) <= w.MAX_NAME - 2:
                return _transfer(query, whole=not truncated)
            case _:
                return Reply.failed(query)


def _amount(option: Directive, word: Word | None) -> int:
    return _EVERY if word is None else option.as_integer(word, minimum=0, maximum=_MOST)


def _transfer(query: Query, *, whole: bool) -> Reply:
    """A zone of two name servers; without its closing SOA (RFC 5936 2.2) where it is not whole."""
    numbers = (2018050825, 7200, 3600, 1209600, 3600)
    names = b"".join(map(w.encode_name, ("sns.dns.icann.org", "noc.dns.icann.org")))
    soa = _record(codes.SOA, names + b"".join(number.to_bytes(4, "big") for number in numbers))
    records = [soa]
    records += [_record(codes.NS, server + _OWNER) for server in (b"\1b", b"\1a")]
    records.append(_record(codes.AAAA, bytes.fromhex("20010bd8 0000000000000000 00000053"), b"\1a" + _OWNER))
    records.append(_record(codes.AAAA, bytes.fromhex("20010500 0000000000000000 00000054"), b"\1b" + _OWNER))
    if whole:
        records.append(soa)
    return Reply.build(query, flags=w.AA, counts=(len(records), 0, 0), body=b"".join(records))
