"""PROXY headers from the wrong people, and the wrong headers from the right ones.

That replies go to the peer, whoever a header names, is shown by tests/test_server.py; sessions and drops one by one by
tests/test_door.py; every octet of a header by tests/test_proxyproto.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.address import Address
from corepy.door import DROPPED
from corepy.proxyproto import SIGNATURE, encode_v2
from corepy.testing import Client, FakeClock, Running, message

if TYPE_CHECKING:
    from tests.conftest import Serve

SERVER = Address.of("192.0.2.53", 53)
VICTIM = "198.51.100.7"
HEADER = encode_v2(Address.of(VICTIM, 4242), SERVER)
TRACKING = ". {{\n proxyproto {{\n allow 127.0.0.0/8\n udp_session_tracking 28s {room}\n }}\n whoami\n}}\n"


def client_of(wire: bytes) -> str:
    """Whom `whoami` saw."""
    return ".".join(map(str, wire[wire.index(b"\0\0\0\0\0\4") + 6 :][:4]))


def who(client: Client, header: bytes = b"") -> str:
    return client_of(client.ask(proxy=header).wire)


@pytest.fixture(scope="module")
def tracking() -> Iterator[Running]:
    with Running(TRACKING.format(room=16)) as running:
        yield running


def test_no_command_family_or_transport_does_harm(tracking: Running) -> None:
    """CVE-2026-62309: 28 octets whose transport is not UDP ended CoreDNS."""
    with tracking.client() as client:
        for command in (0x00, 0x01, 0x10, 0x11, 0x20, 0x21, 0x22, 0x2F, 0x30, 0xFF):
            for family in range(256):
                client.send(SIGNATURE + bytes((command, family, 0, 12)) + bytes(12))
            client.send(HEADER + message(message_id=4711))
            assert client_of(client.receive().wire) == VICTIM


def test_a_header_from_who_may_not_send_it_changes_nothing(serve: Serve) -> None:
    running = serve(
        ". {\n proxyproto {\n allow 127.0.0.2/32\n udp_session_tracking 28s\n }\n"
        f" acl {{\n allow net {VICTIM}/32\n block\n }}\n whoami\n}}\n"
    )
    with Client("127.0.0.1", running.port, source="127.0.0.2") as proxy, running.client() as forger:
        assert proxy.ask(proxy=HEADER).rcode == codes.NOERROR
        assert forger.ask(proxy=HEADER).rcode == codes.REFUSED
        forger.send(HEADER)
        assert forger.ask().rcode == codes.REFUSED  # nor has it a session now
        assert proxy.ask().rcode == codes.NOERROR  # while the proxy has


def test_the_port_of_a_proxy_that_is_given_to_another_client_is_that_clients_at_once(tracking: Running) -> None:
    with tracking.client() as client:
        assert who(client, HEADER) == VICTIM
        client.send(encode_v2(Address.of("203.0.113.9", 9), SERVER))
        assert who(client) == "203.0.113.9"


def test_a_header_that_is_replayed_from_elsewhere_is_the_session_of_that_place_alone(tracking: Running) -> None:
    with tracking.client() as client, tracking.client() as other:
        assert who(client, encode_v2(Address.of("203.0.113.9", 9), SERVER)) == "203.0.113.9"
        assert who(other, HEADER) == VICTIM
        assert who(client) == "203.0.113.9"
        assert who(other) == VICTIM


def test_where_a_header_is_required_nobody_is_the_proxy_itself(serve: Serve) -> None:
    clock = FakeClock()
    text = TRACKING.format(room=16).replace("allow", "require\n allow")
    running = serve(text, clock=clock)
    with running.client() as client:
        assert who(client, HEADER) == VICTIM
        assert who(client) == VICTIM
        running.call(lambda: clock.advance(29))
        client.send(message())  # whose session is over
        assert who(client, HEADER) == VICTIM
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)


def test_a_flood_of_sessions_leaves_the_newest_and_forgets_the_oldest(serve: Serve) -> None:
    running = serve(TRACKING.format(room=16))
    with ExitStack() as stack:
        clients = [stack.enter_context(running.client()) for _ in range(64)]
        for number, client in enumerate(clients):
            client.send(encode_v2(Address.of(f"203.0.113.{number}", 9), SERVER))
            if number == 40:
                assert who(client) == "203.0.113.40"
        assert [who(client) for client in clients[-16:]] == [f"203.0.113.{number}" for number in range(48, 64)]
        assert {who(client) for client in clients[:48]} == {"127.0.0.1"}


def test_sessions_hold_over_a_reload(serve: Serve) -> None:
    running = serve(TRACKING.format(room=16))
    with running.client() as client:
        assert who(client, HEADER) == VICTIM
        running.load(TRACKING.format(room=17))
        assert who(client) == VICTIM


def test_a_flood_of_malformed_headers_is_one_line_a_second_and_counted(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    running = serve(TRACKING.format(room=16), clock=clock)
    before = DROPPED.values.get(("transport",), 0)
    with running.client() as client:
        for _ in range(3):
            for _ in range(200):
                client.send(SIGNATURE + b"\x21\x11\0\x0c" + bytes(12))
            assert who(client, HEADER) == VICTIM
            running.call(lambda: clock.advance(1))
    running.stop()
    lines = [line for line in capsys.readouterr().out.splitlines() if "dropping" in line]
    assert len(lines) == 3
    assert DROPPED.values["transport",] - before == 600


@pytest.mark.parametrize("extra", [1239, 3000, 60000])
def test_headers_and_queries_of_any_size_are_served(tracking: Running, extra: int) -> None:
    value = bytes(extra)
    tlvs = b"\xe0" + len(value).to_bytes(2, "big") + value
    with tracking.client() as client:
        assert who(client, encode_v2(Address.of(VICTIM, 4242), SERVER, tlvs=tlvs)) == VICTIM
    option = b"\0\x0c" + min(extra, 3000).to_bytes(2, "big") + bytes(min(extra, 3000))
    with tracking.client() as client:
        assert client_of(client.ask(proxy=HEADER, edns=1232, options=option).wire) == VICTIM
