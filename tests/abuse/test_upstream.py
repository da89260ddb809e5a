"""Upstreams that lie, and people who pretend to be them.

That ids and ports cannot be guessed and are spread over 1,500 sockets is shown by tests/test_upstream.py
(`test_ids_and_ports_spread`, `test_tokens_are_used_once`), dead and silent upstreams by tests/plugins/test_forward.py.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy import wire as w
from corepy.stream import frame
from corepy.testing import Client, FakeUpstreams, Running, message
from corepy.upstream.pool import REFUSED, STRAYS

if TYPE_CHECKING:
    from tests.abuse.conftest import Upstream
    from tests.conftest import Serve

TRUE, FALSE = bytes((192, 0, 2, 7)), bytes((203, 0, 113, 66))
QUESTION = message()[12:]


def answer(asked: bytes, address: bytes = TRUE, *, question: bytes = b"", ttl: int = 60, flags: int = 0) -> bytes:
    """A reply to a question, with one address."""
    head = asked[:2] + w.HEADER.pack(0, w.QR | w.RD | w.RA | flags, 1, 1, 0, 0)[2:]
    return head + (question or QUESTION) + b"\xc0\x0c\0\1\0\1" + ttl.to_bytes(4, "big") + b"\0\4" + address


def other_id(asked: bytes) -> bytes:
    return bytes((asked[0] ^ 0x55, asked[1])) + asked[2:]


def compression_loop(asked: bytes) -> bytes:
    wire = answer(asked, FALSE)
    at = 12 + len(QUESTION)
    return wire[:at] + bytes((0xC0, at)) + wire[at + 2 :]


LIES: dict[str, Callable[[bytes], bytes]] = {
    "another id": lambda asked: answer(other_id(asked), FALSE),
    "another name": lambda asked: answer(asked, FALSE, question=message("example.net.")[12:]),
    "a longer name": lambda asked: answer(asked, FALSE, question=message("www.example.org.")[12:]),
    "another type": lambda asked: answer(asked, FALSE, question=message(qtype="AAAA")[12:]),
    "another class": lambda asked: answer(asked, FALSE, question=message(qclass=3)[12:]),
    "no response": lambda asked: asked[:2] + b"\1\0" + answer(asked, FALSE)[4:],
    "no question": lambda asked: asked[:2] + b"\x81\x80" + bytes(8),
    "two questions": lambda asked: asked[:2] + b"\x81\x80\0\2" + bytes(6) + QUESTION * 2,
    "the query itself": lambda asked: asked,
    "cut short": lambda asked: answer(asked, FALSE)[:-2],
    "more records than there are": lambda asked: answer(asked, FALSE)[:6] + b"\xff\xff" + answer(asked, FALSE)[8:],
    "names in a circle": compression_loop,
    "garbage": lambda asked: asked[:2] + bytes(range(200)),
    "a header alone": lambda asked: asked[:2] + b"\x81\x80" + bytes(7),
    "nothing": lambda _: b"",
}


@pytest.fixture
def running(serve: Serve, upstream: Upstream) -> Running:
    return serve(f". {{\n cache\n forward . {upstream.name}\n}}\n")


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_does_not_end_the_wait_for_the_truth(running: Running, upstream: Upstream, lie: str) -> None:
    """CVE-2023-28452, "TuDoor": the first bad message ended the query."""
    with running.client() as client:
        client.send(message())
        asked, peer = upstream.asked()
        for _ in range(3):
            upstream.say(LIES[lie](asked), peer)
        upstream.say(answer(asked), peer)
        assert client.receive().wire[-4:] == TRUE
        assert client.ask().wire[-4:] == TRUE  # nor is the lie kept


def test_who_is_not_the_upstream_is_not_heard(running: Running, upstream: Upstream) -> None:
    with running.client() as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        client.send(message())
        asked, peer = upstream.asked()
        forger.sendto(answer(asked, FALSE), peer)
        upstream.say(answer(asked), (peer[0], peer[1] ^ 1))  # and the truth at a port that nobody asked from
        upstream.say(answer(asked), peer)
        assert client.receive().wire[-4:] == TRUE


def test_what_is_no_reply_is_counted(running: Running, upstream: Upstream) -> None:
    with running.client() as client:
        client.send(message())
        asked, peer = upstream.asked()
        upstream.say(answer(asked, FALSE, question=message("example.net.")[12:]), peer)
        upstream.say(answer(asked), peer)
        assert client.receive()
    assert STRAYS.values["forward", upstream.name, "udp"] == 1


def test_equal_questions_do_not_multiply(running: Running, upstream: Upstream) -> None:
    """CVE-2023-30464: so many equal questions, so many chances for a forged answer."""
    with ExitStack() as stack:
        clients = [stack.enter_context(running.client()) for _ in range(200)]
        for number, client in enumerate(clients):
            client.send(message(message_id=number))
        asked, peer = upstream.asked()
        running.wait(_nothing())
        assert upstream.asked_often(0.1) <= 2
        upstream.say(answer(asked), peer)
        for number, client in enumerate(clients):
            assert client.receive().wire[:2] == number.to_bytes(2, "big")


async def _nothing() -> None:
    """A round of the server's loop."""


