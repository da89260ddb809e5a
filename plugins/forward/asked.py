"""One query on its way: which upstream is asked next, and which reply is the last word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from corepy import codes
from corepy import wire as w
from corepy.deferred import settle
from corepy.metrics import Counter, Family, Histogram
from corepy.plugin import Deferred, Failure, Query, Reply
from corepy.upstream import Watched, match
from corepy.upstream.match import rcode_of

if TYPE_CHECKING:
    from corepy.plugins.forward.forward import Forward

DEADLINE: Final = 5.0
"""Seconds in which another upstream is tried (CoreDNS's); an attempt that has begun may still end."""
_PAUSE: Final = 0.05
"""Seconds between two rounds where attempts are not limited: upstreams that refuse at once would keep us busy."""

BROKEN: Final = Counter("forward_healthcheck_broken_total", "Times that all upstreams of a line seemed to be down.")
DURATION: Final = Histogram(
    "proxy_request_duration_seconds", "Seconds that upstreams take to reply.", ("proxy_name", "to", "rcode")
)

_TC: Final = w.TC >> 8
"""The flag in the third octet of a message."""


class Asked(Deferred):
    """A query that upstreams are asked, and its reply to come: one object, which is the waiter for each attempt."""

    # No __slots__: most queries never touch most of these, and a default in the class costs a query nothing.
    joined: Sequence[tuple[Query, Deferred]] = ()
    """Equal queries that came while this one was on its way."""
    _at = 0  # in the order
    _attempts = 0
    _down = 0  # upstreams passed over in this round
    _failovers = 0
    _again = False  # a truncated reply is being fetched over TCP
    _deadline = 0.0  # when nothing new is tried any more; 0 until something has failed
    _upstream: Watched

    def __init__(self, forward: Forward, query: Query, key: bytes, stream: bool) -> None:
        self.result = None
        self._steps = []
        self.query = query
        self.question = query.wire[12 : query.qend]
        self.key = key
        """What equal queries have in common; empty where nobody may join this one."""
        self.due = 0.0
        self._forward = forward
        self._stream = stream
        self._order = forward.policy(forward.upstreams)

    def join(self, query: Query) -> Deferred:
        """Wait for the reply to an equal query instead of asking twice, which would help a forger (RFC 5452 5)."""
        deferred = Deferred()
        if self.joined.__class__ is tuple:
            self.joined = []
        self.joined.append((query, deferred))  # type: ignore[attr-defined]  # the list of the line above
        return deferred

    def ask_next(self) -> None:
        """Ask the next upstream, or give up."""
        forward, order = self._forward, self._order
        while True:
            if self._at >= len(order):
                self._at = self._down = 0
            upstream = order[self._at]
            self._at += 1
            if not forward.max_fails or upstream.fails <= forward.max_fails:
                break
            self._down += 1
            if self._down < len(order):
                continue
            BROKEN.add()
            self._note("all upstreams are down")
            if forward.failfast:
                self.finish(Failure("no healthy proxies"))
                return
            # All are down, or so the probes say: try one all the same.
            upstream = forward.any_upstream()
            break
        self._ask(upstream)

    def _ask(self, upstream: Watched) -> None:
        forward = self._forward
        self._upstream = upstream
        if self.query.metadata is not None:
            self.query.metadata["forward/upstream"] = upstream.name
        self._again = False
        self.due = forward.now() + forward.read_timeout
        (upstream.over_tcp if self._stream else upstream.over_udp)(self.query.wire, self)

    # --- Waiter ---

    def take(self, wire: bytes) -> bool:
        """A message with our id: the reply, if it matches the question and is whole."""
        reply = match(self.question, wire)
        if reply is None:
            return False
        forward = self._forward
        if Family.watched:
            took = forward.now() - (self.due - forward.read_timeout)
            DURATION.add(took, forward.name, self._upstream.name, codes.rcode_label(rcode_of(reply)))
        if forward.looks_at_replies and self._looked_at(reply):
            return True
        self.finish(Reply(self.query.wire[:2] + reply[2:]))
        return True

    def failed(self, error: Failure) -> None:
        """This upstream has no reply: probe it, and ask the next one."""
        forward = self._forward
        late = self._late()
        if forward.max_fails:
            self._upstream.check()
        self._attempts += 1
        limit = forward.attempts
        if late or (limit and self._attempts >= limit) or self._down >= len(self._order):
            self.finish(error)
        elif self._attempts == forward.last_resort and (passed_over := self._seems_down()) is not None:
            self._ask(passed_over)
        elif not limit and self._at >= len(self._order):
            forward.clock.later(_PAUSE, self.ask_next)
        else:
            self.ask_next()

    def _seems_down(self) -> Watched | None:
        """An upstream that was passed over; perhaps it is back, and the next probe is not due yet."""
        return next((upstream for upstream in self._order if upstream.fails > self._forward.max_fails), None)

    def _late(self) -> bool:
        """Whether nothing new is tried any more. First called when the first attempt has ended."""
        forward = self._forward
        if not self._deadline:
            self._deadline = self.due - forward.read_timeout + DEADLINE
        return forward.now() >= self._deadline

    # --- the reply ---

    def _looked_at(self, reply: bytes) -> bool:
        """Whether this reply is not the last word, and something else is under way instead."""
        forward = self._forward
        if forward.prefer_udp and not self._stream and not self._again and reply[2] & _TC:
            self._again = True
            self.due = forward.now() + forward.read_timeout
            self._upstream.over_tcp(self.query.wire, self)
            return True
        rcode = rcode_of(reply)
        if rcode in forward.failover:
            self._failovers += 1
            if self._failovers < len(self._order) and not self._late():
                self._note(f"{codes.rcode_name(rcode)}: the next upstream is asked")
                self.ask_next()
                return True
        follower = forward.follower
        nodata = forward.next_on_nodata and rcode == codes.NOERROR and reply[6:8] == b"\0\0"
        if follower is None or not (rcode in forward.next_rcodes or nodata):
            return False
        self._note(f"{'no data' if nodata else codes.rcode_name(rcode)}: the next forward line is asked")
        try:
            outcome = follower.serve(self.query)
        except Exception as error:  # noqa: BLE001 - what the chain raises behind a Deferred is its result
            self.finish(error)
            return True
        if isinstance(outcome, Reply):
            self.finish(outcome)
        else:
            settle(outcome).then(self._hand_on, self._hand_on)
        return True

    def _note(self, text: str) -> None:
        """Words for who has the query explained."""
        if self._forward.note is not None:
            self._forward.note(self.query, text)

    def _hand_on(self, result: Reply | Exception) -> Reply:
        self.finish(result)
        return result  # type: ignore[return-value]  # the last step: nobody looks at it

    def finish(self, result: Reply | Exception) -> None:
        """This is what becomes of the query, and of all that are equal to it."""
        self._forward.finished(self)
        self.settle(result)
        for query, deferred in self.joined:
            if query.metadata is not None:
                query.metadata["forward/upstream"] = self._upstream.name
            deferred.settle(_for(query, result) if isinstance(result, Reply) else result)


def _for(query: Query, reply: Reply) -> Reply:
    """The reply to an equal query, under that one's id and spelling."""
    wire = reply.wire
    return Reply(query.wire[:2] + wire[2:12] + query.question + wire[query.qend :]) if wire else reply
