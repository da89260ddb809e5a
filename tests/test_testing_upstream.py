"""Upstreams that exist in a test alone."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure
from corepy.testing import FakeClock, FakeUpstream, FakeUpstreams, Running, message
from corepy.upstream import Options, Target, Upstream, connect, read_targets

A, AAAA = "www.example.org. 60 IN A 192.0.2.7", "www.example.org. 60 IN AAAA 2001:db8::7"
[HERE] = read_targets("192.0.2.1")
FORWARD = ". {\nforward . 192.0.2.1 192.0.2.2 {\npolicy sequential\n}\n}"


class Waiting:
    """A waiter that writes down what it hears."""

    def __init__(self, due: float = float("inf")) -> None:
        self.due = due
        self.heard: list[bytes | str] = []

    def take(self, wire: bytes) -> bool:
        self.heard.append(wire)
        return True

    def failed(self, error: Failure) -> None:
        self.heard.append(str(error))


def connected(fake: FakeUpstream, clock: FakeClock) -> Upstream:
    assert isinstance(HERE, Target)
    return fake.connect(HERE, Options(), clock)


def test_answers() -> None:
    clock, fake, waiting = FakeClock(), FakeUpstream(), Waiting()
    connected(fake.answer(A, AAAA, truncated=True), clock).over_tcp(message("www.example.org."), waiting)
    assert waiting.heard == []  # who asks is through with asking first
    clock.advance(0)
    [reply] = waiting.heard
    assert isinstance(reply, bytes)
    flags, *counts = w.HEADER.unpack_from(reply)[1:]
    assert (flags, counts) == (w.QR | w.TC | w.RD | w.RA, [1, 2, 0, 0])
    assert fake.asked[0].transport == "tcp"
    assert fake.asked[0].query.name == "www.example.org."
    assert not fake.waiting


def test_what_it_was_told_holds_in_order() -> None:
    clock, fake = FakeClock(), FakeUpstream()
    fake.answer(rcode=codes.SERVFAIL, once=True).fail("no", once=True).drop(once=True).answer(A)
    upstream, heard = connected(fake, clock), []
    for _ in range(5):
        upstream.over_udp(message(), waiting := Waiting(clock.now() + 2))
        clock.advance(0)
        heard.append(waiting.heard)
    assert [one[3] & 0xF if isinstance(one, bytes) else one for [one] in (*heard[:2], *heard[3:])] == [2, "no", 0, 0]
    assert heard[2] == []
    clock.advance(2)
    assert heard[2] == ["i/o timeout"]


def test_delay() -> None:
    clock, fake, quick, slow = FakeClock(), FakeUpstream(), Waiting(), Waiting()
    fake.answer(A, delay=1.5, once=True).fail(delay=0.5)
    upstream = connected(fake, clock)
    upstream.over_udp(message(), slow)
    upstream.over_udp(message(), quick)
    clock.advance(0.5)
    assert (len(quick.heard), len(slow.heard)) == (1, 0)
    clock.advance(1)
    assert len(slow.heard) == 1


def test_what_comes_too_late_is_not_heard() -> None:
    clock, fake, waiting = FakeClock(), FakeUpstream(), Waiting(1001)
    connected(fake.answer(A, delay=2), clock).over_udp(message(), waiting)
    clock.advance(5)
    assert waiting.heard == ["i/o timeout"]
    assert not fake.asked[0].reply(b"")


def test_by_hand_until_it_is_closed() -> None:
    clock, fake = FakeClock(), FakeUpstream()
    upstream = connected(fake, clock)
    for waiting in (first := Waiting(), second := Waiting()):
        upstream.over_udp(message(), waiting)
    assert fake.waiting == fake.asked
    assert fake.waiting[0].reply(b"whatever")
    assert fake.held == 1
    upstream.close()
    assert fake.held == 0
    assert first.heard == [b"whatever"]
    assert second.heard == ["use of closed network connection"]


def test_a_mistake_shows_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="record"):
        FakeUpstream().answer("www.example.org. IN NOSUCH")


def test_upstreams_by_address() -> None:
    with FakeUpstreams() as upstreams:
        assert isinstance(HERE, Target)
        connect(HERE, Options(), FakeClock()).over_udp(message(), Waiting())
        assert len(upstreams["192.0.2.1"].asked) == len(upstreams["dns://192.0.2.1:53"].asked) == 1
        assert not upstreams["tls://192.0.2.1"].asked
        with pytest.raises(KeyError, match=r"ns\.example\.org"):
            upstreams["ns.example.org"]


def test_a_server_with_fakes_behind_it() -> None:
    with FakeUpstreams() as upstreams, Running(FORWARD) as server:
        upstreams["192.0.2.1"].fail()
        upstreams["192.0.2.2"].answer(A, once=True).answer(rcode=codes.NXDOMAIN)
        assert str(server.ask("www.example.org.").record.a.rdata) == "192.0.2.7"
        assert server.ask("other.example.org.", transport="tcp").rcode == codes.NXDOMAIN
        assert [asked.transport for asked in upstreams["192.0.2.2"].asked] == ["udp", "tcp"]
