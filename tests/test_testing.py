"""What corepy offers for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.address import Address
from corepy.errors import ConfigError
from corepy.proxyproto import encode_v1, encode_v2
from corepy.query import Edns
from corepy.stream import frame
from corepy.testing import Client, FakeClock, Running, ask, make_query, message

if TYPE_CHECKING:
    from tests.conftest import Serve

# --- the clock ---


def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(start=5)
    assert clock.now() == 5
    clock.advance(2.5)
    assert clock.now() == 7.5


def test_what_falls_due_happens_in_order_and_at_its_own_moment() -> None:
    clock = FakeClock(start=0)
    moments: list[tuple[str, float]] = []
    clock.later(3, lambda: moments.append(("c", clock.now())))
    clock.later(1, lambda: moments.append(("a", clock.now())))
    clock.later(1, lambda: clock.later(1, lambda: moments.append(("b", clock.now()))))
    clock.later(9, lambda: moments.append(("never", clock.now())))
    clock.later(2, lambda: moments.append(("cancelled", clock.now()))).cancel()
    clock.advance(4)
    assert moments == [("a", 1), ("b", 2), ("c", 3)]
    assert clock.now() == 4


def test_every() -> None:
    clock = FakeClock(start=0)
    moments: list[float] = []
    timer = clock.every(2, lambda: moments.append(clock.now()))
    clock.advance(5)
    clock.advance(1)
    timer.cancel()
    clock.advance(10)
    assert moments == [2, 4, 6]


# --- messages ---


def test_a_message_as_a_person_would_write_it() -> None:
    query = make_query("WWW.example.org.", "MX", client="2001:db8::1", port=5, transport="tcp", edns=1232, do=True)
    assert (query.name, query.qtype, query.id) == ("www.example.org.", codes.MX, 4660)
    assert query.client == Address.of("2001:db8::1", 5)
    assert query.edns == Edns(1232, 0, 0x8000)
    assert query.endpoint.proto == "tcp"
    assert make_query(qtype="TYPE65280").qtype == 65280
    for wrong in ("a..b.", "x" * 64):
        with pytest.raises(ValueError, match="label"):
            message(wrong)


# --- a server and its clients ---

WHOAMI = ". {\n whoami\n}\n"


def test_running_and_ask() -> None:
    with Running(WHOAMI) as running:
        for transport in ("udp", "tcp"):
            for host in ("127.0.0.1", "::1"):
                assert str(running.ask(transport=transport, host=host).record.ar[0].rdata) == host
                assert ask(host, running.port, transport=transport).rcode == codes.NOERROR
        port = running.port
    with pytest.raises(ConnectionRefusedError):
        ask("127.0.0.1", port, transport="tcp")
    running.stop()  # once more does no harm


def test_a_bad_corefile_is_an_error_and_nothing_runs() -> None:
    with pytest.raises(ConfigError, match="Corefile:2:2: unknown directive"):
        Running(". {\n nonsense\n}\n")


def test_load_serves_another_corefile(serve: Serve) -> None:
    running = serve(WHOAMI)
    running.load("example.net {\n whoami\n}\n")
    assert running.ask().rcode == codes.REFUSED
    with pytest.raises(ConfigError):
        running.load("{")
    assert running.ask("example.net").rcode == codes.NOERROR


def test_call_runs_in_the_servers_thread(serve: Serve) -> None:
    running = serve(WHOAMI)
    assert running.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        running.call(lambda: 1 // 0)


def test_a_client_behind_a_proxy(serve: Serve) -> None:
    source, destination = Address.of("198.51.100.7", 4242), Address.of("192.0.2.53", 53)
    running = serve(". {\n proxyproto\n whoami\n}\n")
    for transport, header in ("udp", encode_v2(source, destination)), ("tcp", encode_v1(source, destination)):
        reply = running.ask(transport=transport, proxy=header)
        assert str(reply.record.ar[0].rdata) == "198.51.100.7"


def test_a_client_says_every_octet_and_hears_every_message(serve: Serve) -> None:
    with serve(WHOAMI).client("tcp") as client:
        client.send(frame(message(message_id=1)) + frame(message(message_id=2))[:9])
        assert client.receive().wire[:2] == b"\0\1"
        client.send(frame(message(message_id=2))[9:])
        assert client.receive().wire[:2] == b"\0\2"
        client.send_messages([message("a."), message("b.")])
        assert [client.receive().record.q.qname.idna() for _ in "ab"] == ["a.", "b."]


def test_a_client_notices_the_end(serve: Serve) -> None:
    running = serve(WHOAMI)
    with running.client("tcp") as client, running.client("tcp") as other:
        assert client.ask().rcode == other.ask().rcode == codes.NOERROR
        running.stop()
        with pytest.raises(EOFError):
            client.receive()
        assert other.ended()


def test_a_client_does_not_wait_for_ever(serve: Serve) -> None:
    with Client("127.0.0.1", serve(WHOAMI).port, timeout=0.001) as client, pytest.raises(TimeoutError):
        client.receive()
