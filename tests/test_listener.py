"""From a message to its outcome: what is refused before any plugin, and what plugins do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy.endpoint import Endpoint
from corepy.errors import Failure, Malformed
from corepy.listener import Listener, refuse
from corepy.plugin import Deferred, Outcome, Query, Reply
from corepy.site import Timeouts
from corepy.testing import make_query, message

Serve = Callable[[Query], Outcome]
TIMEOUTS = Timeouts()


def listener(serve: Serve = refuse, zone: bytes = b"\0", *, any_class: bool = False) -> Listener:
    return Listener([(zone, serve)], any_class=any_class, timeouts=TIMEOUTS)


def answers(query: Query) -> Outcome:
    return Reply.answer(query, f"{query.name} 60 IN A 192.0.2.1")


def at_once(outcome: Reply | Deferred) -> Reply:
    assert isinstance(outcome, Reply)
    return outcome


def test_a_query_in_a_zone_is_served_and_any_other_refused() -> None:
    served = listener(answers, b"\3org\0")
    assert at_once(served.answer(make_query("a.org."))).rcode == codes.NOERROR
    assert at_once(served.answer(make_query("a.net."))).rcode == codes.REFUSED
    assert served.pending == 0


def test_other_classes_are_let_in_only_where_a_plugin_wants_them() -> None:
    query = make_query(qclass=codes.CH)
    assert at_once(listener(answers).answer(query)).rcode == codes.REFUSED
    assert at_once(listener(answers, any_class=True).answer(query)).rcode == codes.NOERROR


def test_no_plugin_sees_an_edns_version_that_nobody_speaks() -> None:
    wire = bytearray(message(edns=1232))
    wire[-5] = 1  # the version: the second octet of the TTL
    reply = at_once(listener(answers).answer(Query(bytes(wire), Endpoint("udp", ""), b"")))
    opt = reply.record.ar[0]
    assert (reply.rcode, opt.ttl >> 24) == (0, 1)  # BADVERS, 16


@pytest.mark.parametrize(
    ("error", "rcode"),
    [(Failure("why"), codes.SERVFAIL), (Failure("why", codes.NOTIMP), codes.NOTIMP), (KeyError("x"), codes.SERVFAIL)],
    ids=repr,
)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
def test_what_a_client_hears_of_an_exception(error: Exception, rcode: int, late: bool) -> None:
    def serve(_query: Query) -> Outcome:
        if late:
            deferred.append(Deferred())
            return deferred[0]
        raise error

    deferred: list[Deferred] = []
    served = listener(serve)
    outcome = served.answer(make_query())
    if late:
        assert isinstance(outcome, Deferred)
        assert served.pending == 1
        deferred[0].settle(error)
        assert isinstance(outcome.result, Reply)
        outcome = outcome.result
    assert at_once(outcome).rcode == rcode
    assert served.pending == 0


def test_a_bug_is_logged_once_with_its_place_and_a_failure_never(capsys: pytest.CaptureFixture[str]) -> None:
    def serve(query: Query) -> Outcome:
        if query.name == "a.":
            raise KeyError("one place")
        if query.name == "b.":
            raise KeyError("another place")
        raise Failure("no bug")

    served = listener(serve)
    for name in "abcabc":
        served.answer(make_query(name))
    out = capsys.readouterr().out
    assert out.count("Traceback") == 2
    assert out.count("[ERROR] a plugin failed on a. A: KeyError('one place')\n") == 1
    assert "no bug" not in out
    assert all(line.startswith("[ERROR] ") for line in out.splitlines())


def test_traceback_lines_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    def serve(_query: Query) -> Outcome:
        raise KeyError("\n[INFO] forged\x1b[31m")

    listener(serve).answer(make_query())
    out = capsys.readouterr().out
    assert "\n[INFO]" not in out
    assert "\x1b" not in out


def test_coroutines_are_counted_until_they_are_done() -> None:
    async def serve(query: Query) -> Reply:
        await asyncio.sleep(0)
        return Reply.refused(query)

    async def main() -> None:
        served = listener(serve)
        outcome = served.answer(make_query())
        assert served.pending == 1
        assert (await outcome).rcode == codes.REFUSED
        assert served.pending == 0

    asyncio.run(main())


def test_seal_gives_octets_whatever_a_plugin_made() -> None:
    query = make_query()
    broken = Reply.refused(query).edit()
    broken.record.rr.append(object())
    assert Reply(listener().seal(query, broken)).rcode == codes.SERVFAIL
    assert listener().seal(query, Reply.SILENCE) == b""
    assert listener().seal(query, Reply.refused(query)) == Reply.refused(query).wire


@given(wire=st.one_of(st.binary(max_size=100), st.binary(max_size=40).map(lambda junk: message(edns=1232) + junk)))
def test_any_bytes_end_in_a_reply_or_are_malformed(wire: bytes) -> None:
    served = listener(answers)
    try:
        query = Query(wire, Endpoint("udp", "dns://:53"), b"")
    except Malformed:
        return
    assert served.seal(query, at_once(served.answer(query)))[:2] == wire[:2]