def test_a_truncated_reply_is_fetched_over_tcp_whatever_else_that_says(serve: Serve, upstream: Upstream) -> None:
    running = serve(f". {{\n forward . {upstream.name} {{\n prefer_udp\n }}\n}}\n")
    with running.client("tcp") as client:
        client.send_message(message())
        asked, peer = upstream.asked()
        upstream.say(answer(asked, flags=w.TC), peer)
        connection = upstream.accepted()
        asked = _read(connection)
        connection.sendall(frame(answer(other_id(asked), FALSE)) + frame(b"x") + frame(answer(asked)))
        assert client.receive().wire[-4:] == TRUE


@pytest.mark.parametrize("end", ["in a length", "in a message", "at once"])
def test_an_upstream_that_closes_in_the_middle_is_a_failure_and_the_next_one_is_asked(
    serve: Serve, upstream: Upstream, end: str
) -> None:
    running = serve(f". {{\n forward . {upstream.name} {{\n force_tcp\n max_fails 0\n }}\n}}\n")
    with running.client() as client:
        client.send(message())
        connection = upstream.accepted()
        asked = _read(connection)
        wire = frame(answer(asked))
        connection.sendall(wire[: {"in a length": 1, "in a message": 20, "at once": 0}[end]])
        connection.close()
        connection = upstream.accepted()
        connection.sendall(frame(answer(_read(connection))))
        assert client.receive().wire[-4:] == TRUE


def _read(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.read(int.from_bytes(stream.read(2), "big"))


# --- the cache ---


@pytest.mark.parametrize(("told", "kept"), [(0x7FFFFFFF, 3600), (0xFFFFFFFF, 3600), (86_400, 3600), (60, 60)])
def test_no_ttl_pins_a_lie(running: Running, upstream: Upstream, told: int, kept: int) -> None:
    """GO-2025-3942: what an upstream says of its time is bounded by our own."""
    with running.client() as client:
        client.send(message())
        asked, peer = upstream.asked()
        upstream.say(answer(asked, ttl=told), peer)
        client.receive()
        ttl = client.ask().record.rr[0].ttl
        assert kept - 2 <= ttl <= kept or (told > 0x7FFFFFFF and ttl == 0)


def test_what_comes_along_is_not_kept_for_its_own_name() -> None:
    with FakeUpstreams() as upstreams, Running(". {\n cache\n forward . 192.0.2.53\n}\n") as running:
        far = upstreams["192.0.2.53"]
        far.answer("www.example.org. 300 IN CNAME bank.example.", "bank.example. 300 IN A 203.0.113.66", once=True)
        far.answer("bank.example. 300 IN A 192.0.2.7")
        assert running.ask("www.example.org.").record.rr[1].rdata
        assert str(running.ask("bank.example.").record.rr[0].rdata) == "192.0.2.7"


def test_each_kind_of_question_has_an_answer_of_its_own() -> None:
    """CVE-2024-0874, and the class (CoreDNS #8272): a cache that knows too little of the question."""
    kinds = [{}, {"edns": 1232, "do": True}, {"flags": w.RD | w.CD}, {"qclass": 3}, {"qtype": "AAAA"}]
    with FakeUpstreams() as upstreams, Running(". {\n cache\n forward . 192.0.2.53\n}\n") as running:
        far = upstreams["192.0.2.53"]
        for number in range(len(kinds)):
            far.answer(f"example.org. 300 IN TXT {number}", once=True)
        for kind in kinds:
            running.ask(**kind)  # type: ignore[arg-type]  # options of several types
        assert len(far.asked) == len(kinds)


def test_views_have_caches_of_their_own() -> None:
    text = (
        ". {\n view near {\n expr incidr(client_ip(), '127.0.0.2/32')\n }\n cache\n forward . 192.0.2.1\n}\n"
        ". {\n cache\n forward . 192.0.2.2\n}\n"
    )
    with FakeUpstreams() as upstreams, Running(text) as running:
        upstreams["192.0.2.1"].answer("example.org. 300 IN A 10.0.0.1")
        upstreams["192.0.2.2"].answer("example.org. 300 IN A 192.0.2.7")
        for _ in range(2):
            with Client("127.0.0.1", running.port, source="127.0.0.2") as inside, running.client() as outside:
                assert inside.ask().wire[-4:] == bytes((10, 0, 0, 1))
                assert outside.ask().wire[-4:] == TRUE


# --- bounds ---


def test_one_upstream_owes_so_many_replies_and_no_more(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, upstream: Upstream
) -> None:
    monkeypatch.setattr("corepy.upstream.datagram.MAX_PENDING", 5)
    running = serve(f". {{\n forward . {upstream.name} {{\n max_fails 0\n }}\n}}\n")
    with running.client() as client:
        for number in range(8):
            client.send(message(f"{number}.example."))
        heard = [client.receive().rcode for _ in range(3)]
        assert heard == [codes.SERVFAIL] * 3
        for _ in range(5):
            asked, peer = upstream.asked()
            upstream.say(answer(asked, question=asked[12:]), peer)
        assert [client.receive().rcode for _ in range(5)] == [codes.NOERROR] * 5
    assert REFUSED.values["forward", upstream.name, "udp"] >= 3
