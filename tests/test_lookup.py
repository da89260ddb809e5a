"""Questions that plugins ask the server itself."""

from __future__ import annotations

import asyncio

import pytest

from corepy import codes
from corepy import wire as w
from corepy.endpoint import Endpoint
from corepy.errors import Failure
from corepy.listener import Listener
from corepy.lookup import MAX_DEPTH, Resolve, no_server, resolver
from corepy.plugin import Outcome, Plugin, Query, Reply
from corepy.site import Timeouts
from corepy.testing import make_query, message

TARGET = w.encode_name("Target.test.")


class Asked(Plugin):
    """Keeps the queries that get to it."""

    def __init__(self) -> None:
        self.queries: list[Query] = []

    def serve(self, query: Query) -> Outcome:
        self.queries.append(query)
        return Reply.failed(query, codes.NXDOMAIN)


def resolve_by(plugin: Asked) -> Resolve:
    return resolver({"dns://:53": Listener([(b"\4test\0", plugin.serve)], timeouts=Timeouts())})


def test_the_question_is_a_query_of_its_own_from_the_same_client() -> None:
    asked = Asked()
    original = make_query("www.example.org.", "AAAA", client="192.0.2.7", edns=1400, do=True, flags=w.RD | w.CD)
    reply = resolve_by(asked)(TARGET, codes.A, original)
    assert isinstance(reply, Reply)
    assert reply.rcode == codes.NXDOMAIN
    [query] = asked.queries
    assert (query.qname, query.qtype, query.qclass) == (TARGET, codes.A, codes.IN)
    assert (query.id, query.flags, query.edns) == (original.id, original.flags, original.edns)
    assert (query.client, query.local, query.endpoint) == (original.client, original.local, original.endpoint)


def test_options_of_the_original_query_are_kept_and_other_records_are_not() -> None:
    asked = Asked()
    wire = bytearray(message(edns=1232, options=w.option(3, b"")))
    wire[11] = 2
    tsig = b"\0" + w.RECORD.pack(codes.TSIG, 255, 0, 0)
    resolve_by(asked)(TARGET, codes.A, Query(bytes(wire) + tsig, Endpoint("udp", "dns://:53"), b""))
    [query] = asked.queries
    assert query.edns is not None
    assert query.edns.options == ((3, b""),)
    assert [record.rtype for record in w.records(query.wire)] == [codes.OPT]


def test_names_that_the_server_does_not_serve_are_refused() -> None:
    reply = resolve_by(Asked())(w.encode_name("example.org."), codes.A, make_query())
    assert isinstance(reply, Reply)
    assert reply.rcode == codes.REFUSED


def test_no_listener_no_answer() -> None:
    with pytest.raises(Failure, match="no listener dns://:53"):
        resolver({})(TARGET, codes.A, make_query())
    with pytest.raises(Failure, match="no server"):
        no_server(TARGET, codes.A, make_query())


@pytest.mark.parametrize("in_coroutines", [False, True], ids=["at once", "in coroutines"])
def test_circles_end(in_coroutines: bool) -> None:
    """A plugin that asks for what it is asked, again and again."""
    depths: list[int] = []
    failures: list[str] = []

    def again(query: Query) -> Outcome:
        depths.append(len(depths))
        try:
            return resolve(query.qname, query.qtype, query)
        except Failure as error:
            failures.append(str(error))
            return Reply.failed(query)

    async def later(query: Query) -> Reply:
        await asyncio.sleep(0)
        return await again(query)

    listener = Listener([(b"\0", later if in_coroutines else again)], timeouts=Timeouts())
    resolve = resolver({"dns://:53": listener})

    async def ask() -> Reply:
        return await listener.answer(make_query("loop.test."))

    for _ in range(2):  # the count begins anew with each query
        depths.clear()
        failures.clear()
        assert asyncio.run(ask()).rcode == codes.SERVFAIL
        assert len(depths) == MAX_DEPTH + 1
        assert failures == [f"more than {MAX_DEPTH} questions to answer one, the last for loop.test."]
    assert listener.pending == 0
