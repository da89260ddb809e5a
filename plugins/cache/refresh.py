"""Ask again for what is kept: before its time is over, when it is, and while a client waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyType, typify
from corepy.deferred import Deferred, after, settle
from corepy.endpoint import Endpoint
from corepy.errors import Malformed
from corepy.plugins.cache.entry import TTL, State, reply_from, unpack
from corepy.plugins.cache.message import Message
from corepy.query import Query
from corepy.reply import Outcome, Reply

if TYPE_CHECKING:
    from corepy.plugins.cache.cache import Cache
    from corepy.plugins.cache.counts import Counts
    from corepy.plugins.cache.store import Found


def authenticated(query: Query) -> Query:
    """The query with AD, which asks whether the answer is authenticated (RFC 6840 5.7): some later client may ask."""
    return query if query.flags & w.AD else query.with_flags(query.flags | w.AD)


def refresh(cache: Cache, query: Query, key: bytes, found: Found, counts: Counts, *, stale: bool = False) -> None:
    """Ask for an entry behind the client's back, unless that is under way or has just failed.

    One whose time is over (`stale`) gives way to news only, one that is about to expire to whatever comes. Nobody
    waits for the outcome, so a failure is a line for those who debug.
    """
    store, entry, _ = found
    state = store.state(key)
    if not state.begin(cache.clock.now()):
        return
    counts.prefetches += 1
    asking = _unattended(query)

    def arrived(reply: Reply) -> Reply:
        is_news = judge(cache, asking, reply) if stale else True
        if is_news is not None:
            cache.keep(asking, key, reply, counts)
        _end(cache, state, failed=not is_news, stale=stale)
        place = cache.denials if key in cache.denials.entries else cache.successes
        if is_news and place.entries.get(key, entry) is not entry:   # as popular as before
            known = place.state(key)
            known.hits, known.last = state.hits, cache.clock.now()
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


def _unattended(query: Query) -> Query:
    """The query once more, for which no client waits: what it tells on its way is not told of the one that was served.

    As if the client had come over TCP: what is cut off to fit into a datagram could not be kept.
    """
    endpoint = query.endpoint
    over_tcp = Endpoint("tcp", endpoint.server, endpoint.port, endpoint.local)
    asking = query.with_flags(query.flags | w.AD, over_tcp)
    asking.reached = list(query.reached)
    if query.metadata is not None:
        asking.metadata = dict(query.metadata)
    return asking


def verify(cache: Cache, query: Query, key: bytes, found: Found, counts: Counts) -> Outcome:
    """Ask for an entry whose time is over, and serve it if there is no news within the time that clients wait."""
    stale = cache.settings.stale
    store = found[0]
    timeout, recheck = (stale.timeout, stale.recheck) if stale else (0.0, 0.0)
    state = store.state(key) if recheck else None
    if state is not None and not state.begin(cache.clock.now()):
        return cache.stale_reply(query, found, counts)

    def arrived(reply: Reply) -> Reply:
        is_news = judge(cache, query, reply)
        if is_news is not None:
            reply, kept = cache.keep(query, key, reply, counts)
            if timeout and kept is not None:
                reply = reply_from(query, kept, head := unpack(kept), head[TTL])
        if state is not None:
            _end(cache, state, failed=not is_news, stale=True)
        return reply if is_news else cache.stale_reply(query, found, counts)

    def failed(error: Exception) -> Reply:
        _tell(cache, query, error)
        if state is not None:
            _end(cache, state, failed=True, stale=True)
        return cache.stale_reply(query, found, counts)

    try:
        outcome = cache.next(authenticated(query))
    except Exception as error:  # noqa: BLE001 - whatever it is, there is a reply
        return failed(error)
    outcome = after(outcome, arrived, failed)
    if not timeout or outcome.__class__ is Reply:
        return outcome
    return _within(cache, timeout, outcome, lambda: cache.stale_reply(query, found, counts))


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
