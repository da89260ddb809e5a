"""More than the server can do: what is lost is lost by rule and counted, and nothing is queued without limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.address import Address
from corepy.metrics import SETTLE, Counter
from corepy.ports import NOT_RECEIVED, NOT_SENT, PAUSES, DatagramPort, StreamPort
from corepy.testing import FakeUpstreams, Running, message

if TYPE_CHECKING:
    from tests.conftest import Serve

WHOAMI = ". {\n bind 127.0.0.1\n whoami\n}\n"


def counted(running: Running, counter: Counter) -> int:
    """All series of a counter together, as somebody who looks at the metrics finds them."""

    def look() -> int:
        for settle in SETTLE:
            settle()
        return sum(counter.values.values())

    return running.call(look)


def test_a_flood_while_the_server_is_busy_loses_the_newest_and_that_is_counted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corepy.datagram.RECEIVE_BUFFER", 20_000)
    running = serve(WHOAMI)
    before = counted(running, NOT_RECEIVED)
    with running.client() as client:

        def flood() -> None:
            """In the server's own thread, which cannot read meanwhile."""
            for number in range(1000):
                client.send(message(message_id=number))

        running.call(flood)
        heard = [client.receive().wire[:2]]
        lost = counted(running, NOT_RECEIVED) - before
        heard += [client.receive().wire[:2] for _ in range(999 - lost)]
        assert lost > 500
        assert heard == [number.to_bytes(2, "big") for number in range(1000 - lost)]
        assert client.ask().rcode == codes.NOERROR


def test_losses_live_through_the_end_of_a_port(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.datagram.RECEIVE_BUFFER", 20_000)
    running = serve(WHOAMI)
    before = sum(NOT_RECEIVED.values.values())
    with running.client() as client:

        def flood() -> None:
            for number in range(1000):
                client.send(message(message_id=number))

        running.call(flood)
        running.stop()
    assert sum(NOT_RECEIVED.values.values()) - before > 500


def test_replies_that_cannot_be_sent_are_counted(serve: Serve) -> None:
    running = serve(WHOAMI)
    before = counted(running, NOT_SENT)

    def send() -> None:
        [port] = [port for port in DatagramPort._open if port.address.port == running.port]
        port._socket.put((b"x", Address.of("127.0.0.1", 0).to_sockaddr(), b""))  # nobody has port 0
        port._flush()

    running.call(send)
    assert counted(running, NOT_SENT) - before == 1
    assert counted(running, NOT_SENT) - before == 1  # once each


def test_connections_that_cannot_be_taken_wait_and_that_is_counted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve(WHOAMI)
    before = counted(running, PAUSES)
    [port] = [one for some in running.server._ports.values() for one in some if isinstance(one, StreamPort)]

    class Full:
        """A listening socket in a process without descriptors."""

        fileno = port._socket.fileno

        @staticmethod
        def accept() -> None:
            raise OSError(24, "Too many open files")

    real = port._socket
    running.call(lambda: monkeypatch.setattr(port, "_socket", Full()))
    with running.client("tcp") as client:
        client.send_message(message())
        while counted(running, PAUSES) == before:
            pass
        running.call(lambda: monkeypatch.setattr(port, "_socket", real))
        assert client.receive().rcode == codes.NOERROR


def test_queries_that_wait_for_upstreams_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.plugins.forward.forward.MAX_CONCURRENT", 3)
    text = ". {\n forward . 192.0.2.53 {\n max_connect_attempts 1\n }\n}\n"
    with FakeUpstreams() as upstreams, Running(text) as running, running.client() as client:
        for number in range(5):
            client.send(message(f"{number}.example."))
        assert [client.receive().rcode for _ in range(2)] == [codes.REFUSED] * 2
        for asked in running.call(lambda: upstreams["192.0.2.53"].waiting):
            running.call(asked.fail)
        assert [client.receive().rcode for _ in range(3)] == [codes.SERVFAIL] * 3
