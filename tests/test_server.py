"""The server with real sockets: it answers, reloads under its clients, survives its plugins, and ends without loss."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.errors import ConfigError
from corepy.plugin import Deferred, Outcome, Plugin, Query, Reply
from corepy.proxyproto import encode_v1, encode_v2
from corepy.stream import frame
from corepy.testing import Client, FakeClock, Running, ask, message
from corepy.testing.held import Held, held

if TYPE_CHECKING:
    from tests.conftest import Serve

Add = Callable[..., None]

_PRIVATE = 65280
"""The first type for private use."""
WHOAMI = ". {\n whoami\n}\n"
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


def everywhere(port: int) -> list[tuple[str, int, str]]:
    return [(host, port, transport) for host in ("127.0.0.1", "::1") for transport in ("udp", "tcp")]


def named(zone: str, rcode: int) -> type[Plugin]:
    """A plugin that answers for one zone with an rcode, so that a reply tells which block it came from."""

    class Named(Plugin):
        def serve(self, query: Query) -> Outcome:
            assert zone in query.name
            return Reply.failed(query, rcode)

    return Named


# --- answers ---


def test_it_answers_over_udp_and_tcp_ipv4_and_ipv6(serve: Serve) -> None:
    running = serve(WHOAMI)
    for host, port, transport in everywhere(running.port):
        with Client(host, port, transport) as client:
            record = client.ask().record
            address, service = record.ar
            assert str(address.rdata) == host
            assert service.rdata.port == client.address.port
            assert str(service.rname).startswith(f"_{transport}.")


def test_a_wildcard_socket_answers_from_the_address_that_was_asked(serve: Serve) -> None:
    # A connected socket hears nothing from any other address.
    assert serve(WHOAMI).ask(host="127.9.9.9").rcode == codes.NOERROR


def test_a_wildcard_socket_answers_a_proxy_from_the_address_that_was_asked(serve: Serve) -> None:
    header = encode_v2(Address.of("198.51.100.7", 4242), Address.of("192.0.2.53", 53))
    running = serve(". {\n proxyproto {\n allow 127.0.0.0/8\n }\n whoami\n}\n")
    reply = running.ask(host="127.9.9.9", proxy=header)
    assert str(reply.record.ar[0].rdata) == "198.51.100.7"


def test_replies_go_to_the_peer_while_plugins_see_the_client(serve: Serve) -> None:
    client, proxy = Address.of("2001:db8::7", 4242), Address.of("2001:db8::53", 53)
    running = serve(". {\n proxyproto {\n allow 127.0.0.0/8\n }\n whoami\n}\n")
    for transport, header in ("udp", encode_v2(client, proxy)), ("tcp", encode_v1(client, proxy)):
        reply = running.ask(transport=transport, proxy=header)
        assert [str(record.rdata) for record in reply.record.ar] == ["2001:db8::7", "0 0 4242 ."]


@BOTH
def test_blocks_share_a_port_and_the_longest_zone_answers(serve: Serve, directives: Add, transport: str) -> None:
    directives(outer=named("example.org.", 1), inner=named("a.example.org.", 2))
    running = serve("example.org {\n outer\n}\na.example.org {\n inner\n}\n")
    asked = {"example.org": 1, "b.example.org": 1, "xa.example.org": 1, "a.example.org": 2, "b.A.Example.ORG": 2}
    asked |= {"example.net": codes.REFUSED, ".": codes.REFUSED, "org": codes.REFUSED}
    assert {name: running.ask(name, transport=transport).rcode for name in asked} == asked


def test_ds_questions_go_to_the_parent_side(serve: Serve, directives: Add) -> None:
    directives(outer=named("example.org.", 1), inner=named("a.example.org.", 2))
    running = serve("example.org {\n outer\n}\na.example.org {\n inner\n}\n")
    assert running.ask("a.example.org", "DS").rcode == 1
    assert running.ask("a.example.org", "NS").rcode == 2


def test_one_block_on_several_ports(serve: Serve, free_port: Callable[[], int]) -> None:
    one, two = free_port(), free_port()
    serve(f"example.org:{one} example.net:{two} {{\n whoami\n}}\n")
    assert ask("127.0.0.1", one, "example.org").rcode == codes.NOERROR
    assert ask("127.0.0.1", two, "example.org").rcode == codes.REFUSED
    assert ask("127.0.0.1", two, "example.net", transport="tcp").rcode == codes.NOERROR


def test_a_block_without_plugins_refuses(serve: Serve) -> None:
    assert serve("example.org {\n}\n").ask().rcode == codes.REFUSED


def test_the_case_of_a_name_comes_back(serve: Serve) -> None:
    assert b"\3wWw\7eXample\3Org\0" in serve(WHOAMI).ask("wWw.eXample.Org").wire


class Long(Plugin):
    """Answers with more than fits into a small datagram."""

    def serve(self, query: Query) -> Outcome:
        record = b"\xc0\x0c" + w.RECORD.pack(codes.A, codes.IN, 60, 4) + bytes(4)
        return Reply.build(query, counts=(100, 0, 0), body=record * 100)


def test_what_is_too_long_for_a_datagram_is_truncated_and_comes_whole_over_tcp(serve: Serve, directives: Add) -> None:
    directives(long=Long)
    running = serve(". {\n long\n}\n")
    short, wide, stream = running.ask(), running.ask(edns=4096), running.ask(transport="tcp")
    assert short.flags & w.TC
    assert len(short.wire) <= 512
    assert not (wide.flags | stream.flags) & w.TC
    assert len(wide.record.rr) == len(stream.record.rr) == 100


def test_queries_larger_than_512_octets_are_answered_behind_a_proxy(serve: Serve) -> None:
    padding = b"\0\x0c" + (1200).to_bytes(2, "big") + bytes(1200)
    source, destination = Address.of("198.51.100.7", 4242), Address.of("192.0.2.53", 53)
    header = encode_v2(source, destination, tlvs=b"\x04\x01\x00" + bytes(256))
    reply = serve(". {\n proxyproto\n whoami\n}\n").ask(proxy=header, edns=4096, options=padding)
    assert str(reply.record.ar[0].rdata) == "198.51.100.7"


# --- plugins that misbehave ---


class Bug(Plugin):
    """Raises in all the ways there are."""

    def serve(self, query: Query) -> Outcome:
        way = query.name.partition(".")[0]
        if way == "coroutine":
            return self._later()
        if way == "deferred":
            deferred = Deferred()
            asyncio.get_running_loop().call_soon(deferred.settle, LookupError("deferred"))
            return deferred
        if way == "nothing":
            return None  # type: ignore[return-value]  # the mistake is the point
        if way in ("unpackable", "unpackable-later"):
            reply = Reply.refused(query).edit()
            reply.record.rr.append(object())  # what is no record cannot be packed
            return reply if way == "unpackable" else self._after(reply)
        if way == "garbage":
            return Reply(b"garbage")
        raise LookupError("at once")

    async def _later(self) -> Reply:
        await asyncio.sleep(0)
        raise LookupError("coroutine")

    async def _after(self, reply: Reply) -> Reply:
        await asyncio.sleep(0)
        return reply


@BOTH
@pytest.mark.parametrize("way", ["once", "coroutine", "deferred", "nothing", "unpackable", "unpackable-later"])
def test_a_plugin_that_raises_gives_servfail_and_one_traceback(
    serve: Serve, directives: Add, transport: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    directives(bug=Bug)
    running = serve(". {\n bug\n}\n")
    for _ in range(3):
        reply = running.ask(f"{way}.example.", transport=transport)
        assert reply.rcode == codes.SERVFAIL
        assert reply.wire[:2] == message()[:2]
    out = capsys.readouterr().out
    assert out.count("[ERROR] a plugin failed on") == 1
    # An exception that was handed on and never raised has no traceback to show.
    assert out.count("Traceback") == (way != "deferred")


def test_a_raising_plugin_does_not_cost_others_of_its_batch_their_replies(serve: Serve, directives: Add) -> None:
    directives(bug=Bug)
    running = serve("bug. {\n bug\n}\n. {\n whoami\n}\n")
    with running.client() as client:
        names = ["a.", "unpackable.bug.", "b.", "once.bug.", "c."]
        wires = [message(name, message_id=number) for number, name in enumerate(names)]
        running.call(lambda: client.send_messages(wires))  # so the server finds them all at once
        replies = [client.receive() for _ in names]
    assert [int.from_bytes(reply.wire[:2], "big") for reply in replies] == [0, 1, 2, 3, 4]
    assert [reply.rcode for reply in replies] == [0, 2, 0, 2, 0]


# --- reload ---


def test_a_reload_keeps_the_sockets_and_changes_what_is_served(serve: Serve) -> None:
    running = serve(WHOAMI)
    port = running.port
    with running.client() as udp, running.client("tcp") as tcp:
        assert udp.ask().rcode == tcp.ask().rcode == codes.NOERROR
        running.load("example.net {\n whoami\n}\n")
        assert running.port == port
        assert udp.ask().rcode == tcp.ask().rcode == codes.REFUSED
        assert udp.ask("example.net").rcode == tcp.ask("example.net").rcode == codes.NOERROR


def test_a_reload_loses_no_query(serve: Serve) -> None:
    running = serve(WHOAMI)
    enough = False

    def keep_asking(transport: str) -> int:
        count = 0
        with running.client(transport) as client:
            while not enough:
                assert client.ask().rcode == codes.NOERROR
                count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking, transport) for transport in ("udp", "tcp", "udp", "tcp")]
        for _ in range(20):
            running.load(WHOAMI)
        enough = True
        assert all(future.result() for future in asking)


def test_a_reload_opens_new_ports_and_closes_those_no_longer_asked_for(
    serve: Serve, free_port: Callable[[], int]
) -> None:
    one, two = free_port(), free_port()
    running = serve(f".:{one} {{\n whoami\n}}\n")
    running.load(f".:{two} {{\n whoami\n}}\n")
    assert ask("127.0.0.1", two).rcode == codes.NOERROR
    assert ask("::1", two, transport="tcp").rcode == codes.NOERROR
    with pytest.raises(ConnectionRefusedError):
        ask("127.0.0.1", one)
    with pytest.raises(ConnectionRefusedError):
        ask("::1", one, transport="tcp")


def test_a_reload_may_move_from_all_addresses_of_a_port_to_one_and_back(
    serve: Serve, free_port: Callable[[], int]
) -> None:
    port = free_port()
    every, one = f".:{port} {{\n whoami\n}}\n", f".:{port} {{\n bind 127.0.0.1\n whoami\n}}\n"
    running = serve(every)
    for text in (one, every, one):
        running.load(text)
        for transport in ("udp", "tcp"):
            assert ask("127.0.0.1", port, transport=transport).rcode == codes.NOERROR
    with pytest.raises(ConnectionRefusedError):
        ask("::1", port, transport="tcp")


def test_what_is_on_its_way_during_a_reload_is_answered_before_plugins_stop(serve: Serve, directives: Add) -> None:
    stopped: list[int] = []

    class Watched(Held):
        def stop(self) -> None:
            stopped.append(len(Held.waiting))

    directives(held=Watched)
    Held.waiting = []
    running = serve(". {\n held\n}\n")
    Watched.waiting = Held.waiting
    with running.client() as udp, running.client("tcp") as tcp, ThreadPoolExecutor(1) as pool:
        udp.send_message(message("later."))
        tcp.send_message(message("later."))
        held(running, 2)
        loading = pool.submit(running.load, WHOAMI)
        while running.ask().rcode != codes.NOERROR:  # the new one serves while the old one still has work
            pass
        assert not stopped
        running.call(Watched.release)
        loading.result()
        assert udp.receive().rcode == tcp.receive().rcode == codes.NXDOMAIN
    assert stopped == [0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (". {\n nonsense\n}\n", "unknown directive"),
        (". {\n fails\n}\n", "plugin/fails.*no such luck"),
        (".:{taken} {{\n whoami\n}}\n", "Corefile:1:1: cannot listen on dns://:{taken}: address already in use"),
        (". {\n whoami extra\n}\n", "Corefile:2:9"),
    ],
)
def test_a_reload_that_fails_changes_nothing(
    serve: Serve, directives: Add, free_port: Callable[[], int], text: str, error: str
) -> None:
    class Fails(Plugin):
        def start(self) -> None:
            raise OSError("no such luck")

        serve = named("", 0).serve

    directives(fails=Fails)
    running = serve(WHOAMI)
    port, taken = running.port, free_port()
    with socket.socket() as other:
        other.bind(("0.0.0.0", taken))
        if "{taken}" in text:
            text, error = text.format(taken=taken), error.format(taken=taken)
        with pytest.raises(ConfigError, match=error):
            running.load(text)
    assert running.port == port
    for host, number, transport in everywhere(port):
        assert ask(host, number, transport=transport).rcode == codes.NOERROR


def test_plugins_start_in_order_and_those_that_did_are_stopped_where_one_fails(directives: Add) -> None:
    events: list[str] = []

    def eventful(name: str, *, fails: bool = False, late: bool = False) -> type[Plugin]:
        async def soon() -> None:
            await asyncio.sleep(0)
            events.append(f"{name} started")

        class Eventful(Plugin):
            before = "whoami"

            def start(self) -> Awaitable[None] | None:
                if fails:
                    raise ValueError("not today")
                if late:
                    return soon()
                events.append(f"{name} started")
                return None

            async def stop(self) -> None:
                events.append(f"{name} stopped")

        return Eventful

    directives(a=eventful("a", late=True), b=eventful("b"), c=eventful("c", fails=True), d=eventful("d"))
    with pytest.raises(ConfigError, match=r"plugin/c.*not today"):
        Running(". {\n a\n b\n c\n d\n whoami\n}\n")
    assert events[:2] == ["a started", "b started"]
    assert set(events[2:]) >= {"a stopped", "b stopped"}
    assert "d stopped" not in events


def test_a_plugin_that_does_not_stop_cleanly_keeps_nothing_up(
    serve: Serve, directives: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stubborn(Plugin):
        def stop(self) -> None:
            raise ValueError("never")

    directives(stubborn=Stubborn)
    running = serve(". {\n stubborn\n}\n")
    running.stop()
    assert "plugin/stubborn: ValueError('never') while it stopped" in capsys.readouterr().out


# --- start and stop ---


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def test_a_port_in_use_is_an_error_with_its_place(
    free_port: Callable[[], int], kind: socket.SocketKind, family: socket.AddressFamily
) -> None:
    port = free_port()
    with socket.socket(family, kind) as other:
        if family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("" if family == socket.AF_INET else "::", port))
        with pytest.raises(ConfigError) as caught:
            Running(f"# first\n  .:{port} {{\n whoami\n}}\n")
    assert str(caught.value) == f"Corefile:2:3: cannot listen on dns://:{port}: address already in use"
    with Running(f".:{port} {{\n whoami\n}}\n") as running:  # all was given back
        assert running.ask().rcode == codes.NOERROR


def test_on_stop_what_has_been_accepted_is_answered(serve: Serve, directives: Add) -> None:
    directives(held=Held)
    running = serve(". {\n held\n}\n")
    with running.client() as udp, running.client("tcp") as tcp, ThreadPoolExecutor(1) as pool:
        for client in (udp, tcp):
            for name in ("later.", "later.still."):
                client.send_message(message(name))
        held(running, 4)
        stopping = pool.submit(running.stop)
        until_refused(tcp)
        running.call(Held.release)
        stopping.result()
        assert [udp.receive().rcode for _ in range(2)] == [codes.NXDOMAIN] * 2
        assert [tcp.receive().rcode for _ in range(2)] == [codes.NXDOMAIN] * 2
        assert tcp.ended()


def until_refused(client: Client) -> None:
    """Wait until the server of this client takes no further connections: it has begun to stop."""
    host, port, *_ = client.socket.getpeername()
    while True:
        try:
            Client(host, port, "tcp").close()
        except ConnectionResetError:  # it stopped while this one was made
            continue
        except ConnectionRefusedError:
            return


def test_on_stop_datagrams_that_have_arrived_are_answered(serve: Serve) -> None:
    running = serve(WHOAMI)
    with running.client() as client:

        async def send_and_stop() -> None:
            for number in range(200):
                client.send(message(message_id=number))
            await running.server.stop()

        running.wait(send_and_stop())
        assert {client.receive().wire[:2] for _ in range(200)} == {number.to_bytes(2, "big") for number in range(200)}


def test_a_flood_does_not_keep_the_server_from_stopping(serve: Serve, directives: Add) -> None:
    """Datagrams that come faster than they are answered: each answer brings two more."""

    class Fed(Plugin):
        client: Client

        def serve(self, query: Query) -> Outcome:
            self.client.send(query.wire)
            self.client.send(query.wire)
            return Reply.SILENCE

    directives(fed=Fed)
    running = serve(". {\n fed\n}\n")
    with running.client() as client:
        Fed.client = client

        async def send_and_stop() -> None:
            client.send(message())
            await running.server.stop()

        running.wait(send_and_stop())


def test_a_reply_that_is_longer_than_the_socket_takes_at_once_is_sent_before_the_end(
    serve: Serve, directives: Add
) -> None:
    class Huge(Plugin):
        def serve(self, query: Query) -> Outcome:
            record = b"\xc0\x0c" + w.RECORD.pack(_PRIVATE, codes.IN, 0, 60000) + bytes(60000)
            return Reply.build(query, counts=(1, 0, 0), body=record)

    directives(huge=Huge)
    running = serve(". {\n huge\n}\n", clock=FakeClock())  # time does not run out
    count = 150  # 9 MB: more than the buffers of both ends hold
    with running.client("tcp") as client, ThreadPoolExecutor(1) as pool:
        client.send(frame(message()) * count)
        assert len(client.receive().wire) > 60000
        stopping = pool.submit(running.stop)
        until_refused(client)
        for _ in range(count - 1):
            assert len(client.receive().wire) > 60000
        assert client.ended()
        stopping.result()
