"""What a reload carries over: sessions, connections, what plugins keep, and from whom to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import pytest

from corepy import codes
from corepy.address import Address
from corepy.plugin import Outcome, Plugin, Query, Reply
from corepy.proxyproto import encode_v1, encode_v2
from corepy.stream import frame
from corepy.testing import Client, FakeClock, Running, message

if TYPE_CHECKING:
    from tests.conftest import Serve

Add = Callable[..., None]

CLIENT, PROXY = Address.of("198.51.100.7", 4242), Address.of("192.0.2.53", 53)
TRACKING = ". {{\n proxyproto {{\n udp_session_tracking {} {}\n allow {}\n }}\n whoami\n}}\n"


def client_of(reply: Reply) -> str:
    return str(reply.record.ar[0].rdata)


# --- sessions and connections ---


@pytest.fixture
def tracking(serve: Serve) -> tuple[Running, FakeClock]:
    clock = FakeClock()
    return serve(TRACKING.format("28s", "", "127.0.0.0/8"), clock=clock), clock


def test_a_session_holds_over_reloads_under_the_new_time_to_live(tracking: tuple[Running, FakeClock]) -> None:
    running, clock = tracking
    with running.client() as client:
        client.send(encode_v2(CLIENT, PROXY) + message())
        assert client_of(client.receive()) == CLIENT.host
        for _ in range(3):
            running.load(TRACKING.format("10s", "", "127.0.0.0/8"))
            assert client_of(client.ask()) == CLIENT.host
        running.call(lambda: clock.advance(10.5))
        assert client_of(client.ask()) == "127.0.0.1"


def test_a_smaller_table_forgets_the_oldest(tracking: tuple[Running, FakeClock]) -> None:
    running, _ = tracking
    with running.client() as old, running.client() as new:
        for client in old, new:
            client.send(encode_v2(CLIENT, PROXY) + message())
            assert client_of(client.receive()) == CLIENT.host
        running.load(TRACKING.format("28s", 1, "127.0.0.0/8"))
        assert client_of(old.ask()) == "127.0.0.1"
        assert client_of(new.ask()) == CLIENT.host


def test_who_is_no_longer_believed_has_no_session(tracking: tuple[Running, FakeClock]) -> None:
    running, _ = tracking
    with running.client() as client:
        client.send(encode_v2(CLIENT, PROXY) + message())
        assert client_of(client.receive()) == CLIENT.host
        running.load(TRACKING.format("28s", "", "192.0.2.0/24"))
        assert client_of(client.ask()) == "127.0.0.1"


def test_sessions_are_forgotten_where_nobody_tracks_them(tracking: tuple[Running, FakeClock]) -> None:
    running, _ = tracking
    with running.client() as client:
        client.send(encode_v2(CLIENT, PROXY) + message())
        assert client_of(client.receive()) == CLIENT.host
        for text in ". {\n whoami\n}\n", TRACKING.format("28s", "", "127.0.0.0/8"):
            running.load(text)
            assert client_of(client.ask()) == "127.0.0.1"


def test_a_connection_goes_on_where_it_was(serve: Serve) -> None:
    running = serve(". {\n proxyproto\n whoami\n}\n")
    whole = encode_v1(CLIENT, PROXY) + frame(message())
    for cut in 5, 30, len(whole) - 3:   # within the header, at its end or so, within the query
        with running.client("tcp") as client:
            client.send(whole[:cut])
            running.load(". {\n proxyproto\n whoami\n}\n")
            client.send(whole[cut:])
            assert client_of(client.receive()) == CLIENT.host


# --- plugins ---


class Keeps(Plugin):
    """Counts its queries, and those of its predecessors; tells of it in an rcode."""

    def __init__(self) -> None:
        self.count = 0

    def adopt(self, old: Self) -> None:
        self.count += old.count

    def serve(self, query: Query) -> Outcome:
        self.count += 1
        return Reply.failed(query, self.count)


class Other(Keeps):
    """Of another class than what stood there before."""


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        (". {\n keeps\n}", ". {\n keeps\n}", 2),
        (". {\n keeps\n}", ". {\n errors\n keeps\n}", 2),
        (". org {\n keeps\n}", "net . {\n keeps\n}", 2),
        (". {\n keeps\n}", ". {\n other\n}", 1),
        (". {\n keeps\n keeps\n}", ". {\n keeps\n}", 2),
        ("org {\n keeps\n}\n. {\n keeps\n}", ". {\n keeps\n}\norg {\n keeps\n}", 2),
        (". {\n keeps\n}", ". {\n bind 127.0.0.1\n keeps\n}", 1),
    ],
)
def test_a_plugin_follows_the_one_that_stood_in_its_place(
    serve: Serve, directives: Add, before: str, after: str, count: int
) -> None:
    directives(keeps=Keeps, other=Other)
    running = serve(before)
    assert running.ask("example.com").rcode == 1
    running.load(after)
    assert running.ask("example.com").rcode == count


def test_nobody_has_two_successors(serve: Serve, directives: Add) -> None:
    directives(keeps=Keeps)
    running = serve("org net {\n keeps\n}\n")
    assert running.ask("example.org").rcode == 1
    running.load("org {\n keeps\n}\nnet {\n keeps\n}\n")
    assert [running.ask(name).rcode for name in ("example.org", "example.net")] == [2, 1]


def test_a_plugin_that_fails_to_take_over_begins_anew(
    serve: Serve, directives: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    class Fails(Keeps):
        def adopt(self, old: Self) -> None:
            raise LookupError(old.count)

    directives(fails=Fails)
    running = serve(". {\n fails\n}\n")
    assert running.ask().rcode == 1
    running.load(". {\n fails\n}\n")
    assert running.ask().rcode == 1
    assert "[ERROR] plugin/fails: LookupError(1) while it took over" in capsys.readouterr().out


def test_an_abandoned_configuration_leaves_nothing_behind(
    serve: Serve, directives: Add, free_port: Callable[[], int]
) -> None:
    stopped: list[str] = []

    class Loud(Keeps):
        def stop(self) -> None:
            stopped.append(self.name)

    class Broken(Keeps):
        def start(self) -> None:
            raise OSError("no such luck")

    directives(loud=Loud, broken=Broken)
    running, other = serve(". {\n loud\n}\n"), free_port()
    assert running.ask().rcode == 1
    with pytest.raises(OSError, match="refused"), Client("127.0.0.1", other, "tcp"):
        pass
    with pytest.raises(Exception, match="no such luck"):
        running.load(f". {{\n loud\n}}\n.:{other} {{\n broken\n}}\n")
    assert stopped == ["loud"]
    with pytest.raises(OSError, match="refused"), Client("127.0.0.1", other, "tcp"):
        pass
    assert running.ask().rcode == 2 == codes.SERVFAIL
