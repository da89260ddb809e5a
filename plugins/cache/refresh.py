"""Ask again for what is kept: before its time is over, when it is, and while a client waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyType, typify
from corepy.deferred import Deferred, after, settle
from corepy.errors import Malformed
from corepy.plugins.cache.entry import State
from corepy.plugins.cache.message import Message
from corepy.query import Endpoint, Outcome, Query, Reply

if TYPE_CHECKING:
    from corepy.plugins.cache.cache import Cache
    from corepy.plugins.cache.counts import Counts
    from corepy.plugins.cache.entry import Entry


def authenticated(query: Query) -> Query:
    """The query with AD, which asks whether the answer is authenticated (RFC 6840 5.7): some later client may ask."""
    return query if query.flags & w.AD else query.with_wire(_with_ad(query))


def _with_ad(query: Query) -> bytes:
    wire = query.wire
    return wire[:2] + (query.flags | w.AD).to_bytes(2, "big") + wire[4:]


def refresh(cache: Cache, query: Query, key: bytes, entry: Entry, counts: Counts, *, stale: bool = False) -> None:
    """Ask for an entry behind the client's back, unless that is under way or has just failed.

    One whose time is over (`stale`) gives way to news only, one that is about to expire to whatever comes. Nobody
    waits for the outcome, so a failure is a line for those who debug.
    """
    state = entry.known()
    if not state.begin(cache.clock.now()):
        return
    counts.prefetches += 1
    # As if the client had come over TCP: what is cut off to fit into a datagram could not be kept.
    over_tcp = Endpoint("tcp", query.endpoint.server, query.endpoint.port, query.endpoint.local)
    asking = Query(_with_ad(query), over_tcp, query.client, query.local)

    def arrived(reply: Reply) -> Reply:
        is_news = judge(cache, asking, reply) if stale else True
        if is_news is not None:
            cache.keep(asking, key, reply, counts)
        _end(cache, state, failed=not is_news, stale=stale)
        kept = cache.denials.entries.get(key) or cache.successes.entries.get(key)
        if is_news and kept is not None and kept is not entry:
            kept.state = State(state.hits, cache.clock.now())   # as popular as before
        return reply

    def failed(error: Exception) -> Exception:
        _tell(cache, query, error)
        _end(cache, state, failed=True, stale=stale)
        return error

    try:
        outcome = cache.next(asking)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client has its reply
        failed(error)
        return
    if outcome.__class__ is Reply:
        arrived(outcome)
    else:
        settle(outcome).then(arrived, failed)


def verify(cache: Cache, query: Query, key: bytes, entry: Entry, counts: Counts) -> Outcome:
    """Ask for an entry whose time is over, and serve it if there is no news within the time that clients wait."""
    stale = cache.settings.stale
    timeout, recheck = (stale.timeout, stale.recheck) if stale else (0.0, 0.0)
    if recheck and not entry.known().begin(cache.clock.now()):
        return cache.stale_reply(query, entry, counts)

    def arrived(reply: Reply) -> Reply:
        is_news = judge(cache, query, reply)
        if is_news is not None:
            reply, kept = cache.keep(query, key, reply, counts)
            if timeout and kept is not None:
                reply = kept.reply(query, kept.ttl)
        if recheck:
            _end(cache, entry.known(), failed=not is_news, stale=True)
        return reply if is_news else cache.stale_reply(query, entry, counts)

    def failed(error: Exception) -> Reply:
        _tell(cache, query, error)
        if recheck:
            _end(cache, entry.known(), failed=True, stale=True)
        return cache.stale_reply(query, entry, counts)

    try:
        outcome = cache.next(authenticated(query))
    except Exception as error:  # noqa: BLE001 - whatever it is, there is a reply
        return failed(error)
    outcome = after(outcome, arrived, failed)
    if not timeout or outcome.__class__ is Reply:
        return outcome
    return _within(cache, timeout, outcome, lambda: cache.stale_reply(query, entry, counts))


def _within(cache: Cache, timeout: float, outcome: Outcome, otherwise: Callable[[], Reply]) -> Deferred:
    """An outcome, or after `timeout` seconds another one; the first one goes on all the same."""
    waiting = Deferred()
    timer = cache.clock.later(timeout, lambda: waiting.settle(otherwise()))

    def over(result: Reply | Exception) -> Reply:
        timer.cancel()
        waiting.settle(result)
        return result  # type: ignore[return-value]  # the last step: nobody looks at it

    settle(outcome).then(over, over)
    return waiting


def judge(cache: Cache, query: Query, reply: Reply) -> bool | None:
    """Whether a reply is news that takes the place of an entry whose time is over.

    An answer or a denial is (RFC 8767 4), or under `prefer_positive` an answer alone. None: it is not even kept.
    """
    try:
        message = Message(reply.wire, query)
    except Malformed:
        return None
    if message.flags & w.TC or not message.fits:
        return None
    if cache.settings.prefer_positive:
        return message.usable
    kind = typify(reply.wire)
    if kind in (ReplyType.OTHERERROR, ReplyType.META) or message.rcode not in (codes.NOERROR, codes.NXDOMAIN):
        return None
    return True


def _end(cache: Cache, state: State, *, failed: bool, stale: bool) -> None:
    recheck = cache.settings.stale.recheck if cache.settings.stale and stale and failed else 0.0
    state.end(cache.clock.now() + recheck if recheck else float("-inf"))


def _tell(cache: Cache, query: Query, error: Exception) -> None:
    write = cache.log.debug
    write(f"cannot refresh {query.name} {codes.type_name(query.qtype)}: {error}")
