"""What tests of abuse share: an upstream in the hands of the test, which lies as it likes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from corepy.testing.client import PATIENCE


class Upstream:
    """A UDP socket and a TCP listener on one port of loopback; the test itself receives and answers."""

    def __init__(self, stack: ExitStack) -> None:
        while True:
            self.tcp = socket.create_server(("127.0.0.1", 0))
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(self.tcp.getsockname())
                break
            except OSError:  # somebody else has the number for UDP: another one
                self.tcp.close()
                self.udp.close()
        for sock in (self.tcp, self.udp):
            sock.settimeout(PATIENCE)
            stack.enter_context(sock)
        self.name = "{}:{}".format(*self.tcp.getsockname())
        self._stack = stack

    def asked(self) -> tuple[bytes, tuple[str, int]]:
        """The next question over UDP, and where it came from."""
        return self.udp.recvfrom(65535)

    def asked_often(self, seconds: float) -> int:
        """How many questions are there until none comes for so long."""
        self.udp.settimeout(seconds)
        count = 0
        while True:
            try:
                self.udp.recv(65535)
            except TimeoutError:
                self.udp.settimeout(PATIENCE)
                return count
            count += 1

    def say(self, wire: bytes, peer: tuple[str, int]) -> None:
        """One datagram."""
        self.udp.sendto(wire, peer)

    def accepted(self) -> socket.socket:
        """The next connection."""
        sock, _ = self.tcp.accept()
        sock.settimeout(PATIENCE)
        return self._stack.enter_context(sock)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with ExitStack() as stack:
        yield Upstream(stack)
