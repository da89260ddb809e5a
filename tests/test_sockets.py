"""corepy.sockets: what is bound for an address, and that nothing is left of what cannot be had."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from corepy import datagram, stream
from corepy.errors import ConfigError, Position
from corepy.site import Bind
from corepy.sockets import close_all, deal, inherit, open_sockets


@pytest.mark.parametrize(("host", "families"), [("", 2), ("127.0.0.1", 1), ("::1", 1)])
def test_a_set_is_udp_and_tcp_of_one_number(host: str, families: int) -> None:
    sets = open_sockets(Bind("dns", host, 0), 3)
    try:
        assert len(sets) == 3
        for each in sets:
            assert [sock.type for sock in each] == [socket.SOCK_DGRAM, socket.SOCK_STREAM] * families
        assert len({sock.getsockname()[1] for each in sets for sock in each}) == 1
    finally:
        close_all(sock for each in sets for sock in each)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_addresses_of_one_family_or_of_both(host: str) -> None:
    for both in (False, True):
        [each] = open_sockets(Bind("dns", host, 0, both=both))
        hosts = {sock.getsockname()[0] for sock in each}
        close_all(each)
        assert hosts == ({"0.0.0.0", "::"} if both else {host})


def test_an_address_in_use_is_an_error_with_its_place(free_port: Callable[[], int]) -> None:
    port = free_port()
    at = Position("Corefile", 3, 1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        with pytest.raises(ConfigError, match=rf"Corefile:3:1: cannot listen on dns://:{port}: address already in use"):
            open_sockets(Bind("dns", "", port, at), 2)
    close_all(open_sockets(Bind("dns", "", port))[0])   # nothing of the failure is left


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot assign requested address"):
        open_sockets(Bind("dns", "192.0.2.1", 0))


def test_a_socket_that_was_given_is_used_once(free_port: Callable[[], int]) -> None:
    port = free_port()
    given = [datagram.bind("127.0.0.1", port), stream.listen("127.0.0.1", port)]
    inherit(given)
    first, second = (open_sockets(Bind("dns", "127.0.0.1", port))[0] for _ in range(2))
    assert first == given
    assert not {sock.fileno() for sock in second} & {sock.fileno() for sock in given}
    close_all([*first, *second])


# --- who gets what ---


def shares(peers: int, sets: int, *, peers_stay: bool) -> list[int]:
    """How many datagrams each set of sockets gets, of 400 that so many peers send."""
    opened = open_sockets(Bind("dns", "127.0.0.1", 0), sets)
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(peers)]
    try:
        deal(opened, peers_stay=False)
        deal(opened, peers_stay=peers_stay)
        for number in range(400):
            clients[number % peers].sendto(b"x", opened[0][0].getsockname())
        return [received(each[0]) for each in opened]
    finally:
        close_all([*clients, *(sock for each in opened for sock in each)])


def received(sock: socket.socket) -> int:
    count = 0
    with suppress(BlockingIOError):
        while sock.recv(16):
            count += 1
    return count


@pytest.mark.parametrize("sets", [2, 3])
def test_datagrams_of_one_peer_are_dealt_to_all(sets: int) -> None:
    found = shares(1, sets, peers_stay=False)
    assert sum(found) == 400
    assert min(found) > 70   # by chance below that less than once in 10^7 runs


def test_peers_stay_where_they_are_remembered() -> None:
    assert sorted(shares(1, 2, peers_stay=True)) == [0, 400]


def test_one_set_needs_no_dealing() -> None:
    assert shares(3, 1, peers_stay=False) == [400]
