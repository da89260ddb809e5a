"""Count what each network is sent, and send no more of the same than is allowed.

A forger makes a server send many replies of a kind to one victim. Who really is there asks again, is told by a
truncated reply to come over TCP, or shows a cookie; so only replies over UDP to clients without a good cookie count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import wire as w
from corepy.metrics import Counter
from corepy.plugin import ConfigError, Directive, Failure, Outcome, Plugin, Query, Reply, after
from corepy.plugins.rrl.accounts import SECOND, Accounts, Verdict
from corepy.plugins.rrl.category import Category, categorise
from corepy.plugins.rrl.setup import Settings, read
from corepy.rules import Rule

if TYPE_CHECKING:
    from corepy.site import Site

RESPONSES: Final = Counter("rrl_responses_exceeded_total", "Replies over the limit.", ("client_ip",))
REQUESTS: Final = Counter("rrl_requests_exceeded_total", "Queries over the limit.", ("client_ip",))
_CLIENTS: Final = 1024
"""Clients that have a series of their own; the rest is `other`. A forger names addresses without end, and a series
takes memory here and in whatever reads it."""
_OTHER: Final = "other"

_SEND: Final = Verdict.SEND   # looked up in its class it costs a tenth of a microsecond
_REQUEST: Final = b"q"
_QUESTION_ALONE: Final = b"\0\1\0\0\0\0\0\0"
"""The section counts of a reply without records."""
_REPLY: Final = [bytes((category,)) for category in Category]

NO_LIMIT: Final = Rule(
    "CPY230",
    "rrl limits nothing",
    "No rate is given, and without one there is no limit.",
    ". {\n    rrl {\n        slip-ratio 2\n    }\n    whoami\n}\n",
)


@dataclass
class Rrl(Plugin):
    """For names in `zones` (keys), as `settings` say."""

    once: ClassVar[bool] = True
    before: ClassVar[str] = "acl"   # where coredns/rrl has it

    zones: tuple[bytes, ...] = (b"\0",)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        settings = self.settings
        self._accounts = Accounts(settings.window, settings.capacity, settings.slip)
        self._limits_replies = any(settings.intervals)
        self._cut4, self._cut6 = _Cut(settings.prefix4), _Cut(settings.prefix6)
        self._processes = 1

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `rrl [ZONES...]` and its block."""
        return cls(directive.origins(), read(directive))

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - the line is enough
        """Warn where there is no rate."""
        if not self._limits_replies and not self.settings.requests:
            yield NO_LIMIT.warn("without any rate nothing is limited", lines[0].at, "responses-per-second 10")

    def configure(self, site: Site) -> None:
        """Learn how many processes share what is allowed, once all plugins have shaped the block."""
        self._site = site

    def start(self) -> None:
        """Take a share of the rates: the datagrams of a client are dealt out to all processes at random."""
        self._processes = self._site.sockets

    def adopt(self, old: Rrl) -> None:
        """Remember who was sent what, unless other things count now."""
        if self.settings == old.settings:
            self._accounts = old._accounts

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, and look at the reply; keep silent where either is one too many."""
        if not w.in_zones(query.key, self.zones):
            return self.next(query)
        proven = query.endpoint.transport != "udp" or query.proven
        if self.settings.requests and not self._takes(query, proven=proven):
            return Reply.SILENCE
        if proven or not self._limits_replies:
            return self.next(query)
        try:
            outcome = self.next(query)
        except Failure as error:
            result = self._failed(query, error)
            if isinstance(result, Reply):
                return result
            raise
        if outcome.__class__ is Reply:   # as `after` has it, without two functions that nobody calls
            return self._weigh(query, outcome)
        return after(outcome, partial(self._weigh, query), partial(self._failed, query))

    def _takes(self, query: Query, *, proven: bool) -> bool:
        """Whether a query is within the limit. Who has proved to be there is not charged for forged queries."""
        account = hash((_REQUEST, proven, self._network(query)))
        interval = self.settings.requests
        if query.endpoint.transport == "udp":   # a connection stays with its process
            interval *= self._processes
        verdict = self._accounts.debit(account, interval, self._now())
        return verdict is Verdict.SEND or not self._exceeded(query, REQUESTS, "query")

    def _weigh(self, query: Query, reply: Reply) -> Reply:
        """The reply, what is left of it, or silence."""
        if not reply.wire:
            return reply
        category, what = categorise(reply, query)
        verdict = self._debit(query, category, what)
        if verdict is _SEND or not self._exceeded(query, RESPONSES, category.name.lower()):
            return reply
        return _emptied(query, reply) if verdict is Verdict.SLIP else Reply.SILENCE

    def _failed(self, query: Query, error: Exception) -> Reply | Exception:
        """A failure is an error for the client, so it counts; of one too many nobody is told."""
        if not isinstance(error, Failure):
            return error
        verdict = self._debit(query, Category.ERROR, b"")
        if verdict is Verdict.SEND or not self._exceeded(query, RESPONSES, Category.ERROR.name.lower()):
            return error
        return _emptied(query, Reply.failed(query, error.rcode)) if verdict is Verdict.SLIP else Reply.SILENCE

    def _debit(self, query: Query, category: Category, what: bytes) -> Verdict:
        interval = self.settings.intervals[category]
        if not interval:
            return Verdict.SEND
        # The hash is keyed at random for the process: nobody can find two that are the same.
        account = hash((_REPLY[category], self._network(query), what))
        return self._accounts.debit(account, interval * self._processes, self._now())

    def _network(self, query: Query) -> bytes:
        """The network that a client is taken for."""
        packed = query.client.packed
        return (self._cut4 if len(packed) == 4 else self._cut6)(packed)

    def _now(self) -> int:
        return int(self.clock.now() * SECOND)

    def _exceeded(self, query: Query, counter: Counter, what: str) -> bool:
        """Count what is one too many; whether anything is to be done about it."""
        client = query.client.host
        counter.add(client if len(counter.values) < _CLIENTS or (client,) in counter.values else _OTHER)
        if self.note is not None or self.log.debugging:
            text = f"{what} over the limit of {client} for {query.name}"
            self.log.debug(text)
            if self.note is not None:
                self.note(query, text)
        return not self.settings.report_only


class _Cut:
    """Cuts addresses to the first `bits`."""

    def __init__(self, bits: int) -> None:
        self._octets, rest = divmod(bits, 8)
        self._mask = 0xFF00 >> rest & 0xFF

    def __call__(self, packed: bytes) -> bytes:
        octets = self._octets
        return packed[:octets] + bytes((packed[octets] & self._mask,)) if self._mask else packed[:octets]


def _emptied(query: Query, reply: Reply) -> Reply:
    """The reply without its records, truncated: who is there comes again over TCP."""
    head = reply.wire[:2] + (reply.flags | w.TC).to_bytes(2, "big") + _QUESTION_ALONE
    return Reply(head + query.question, plain=True)
