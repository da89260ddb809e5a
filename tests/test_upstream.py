"""Upstreams: what counts as a reply, what a forger would have to guess, and sockets on loopback under a fake clock."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corepy import wire as w
from corepy.address import Address
from corepy.errors import Failure
from corepy.testing import FakeClock, FakeUpstream, message
from corepy.upstream import Check, Host, Options, Target, Watched, ask, connect, match, read_targets, replaced
from corepy.upstream.base import reason
from corepy.upstream.budget import Budget
from corepy.upstream.datagram import PORTS, DatagramPool
from corepy.upstream.dice import TOKENS, refill
from corepy.upstream.match import records_end
from corepy.upstream.plain import PlainUpstream
from tests.farside import QUERY, QUESTION, RECORD, Far, Waiting, drive, reply

# --- what counts as a reply ---


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\x12\x34",
        QUERY,
        reply(QUERY, flags=w.RD),
        reply(QUERY)[:12],
        reply(QUERY)[:-1],
        reply(QUERY, question=message("www.example.net.")[12:]),
        reply(QUERY, question=message("www.example.org.", "AAAA")[12:]),
        reply(QUERY, question=message("www.example.org.", qclass=3)[12:]),
        reply(QUERY, tail=b""),
        reply(QUERY, tail=b"\xc0\xff" + RECORD[2:]),  # a name that points forward
        reply(QUERY, tail=b"\xc0\x21" + RECORD[2:]),  # and one that points to itself
        reply(QUERY, tail=b"\x40" + RECORD[2:]),  # no label is that long
        reply(QUERY, tail=RECORD[:-5] + b"\x05" + RECORD[-4:]),  # more data than there is
        reply(QUERY)[:4] + b"\0\2" + reply(QUERY)[6:],
        reply(QUERY)[:4] + b"\0\0" + reply(QUERY)[6:],
    ],
)
def test_no_reply(wire: bytes) -> None:
    assert match(QUESTION, wire) is None


def test_the_reply() -> None:
    assert match(QUESTION, reply(QUERY)) == reply(QUERY)


def test_octets_behind_the_records_are_cut_off() -> None:
    assert match(QUESTION, reply(QUERY) + b"more") == reply(QUERY)


def test_the_reply_is_spelled_as_the_question() -> None:
    asked = message("wWw.eXample.org.")
    assert match(asked[12:], reply(QUERY)) == reply(asked)


def test_type_and_class_have_no_case() -> None:
    """Type 65 and type 97 are not the same, although A and a are."""
    asked = message("example.org.", "HTTPS")
    assert match(asked[12:], reply(asked, question=message("example.org.", "TYPE97")[12:])) is None


@given(st.binary(max_size=100))
def test_any_bytes_may_be_matched(noise: bytes) -> None:
    found = match(QUESTION, QUERY[:2] + noise)
    assert found is None or found[12:].startswith(QUESTION)


@given(st.binary(max_size=60), st.integers(0, 0xFFFF))
def test_any_records_may_be_walked(noise: bytes, count: int) -> None:
    wire = QUERY[:6] + count.to_bytes(2, "big") + QUERY[8:] + noise
    end = records_end(wire, len(QUERY))
    assert end == 0 or len(QUERY) <= end <= len(wire)
    if end:
        assert sum(1 for _ in w.records(wire)) == count


# --- what a forger would have to guess ---


def test_tokens_are_used_once() -> None:
    TOKENS.clear()
    tokens = refill()
    assert tokens is TOKENS
    taken = [tokens.pop() for _ in range(1000)]
    assert len(set(taken)) > 950
    assert len({number >> 8 for _, number in taken}) > 200


def test_budget() -> None:
    budget = Budget(1)
    assert budget.take()
    assert not budget.take()
    budget.give()
    assert budget.take()
    assert Budget.of_process().limit > 0


# --- the words that name upstreams ---


def target(host: str, port: int, kind: str = "dns", server_name: str = "") -> Target:
    return Target(Address.of(host, port), kind, server_name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", target("192.0.2.1", 53)),
        ("192.0.2.1:5353", target("192.0.2.1", 5353)),
        ("dns://192.0.2.1:54", target("192.0.2.1", 54)),
        ("2001:db8::1", target("2001:db8::1", 53)),
        ("[2001:db8::1]", target("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", target("2001:db8::1", 5353)),
        ("fe80::1%1", Target(Address.of("fe80::1%1", 53))),
        ("tls://192.0.2.1", target("192.0.2.1", 853, "tls")),
        ("tls://192.0.2.1%dns.example.org", target("192.0.2.1", 853, "tls", "dns.example.org")),
        ("tls://192.0.2.1%dns.example.org:8853", target("192.0.2.1", 8853, "tls", "dns.example.org")),
        ("tls://[2001:db8::1%dns.example.org]:8853", target("2001:db8::1", 8853, "tls", "dns.example.org")),
        ("ns.example.org", Host("ns.example.org", 53)),
        ("ns.example.org:5353", Host("ns.example.org", 5353)),
        ("tls://ns.example.org%other.example", Host("ns.example.org", 853, "tls", "other.example")),
    ],
)
def test_targets(text: str, found: Target | Host) -> None:
    assert read_targets(text) == [found]


@pytest.mark.parametrize(
    "text", ["", "tls://", "a..example.org", "192.0.2.1:99999", "192.0.2.1:x:y", "fe80::1%nosuch", "x" * 64, ":53"]
)
def test_no_targets(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|interface|port"):
        read_targets(text)


def test_targets_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("search example.org\n# nameserver 192.0.2.9\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    assert read_targets(str(file)) == [target("192.0.2.1", 53), target("2001:db8::1", 53)]
    file.write_text("nameserver ns.example.org")
    with pytest.raises(ValueError, match=r"ns\.example\.org"):
        read_targets(str(file))
    file.write_bytes(b"\xff\0 \n")
    assert read_targets(str(file)) == []


# --- sockets ---


def test_lies_do_not_end_the_wait() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(100))
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        asked, peer = await far.receive()
        other_id = bytes((asked[0] ^ 1, asked[1]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(reply(asked), peer)
        for lie in (
            b"", b"\0", other_id + reply(asked)[2:], asked, reply(asked)[:-3],
            reply(asked, question=message("www.example.net.")[12:]), reply(asked),
        ):  # fmt: skip
            far.udp.sendto(lie, peer)
        await waiting.done.wait()
        assert waiting.error is None
        assert waiting.heard[-1] == reply(asked)
        assert (pool.pending, pool.strays) == (0, 6)
        far.udp.sendto(reply(asked), peer)  # once more, and too late
        pool.close()

    drive(test)


def test_a_reply_behind_a_heap_of_strays_is_found() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(100))
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        asked, peer = await far.receive()
        for _ in range(40):
            far.udp.sendto(asked[:2] + b"stray", peer)
        far.udp.sendto(reply(asked), peer)
        for _ in range(3):
            far.udp.sendto(reply(asked), peer)   # nobody waits any more: these stay where they are
        await waiting.done.wait()
        assert (waiting.heard[-1], pool.strays) == (reply(asked), 40)
        pool.close()

    drive(test)


def test_replies_that_came_too_late_do_not_hide_the_next_one() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(1))   # one socket for all
        for _ in range(3):
            waiting = Waiting()
            pool.ask(QUERY, waiting)
            asked, peer = await far.receive()
            for _ in range(3):
                far.udp.sendto(reply(asked), peer)
            await waiting.done.wait()
            assert waiting.heard == [reply(asked)]
        pool.close()

    drive(test)


def test_what_is_not_sent_when_a_pool_closes_is_never_sent() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(100))
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        pool.close()
        await waiting.done.wait()
        assert "use of closed network connection" in str(waiting.error)
        with pytest.raises(BlockingIOError):
            far.udp.recv(65535)

    drive(test)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=5))
def test_any_bytes_may_come(lies: list[bytes]) -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(100))
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        asked, peer = await far.receive()
        for lie in lies:
            far.udp.sendto(lie, peer)
            far.udp.sendto(asked[:2] + lie, peer)
        far.udp.sendto(reply(asked), peer)
        await waiting.done.wait()
        assert waiting.error is None
        pool.close()

    drive(test)


def test_ids_and_ports_spread() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(10_000))
        seen = []
        for _ in range(PORTS + 400):
            waiting = Waiting()
            pool.ask(QUERY, waiting)
            asked, peer = await far.receive()
            seen.append((asked[:2], peer[1]))
            far.udp.sendto(reply(asked), peer)
            await waiting.done.wait()
        assert len({port for _, port in seen}) == PORTS
        assert len({port for _, port in seen[PORTS:]}) > 250  # drawn, with repetitions
        assert len({message_id for message_id, _ in seen}) > PORTS + 350
        pool.close()

    drive(test)


def test_few_descriptors_still_make_many_ports() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        budget = Budget(4)
        pool = DatagramPool(far.address, Options(), clock, budget)
        ports = set()
        for _ in range(60):
            waiting = Waiting()
            pool.ask(QUERY, waiting)
            asked, peer = await far.receive()
            ports.add(peer[1])
            assert budget.used <= 4
            far.udp.sendto(reply(asked), peer)
            await waiting.done.wait()
        assert len(ports) > 15
        pool.close()
        assert budget.used == 0

    drive(test)


def test_one_socket_serves_many_where_there_is_no_other() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(1))
        waiters = [Waiting() for _ in range(50)]
        for waiting in waiters:
            pool.ask(QUERY, waiting)
        asked = [await far.receive() for _ in waiters]
        assert len({peer for _, peer in asked}) == 1
        assert len({wire[:2] for wire, _ in asked}) == 50
        for wire, peer in reversed(asked):
            far.udp.sendto(reply(wire), peer)
        for waiting in waiters:
            await waiting.done.wait()
        pool.close()

    drive(test)


def test_silence_ends_with_a_timeout() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(resolution=0.1), clock, Budget(100))
        waiting = Waiting(clock.now() + 2)
        pool.ask(QUERY, waiting)
        asked, peer = await far.receive()
        clock.advance(1.9)
        assert waiting.error is None
        clock.advance(0.2)
        local = f"127.0.0.1:{peer[1]}"
        assert str(waiting.error) == f"read udp {local}->{far.address}: i/o timeout"
        assert pool.pending == 0
        assert asked[2:] == QUERY[2:]
        pool.close()

    drive(test)


def test_a_refusal_is_heard_at_once() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        far.udp.close()
        pool = DatagramPool(far.address, Options(), clock, Budget(1))
        for _ in range(3):  # the second one finds the error of the first on its socket
            first, second = Waiting(), Waiting()
            pool.ask(QUERY, first)
            pool.ask(QUERY, second)
            for waiting in (first, second):
                await waiting.done.wait()
                assert str(waiting.error).endswith(f"->{far.address}: read: connection refused")
        assert pool.pending == 0
        pool.close()

    drive(test)


def test_what_cannot_be_sent_fails_later() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(9))
        waiting = Waiting()
        pool.ask(QUERY + bytes(70_000), waiting)
        assert waiting.error is None
        await waiting.done.wait()
        assert "message too long" in str(waiting.error)
        pool.close()

    drive(test)


@pytest.mark.parametrize(
    ("options", "open_after"),
    [
        (Options(), (1, 1, 0)),
        (Options(expire=0), (0, 0, 0)),
        (Options(expire=100), (1, 1, 1)),
        (Options(expire=10, max_age=10), (1, 1, 0)),
        (Options(max_idle=1), (1, 1, 0)),
    ],
)
def test_sockets_expire(options: Options, open_after: tuple[int, int, int]) -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        budget = Budget(100)
        pool = DatagramPool(far.address, options, clock, budget)
        waiting = Waiting()
        pool.ask(QUERY, waiting)
        asked, peer = await far.receive()
        far.udp.sendto(reply(asked), peer)
        await waiting.done.wait()
        await asyncio.sleep(0)
        found = [budget.used]
        for seconds in (9.9, 3):
            clock.advance(seconds)
            found.append(budget.used)
        assert tuple(found) == open_after
        pool.close()
        assert budget.used == 0

    drive(test)


def test_whoever_gets_a_reply_may_ask_again_or_close() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(max_idle=1), clock, Budget(1))
        last = Waiting()

        class Again(Waiting):
            def take(self, wire: bytes) -> bool:
                pool.ask(QUERY, last)
                return super().take(wire)

        class Closing(Waiting):
            def take(self, wire: bytes) -> bool:
                pool.close()
                return super().take(wire)

        for waiting in (Again(), Closing()):
            pool.ask(QUERY, waiting)
            asked, peer = await far.receive()
            far.udp.sendto(reply(asked), peer)
            await waiting.done.wait()
            if not pool.closed:
                await far.receive()  # the question of `last`, which gets no reply
        await last.done.wait()
        assert "closed" in str(last.error)
        assert pool.pending == 0

    drive(test)


def test_closing_tells_who_waits() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        upstream = PlainUpstream(Target(far.address), Options(), clock, Budget(9))
        waiters = [Waiting(), Waiting()]
        upstream.over_udp(QUERY, waiters[0])
        upstream.over_tcp(QUERY, waiters[1])
        upstream.close()
        for waiting in waiters:
            await waiting.done.wait()
            assert "closed" in str(waiting.error)
        upstream.close()
        waiters = [Waiting(), Waiting()]
        upstream.over_udp(QUERY, waiters[0])
        upstream.over_tcp(QUERY, waiters[1])
        for waiting in waiters:
            await waiting.done.wait()
            assert "closed" in str(waiting.error)

    drive(test)


def test_the_source_address() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        source = Address.of("127.0.0.7", 0)
        upstream = connect(Target(far.address), Options(source=source), clock)
        upstream.over_udp(QUERY, Waiting())
        _, peer = await far.receive()
        assert peer[0] == "127.0.0.7"
        upstream.over_tcp(QUERY, Waiting())
        _, writer = await far.accept()
        assert writer.get_extra_info("peername")[0] == "127.0.0.7"
        writer.close()
        upstream.close()

    drive(test)


# --- those who can wait, health, and fakes ---


def test_a_coroutine_may_ask() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        upstream = PlainUpstream(Target(far.address), Options(), clock)
        asking = asyncio.ensure_future(ask(upstream.over_udp, QUERY, clock))
        asked, peer = await far.receive()
        far.udp.sendto(reply(asked), peer)
        assert await asking == reply(asked)
        asking = asyncio.ensure_future(ask(upstream.over_udp, QUERY, clock))
        await far.receive()
        clock.advance(2.2)
        with pytest.raises(Failure, match="i/o timeout"):
            await asking
        upstream.close()

    drive(test)


def test_probes_go_on_until_one_is_answered() -> None:
    clock = FakeClock()
    fake = FakeUpstream()
    upstream = fake.connect(target("192.0.2.1", 53), Options(), clock)
    watched = Watched(upstream, Check(interval=0.5, domain=b"\4test\0", recursion=False), clock)
    watched.check()
    watched.check()
    assert [asked.wire for asked in fake.asked] == [message("test.", "NS", flags=0, message_id=0)]
    fake.asked[0].fail()
    assert watched.fails == 1
    clock.advance(0.5)
    assert len(fake.asked) == 2
    clock.advance(1.0)  # its time is over, without a word from the upstream
    assert watched.fails == 2
    clock.advance(0.5)
    assert not fake.asked[-1].reply(b"no")
    assert fake.asked[-1].reply(reply(QUERY, flags=w.QR | 5))  # whatever the answer is
    assert watched.fails == 0
    clock.advance(10)
    assert len(fake.asked) == 3
    watched.check()
    watched.close()
    clock.advance(10)
    assert len(fake.asked) == 4
    assert not fake.waiting


def test_fakes_take_the_place_of_all_upstreams() -> None:
    with replaced(FakeUpstream().connect):
        assert not isinstance(connect(target("192.0.2.1", 53), Options(), FakeClock()), PlainUpstream)
    assert isinstance(connect(target("192.0.2.1", 53), Options(), FakeClock()), PlainUpstream)


def test_an_epoll_is_all_that_the_event_loop_sees() -> None:
    async def test(far: Far, clock: FakeClock) -> None:
        pool = DatagramPool(far.address, Options(), clock, Budget(100))
        for _ in range(20):
            pool.ask(QUERY, Waiting())
        assert isinstance(pool._epoll, select.epoll)
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]  # where readers are kept
        watched = set(selector.get_map())
        assert pool._epoll.fileno() in watched
        assert not watched & set(pool._channels)
        pool.close()

    drive(test)


def test_errors_of_certificates_are_told_in_gos_words() -> None:
    def told(code: int) -> str:
        error = ssl.SSLCertVerificationError()
        error.verify_code, error.verify_message = code, "of its own"
        return reason(error).removeprefix("tls: failed to verify certificate: x509: ")

    assert [told(code) for code in (10, 20, 62)] == [
        "certificate has expired or is not yet valid", "certificate signed by unknown authority", "of its own",
    ]  # fmt: skip


def test_a_connection_that_is_closed_in_the_handshake_has_no_number() -> None:
    assert reason(ConnectionResetError()) == "EOF"
    assert reason(ConnectionResetError(errno.ECONNRESET, "x")) == "connection reset by peer"
