"""Ports with real sockets: whatever clients send, and how many of them there may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corepy import codes
from corepy.address import Address
from corepy.ports import StreamPort, max_connections
from corepy.proxyproto import encode_v2
from corepy.stream import frame
from corepy.testing import FakeClock, Running, message
from corepy.testing.held import Held, held

if TYPE_CHECKING:
    from tests.conftest import Serve

Add = Callable[..., None]

WHOAMI = ". {\n whoami\n}\n"
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


# --- whatever clients send ---


@BOTH
def test_what_is_no_query_gets_an_error_or_silence_and_the_next_one_an_answer(serve: Serve, transport: str) -> None:
    query = message()
    cases = {
        query[:12]: codes.FORMERR,
        query[:-1]: codes.FORMERR,
        query[:2] + b"\x29\0" + query[4:]: codes.NOTIMP,  # opcode UPDATE
        query[:4] + b"\0\2" + query[6:]: codes.FORMERR,
        message(qclass=codes.CH): codes.REFUSED,
        query[:11]: None,
        b"x": None,
        query[:2] + b"\x80\0" + query[4:]: None,  # a response
    }
    running = serve(WHOAMI)
    with running.client(transport) as client:
        for wire, rcode in cases.items():
            client.send_message(wire)
            if rcode is not None:
                assert client.receive().rcode == rcode, wire
            assert client.ask().rcode == codes.NOERROR, wire


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[Running]:
    text = ". {\n proxyproto {\n udp_session_tracking 28s 4\n allow 0.0.0.0/0\n }\n whoami\n}\n"
    with Running(text) as running:
        yield running


def _pieces() -> st.SearchStrategy[bytes]:
    query = message(edns=1232)
    header = encode_v2(Address.of("192.0.2.7", 7), Address.of("192.0.2.53", 53))
    parts = st.sampled_from([query, query[:12], query[12:], header, header[:16], header[16:], b"\xc0\x0c", b"PROXY "])
    return st.one_of(st.binary(max_size=80), st.lists(st.one_of(parts, st.binary(max_size=8))).map(b"".join))


@given(junk=st.lists(_pieces(), max_size=20))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_datagram_disturbs_the_next(behind_proxy: Running, junk: list[bytes]) -> None:
    with behind_proxy.client() as client:
        for datagram in junk:
            client.send(datagram)
        client.send(message(message_id=4711))
        while client.receive().wire[:2] != b"\x12\x67":
            pass


# --- connections ---


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """A process that takes three connections."""
    monkeypatch.setattr("corepy.ports.max_connections", lambda: 3)
    assert StreamPort.open_connections == 0
    return 3


def test_when_there_are_too_many_connections_the_one_idle_longest_makes_room(serve: Serve, few: int) -> None:
    clock = FakeClock()
    running = serve(WHOAMI, clock=clock)
    clients = []
    for _ in range(few):
        clients.append(running.client("tcp"))
        assert clients[-1].ask().rcode == codes.NOERROR
        running.call(lambda: clock.advance(0.1))
    assert clients[0].ask().rcode == codes.NOERROR  # so the second is the idlest now
    clients.append(running.client("tcp"))
    assert clients[3].ask().rcode == codes.NOERROR
    assert clients[1].ended()
    for client in (clients[0], clients[2], clients[3]):
        assert client.ask().rcode == codes.NOERROR
    for client in clients:
        client.close()


def test_a_connection_too_many_is_closed_where_all_others_wait_for_replies(
    serve: Serve, directives: Add, few: int
) -> None:
    directives(held=Held)
    running = serve(". {\n held\n}\n")
    clients = [running.client("tcp") for _ in range(few)]
    for client in clients:
        client.send_message(message("later."))
    held(running, few)
    with running.client("tcp") as surplus:
        assert surplus.ended()
    running.call(Held.release)
    for client in clients:
        assert client.receive().rcode == codes.NXDOMAIN
        client.close()


def test_connections_are_counted_out(serve: Serve, few: int) -> None:
    running = serve(WHOAMI)
    for _ in range(4 * few):
        assert running.ask(transport="tcp").rcode == codes.NOERROR
    running.stop()
    assert StreamPort.open_connections == 0


def test_the_sweep_closes_connections_whose_time_has_come(serve: Serve) -> None:
    clock = FakeClock()
    running = serve(WHOAMI, clock=clock)
    silent, talking = running.client("tcp"), running.client("tcp")
    assert talking.ask().rcode == codes.NOERROR
    half = running.client("tcp")
    half.send(frame(message())[:7])
    assert running.ask(transport="tcp").rcode == codes.NOERROR  # by now all three are known
    running.call(lambda: clock.advance(3.5))
    assert silent.ended()
    assert half.ended()
    assert talking.ask().rcode == codes.NOERROR
    running.call(lambda: clock.advance(9.5))
    assert talking.ask().rcode == codes.NOERROR
    running.call(lambda: clock.advance(10.5))
    assert talking.ended()
    for client in (silent, half, talking):
        client.close()


def test_a_connection_that_waits_for_a_reply_is_not_swept_and_has_its_time_afterwards(
    serve: Serve, directives: Add
) -> None:
    directives(held=Held)
    clock = FakeClock()
    running = serve(". {\n held\n}\n", clock=clock)
    with running.client("tcp") as client:
        client.send_message(message("later."))
        held(running, 1)
        running.call(lambda: clock.advance(60))
        running.call(Held.release)
        running.call(lambda: clock.advance(5))
        assert client.receive().rcode == codes.NXDOMAIN
        assert client.ask().rcode == codes.REFUSED


def test_a_fast_answer_overtakes_a_slow_one(serve: Serve, directives: Add) -> None:
    directives(held=Held)
    running = serve(". {\n held\n}\n")
    with running.client("tcp") as client:
        client.send(frame(message("later.", message_id=1)) + frame(message("now.", message_id=2)))
        assert client.receive().wire[:2] == b"\0\2"
        running.call(Held.release)
        assert client.receive().wire[:2] == b"\0\1"


def test_the_number_of_connections_follows_from_the_descriptors() -> None:
    assert max_connections() >= 8
