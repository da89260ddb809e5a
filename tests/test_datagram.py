"""UDP sockets of both kinds, through one suite."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator

import pytest

from corepy.address import Address
from corepy.datagram import BATCH, BatchSocket, Datagram, DatagramSocket, SingleSocket, bind, open_datagram
from corepy.testing import Client

Open = Callable[[str], DatagramSocket]
HOSTS = {"0.0.0.0": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::": "::1", "::1": "::1"}
"""What to bind to, and where to reach it."""


@pytest.fixture(params=[BatchSocket, SingleSocket])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open a socket of the kind under test; closed with the test."""
    sockets: list[DatagramSocket] = []

    def start(host: str) -> DatagramSocket:
        sockets.append(request.param(bind(host, 0)))
        return sockets[-1]

    yield start
    for each in sockets:
        each.close()


@pytest.fixture(params=HOSTS)
def pair(request: pytest.FixtureRequest, opened: Open) -> Iterator[tuple[DatagramSocket, Client]]:
    """A server's socket and a client of it."""
    server = opened(request.param)
    with Client(HOSTS[request.param], server.address.port) as client:
        yield server, client


def wait(server: DatagramSocket) -> None:
    assert select.select([server], [], [], 20)[0]


def receive(server: DatagramSocket, count: int) -> list[Datagram]:
    received: list[Datagram] = []
    while len(received) < count:
        wait(server)
        received += server.receive()
    return received


Pair = tuple[DatagramSocket, Client]


def test_there_and_back(pair: Pair) -> None:
    server, client = pair
    client.send(b"question")
    [(wire, peer, local)] = receive(server, 1)
    assert wire == b"question"
    assert Address.from_sockaddr(peer) == client.address
    assert local == (client.address.packed if server.wildcard else b"")
    server.put((b"answer", peer, local))
    server.flush()
    assert client.socket.recv(100) == b"answer"
    assert server.unsent == 0


def test_nothing_waits_where_nothing_came(pair: Pair) -> None:
    server, _ = pair
    assert server.receive() == []
    server.flush()


@pytest.mark.parametrize("size", [0, 1, 512, 513, 9000, 65000])
def test_datagrams_of_any_size(pair: Pair, size: int) -> None:
    server, client = pair
    payload = bytes(range(256)) * 256
    client.send(payload[:size])
    [(wire, peer, local)] = receive(server, 1)
    assert wire == payload[:size]
    server.put((wire, peer, local))
    server.flush()
    assert client.socket.recv(65536) == payload[:size]


def test_short_ones_behind_long_ones_have_nothing_of_them(pair: Pair) -> None:
    server, client = pair
    for octets in (b"long" * 1000, b"short", b"", b"x" * 300):
        client.send(octets)
        [(wire, peer, local)] = receive(server, 1)
        assert wire == octets
        server.put((wire, peer, local))
        server.flush()
        assert client.socket.recv(65536) == octets


def test_more_than_a_batch(pair: Pair) -> None:
    server, client = pair
    sent = [b"%d" % number for number in range(3 * BATCH + 1)]
    got = []
    for start in range(0, len(sent), BATCH):  # no more than a receive buffer holds
        some = sent[start : start + BATCH]
        for octets in some:
            client.send(octets)
        got += receive(server, len(some))
    assert [wire for wire, _, _ in got] == sent
    for datagram in got:
        server.put(datagram)
    server.flush()
    assert [client.socket.recv(100) for _ in sent] == sent
    server.flush()
    assert server.unsent == 0


def test_a_batch_is_the_most_that_comes_at_once(pair: Pair) -> None:
    server, client = pair
    for _ in range(BATCH + 1):
        client.send(b"x")
    wait(server)
    assert [len(server.receive()), len(server.receive()), len(server.receive())] == [BATCH, 1, 0]


def test_each_reply_goes_to_its_own_peer(opened: Open) -> None:
    server = opened("::")
    clients = [Client("::1", server.address.port) for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
    for datagram in receive(server, 5):
        server.put(datagram)
    server.flush()
    for number, client in enumerate(clients):
        assert client.socket.recv(10) == b"%d" % number
        client.close()


def test_a_wildcard_socket_answers_from_the_address_that_was_asked(opened: Open) -> None:
    server = opened("0.0.0.0")
    clients = [Client(host, server.address.port) for host in ("127.9.9.9", "127.0.0.1", "127.1.2.3")]
    for client in clients:
        client.send(client.socket.getpeername()[0].encode())
    for wire, peer, local in receive(server, len(clients)):
        assert Address(local, 0).host == wire.decode()
        server.put((wire, peer, local))
    server.flush()
    for client in clients:  # each is connected, and so hears only from the address that it asked
        assert client.socket.recv(100).decode() == client.socket.getpeername()[0]
        client.close()


def test_what_cannot_be_sent_is_counted_and_stops_nothing(opened: Open) -> None:
    server = opened("127.0.0.1")
    with Client("127.0.0.1", server.address.port) as client:
        peer = client.address.to_sockaddr()
        nowhere = Address.of("255.255.255.255", 9).to_sockaddr()  # not without SO_BROADCAST
        for wire, to in (b"1", peer), (b"lost", nowhere), (b"2", peer), (bytes(65536), peer), (b"3", peer):
            server.put((wire, to, b""))
        server.flush()
        assert [client.socket.recv(10) for _ in range(3)] == [b"1", b"2", b"3"]
        assert server.unsent == 2


def test_a_peer_that_has_gone_away_disturbs_nobody(opened: Open) -> None:
    server = opened("127.0.0.1")
    with Client("127.0.0.1", server.address.port) as gone:
        peer = gone.address.to_sockaddr()
    with Client("127.0.0.1", server.address.port) as client:
        server.put((b"to nobody", peer, b""))
        server.flush()
        client.send(b"still there?")
        assert receive(server, 1)[0][0] == b"still there?"


def test_close_gives_the_port_back(opened: Open) -> None:
    server = opened("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", server.address.port))
        server.close()
        other.bind(("127.0.0.1", server.address.port))


def test_one_address_of_a_port_and_the_rest(opened: Open) -> None:
    every = opened("0.0.0.0")
    one = type(every)(bind("127.0.0.1", every.address.port))
    assert one.address.port == every.address.port
    one.close()


def test_all_ipv6_addresses_are_no_ipv4_ones(opened: Open) -> None:
    server = opened("::")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", server.address.port))


def test_what_is_no_address_cannot_be_bound(opened: Open) -> None:
    for host in ("example.org", "192.0.2.1"):
        with pytest.raises(OSError):  # noqa: PT011 - a name, an address that is not ours: the kernel's words
            opened(host)


def test_the_best_kind_is_chosen() -> None:
    chosen = open_datagram(bind("127.0.0.1", 0))
    assert isinstance(chosen, BatchSocket)
    chosen.close()
