"""grpc: what its lines mean, what is wrong with them, and dialogues with upstreams that are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.errors import ConfigError, Failure
from corepy.fallthrough import Fallthrough
from corepy.plugins.grpc import Grpc
from corepy.plugins.grpc.grpc import DURATION, REQUESTS, RESPONSES
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, FakeUpstream, FakeUpstreams, Running, make_query, message
from corepy.upstream import Options, Target, match
from corepy.upstream.policy import RoundRobin, random, sequential

RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def to(*addresses: str, port: int = 53, name: str = "") -> tuple[Target, ...]:
    return tuple(Target(Address.of(address, port), "grpc", name) for address in addresses)


def parse(text: str, root: str = "") -> Grpc:
    """The plugin of a text of directives, none of which may be left unread."""
    lines = directives(text)
    [made] = Grpc.parse_all(lines)
    for line in lines:
        line.finish()
    made.configure(Site([], root=root))
    return made


def block(*lines: str) -> str:
    return "grpc . 192.0.2.1 {\n" + "\n".join(lines) + "\n}"


# --- lines ---


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("grpc . 192.0.2.1", {}),
        ("grpc . 192.0.2.1 192.0.2.2:53 192.0.2.1", {"to": to("192.0.2.1", "192.0.2.2", "192.0.2.1")}),
        ("grpc . [2001:db8::1]:443", {"to": to("2001:db8::1", port=443)}),
        ("grpc . grpc://192.0.2.1", {"to": to("192.0.2.1", port=443)}),
        ("grpc . grpc://192.0.2.1:5353", {"to": to("192.0.2.1", port=5353)}),
        ("grpc . dns://192.0.2.1", {}),
        ("grpc Example.ORG 192.0.2.1", {"zone": w.encode_name("example.org")}),
        ("grpc 192.0.2.0/24 192.0.2.1", {"zone": w.encode_name("2.0.192.in-addr.arpa")}),
        (block(), {}),
        (block("except a.test B.test", "except c."), {"excepted": (b"\1a\4test\0", b"\1b\4test\0", b"\1c\0")}),
        (block("policy sequential"), {"policy": sequential}),
        (block("policy random"), {"policy": random}),
        (block("fallthrough"), {"fallthrough": Fallthrough([b"\0"])}),
        (block("fallthrough a.test b.test"), {"fallthrough": Fallthrough([b"\1a\4test\0", b"\1b\4test\0"])}),
    ],
)
def test_lines(text: str, changed: dict[str, Any]) -> None:
    found = parse(text)
    wanted = Grpc(**{"to": to("192.0.2.1"), "options": Options(owner="grpc"), **changed})
    for field in fields(Grpc):
        if field.name not in ("sources", "site"):
            assert getattr(found, field.name) == getattr(wanted, field.name), field.name


def test_round_robin() -> None:
    assert isinstance(parse(block("policy round_robin")).policy, RoundRobin)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["tls"], ""),
        (["tls_servername dns.example.org"], "dns.example.org"),
        (["tls_servername dns.example.org", "tls"], "dns.example.org"),
    ],
)
def test_what_encrypts(lines: list[str], name: str) -> None:
    found = parse(block(*lines))
    assert found.options.grpc is not None
    assert found.to == to("192.0.2.1", name=name)


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("grpc", "1:1", "'grpc' lacks an argument, expected a zone, then upstreams"),
        ("grpc .", "1:1", "'grpc' lacks an argument, expected an upstream"),
        ("grpc a..b 192.0.2.1", "1:6", "a..b"),
        ("grpc . " + "192.0.2.1 " * 16, "1:158", "too many upstreams, expected at most 15"),
        ("grpc . 192.0.2.1 ns.example.org", "1:18", "'ns.example.org' is no IP address or file"),
        ("grpc . ns.example.org:443", "1:8", "'ns.example.org:443' is no IP address or file"),
        ("grpc . grpc://ns.example.org", "1:8", "'ns.example.org' is no IP address or file"),
        ("grpc . tls://192.0.2.1", "1:8", "'tls' is no protocol of grpc: 'tls://192.0.2.1'"),
        ("grpc . https://192.0.2.1/x", "1:8", "'https' is no protocol"),
        ("grpc . unix:///run/dns.sock", "1:8", "'unix' is no protocol"),
        ("grpc . grpc://", "1:8", "names no address"),
        ("grpc . 192.0.2.1:99999", "1:8", "192.0.2.1:99999"),
        ("grpc . 192.0.2.1\ngrpc a. 192.0.2.1", "2:1", "given twice in a server block, first at Corefile:1:1"),
        (block("health_check 1s"), "2:1", "unknown option 'health_check'"),
        (block("except"), "2:1", "'except' lacks an argument"),
        (block("except a..b"), "2:8", "a..b"),
        (block("policy"), "2:1", "'policy' lacks an argument"),
        (block("policy best"), "2:8", "'best'"),
        (block("policy random random"), "2:15", "unexpected argument 'random'"),
        (block("tls a b c d"), "2:11", "unexpected argument 'd', expected at most CERT KEY CA"),
        (block("tls no-such-ca.pem"), "2:5", "no-such-ca.pem"),
        (block("tls_servername"), "2:1", "'tls_servername' lacks an argument"),
        (block("tls_servername a b"), "2:18", "unexpected argument 'b'"),
        (block("fallthrough a..b"), "2:13", "a..b"),
    ],
)
def test_errors(text: str, at: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    line = str(caught.value.locate(directives(text)[0].at, "grpc"))
    assert line.startswith("plugin/grpc: ")
    assert f":{at}: " in line
    assert words in line


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "upstreams.conf"
    file.write_text("# nothing\n")
    with pytest.raises(ConfigError, match="1:8: no upstreams: the file has no nameserver line"):
        parse("grpc . upstreams.conf", root=str(tmp_path))
    file.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    assert parse("grpc . upstreams.conf 192.0.2.3", str(tmp_path)).to == to("192.0.2.1", "192.0.2.2", "192.0.2.3")
    file.write_text("nameserver 192.0.2.1\n" * 15)
    with pytest.raises(ConfigError, match="1:23: too many upstreams"):
        parse("grpc . upstreams.conf 192.0.2.1", root=str(tmp_path))
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=f"2:5: tls: no certificates in '{tmp_path}/ca.pem'"):
        parse(block("tls ca.pem"), root=str(tmp_path))


def test_a_network_of_several_zones_warns(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("grpc 192.0.2.0/25 192.0.2.1").zone == w.encode_name("0.2.0.192.in-addr.arpa")
    assert "[WARNING] plugin/grpc: '192.0.2.0/25' stands for 128 zones" in capsys.readouterr().out


def test_it_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.upstream.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"1:1: grpc needs the extra 'corepy\[grpc\]' to be installed"):
        parse("grpc . 192.0.2.1")


# --- dialogues ---


class Stage:
    """A Grpc whose two upstreams are fakes, on a clock that stands still; `NEXT` is what stands behind it."""

    NEXT = Reply(b"next")

    def __init__(self, *lines: str, zone: str = ".") -> None:
        self.plugin = parse("\n".join((f"grpc {zone} 192.0.2.1 192.0.2.2 {{", "policy sequential", *lines, "}")))
        self.clock = self.plugin.clock = FakeClock()
        self.plugin.next = lambda _query: self.NEXT
        with FakeUpstreams() as upstreams:
            self.plugin.site = None
            self.plugin.start()
        self.one: FakeUpstream = upstreams["192.0.2.1"]
        self.two: FakeUpstream = upstreams["192.0.2.2"]

    def ask(self, name: str = "www.example.org.", **how: Any) -> Reply:
        """The reply to a query, for which nothing has to wait."""

        async def run() -> Reply:
            async with asyncio.timeout(20):
                return await self.plugin.serve(make_query(name, **how))

        return asyncio.run(run())


def dialogue(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(run())


async def turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_query_goes_as_it_came_and_so_does_the_reply() -> None:
    async def test() -> None:
        stage = Stage()
        query = make_query("wWw.example.org.", edns=1232, do=True)
        asking = asyncio.ensure_future(stage.plugin.serve(query))
        await turn()
        [asked] = stage.one.waiting
        assert (asked.transport, asked.wire) == ("tcp", query.wire)
        wire = b"id" + w.HEADER.pack(0, w.QR | w.AA, 1, 1, 0, 0)[2:] + message("www.example.org.")[12:] + RECORD
        asked.reply(wire)
        assert (await asking).wire == query.wire[:2] + wire[2:12] + query.question + RECORD
        assert not stage.two.asked

    dialogue(test)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("example.org.", True),
        ("www.example.org.", True),
        ("inner.example.org.", False),
        ("a.inner.example.org.", False),
        ("notexample.org.", False),
        (".", False),
    ],
)
def test_from_and_except(name: str, asked: bool) -> None:
    stage = Stage("except inner.example.org example.org.inner", zone="Example.org")
    stage.one.answer()
    assert (stage.ask(name) is not Stage.NEXT) is asked
    assert bool(stage.one.asked) is asked


def test_the_zone_itself_cannot_be_excepted() -> None:
    stage = Stage("except example.org", zone="example.org")
    stage.one.answer()
    assert stage.ask("example.org.").rcode == codes.NOERROR
    assert stage.ask("www.example.org.") is Stage.NEXT


def test_the_next_upstream_is_asked_when_one_fails() -> None:
    stage = Stage()
    stage.one.fail()
    stage.two.answer("www.example.org. 60 IN A 192.0.2.7", rcode=codes.SERVFAIL)
    assert stage.ask().rcode == codes.SERVFAIL  # what it says counts, whatever that is
    assert (len(stage.one.asked), len(stage.two.asked)) == (1, 1)


def test_each_upstream_is_asked_once_and_the_last_failure_is_the_word() -> None:
    stage = Stage()
    stage.one.fail("first")
    stage.two.fail("second")
    with pytest.raises(Failure, match="second"):
        stage.ask()
    assert (len(stage.one.asked), len(stage.two.asked)) == (1, 1)


def test_five_seconds_in_all() -> None:
    async def test() -> None:
        stage = Stage()
        stage.one.fail(delay=3)
        stage.two.drop()
        asking = asyncio.ensure_future(stage.plugin.serve(make_query()))
        await turn()
        stage.clock.advance(3)
        await turn()
        assert len(stage.two.waiting) == 1
        stage.clock.advance(1.9)
        await turn()
        assert not asking.done()
        stage.clock.advance(0.1)
        with pytest.raises(Failure, match="i/o timeout"):
            await asking

    dialogue(test)


def test_nobody_is_asked_after_five_seconds() -> None:
    async def test() -> None:
        stage = Stage("fallthrough")
        asking = asyncio.ensure_future(stage.plugin.serve(make_query()))
        await turn()
        stage.clock.advance(5)
        assert await asking is Stage.NEXT
        assert not stage.two.asked

    dialogue(test)


@pytest.mark.parametrize(
    ("wire", "rcode"),
    [
        (b"", None),
        (message()[:11], None),
        (message("www.example.org.")[:20], None),
        (b"id" + w.HEADER.pack(0, w.QR, 1, 1, 0, 0)[2:] + message("www.example.org.")[12:] + RECORD[:-1], None),
        (b"id" + w.HEADER.pack(0, w.QR, 1, 0, 0, 0)[2:], codes.FORMERR),
        (b"id" + w.HEADER.pack(0, w.QR, 0, 1, 0, 0)[2:] + b"\0" + RECORD[2:], codes.FORMERR),
        (b"id" + w.HEADER.pack(0, w.QR, 1, 0, 0, 0)[2:] + message("other.example.org.")[12:], codes.FORMERR),
        (message("www.example.org."), codes.FORMERR),
    ],
)
def test_what_is_no_reply(wire: bytes, rcode: int | None) -> None:
    """Garbled, and the next upstream is asked; whole but about something else, and it is a FORMERR (as CoreDNS)."""

    async def test() -> None:
        stage = Stage("fallthrough")
        stage.two.answer(rcode=codes.REFUSED)
        asking = asyncio.ensure_future(stage.plugin.serve(make_query("www.example.org.")))
        await turn()
        stage.one.waiting[0].reply(wire)
        assert (await asking).rcode == (codes.REFUSED if rcode is None else rcode)

    dialogue(test)


@settings(deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=40), st.sampled_from([0, 12, len(message("www.example.org."))]))
@example(b"id" + b"\xff" * 10, b"", 0)
def test_whatever_an_upstream_says(head: bytes, tail: bytes, kept: int) -> None:
    """There is a reply to the question, whole, or the upstream has failed."""
    stage = Stage()
    query = make_query("www.example.org.")
    wire = query.wire[:2] + head[:10].ljust(10, b"\0") + query.wire[12:kept] + tail if kept else head
    stage.one._tell(lambda asked: asked.reply(wire), 0, once=False)
    stage.two.fail("the other one")
    try:
        reply = stage.ask("www.example.org.").wire
    except Failure as error:
        why = str(error)
    else:
        why = "" if match(query.question, reply) == reply and reply[:2] == query.wire[:2] else "no reply"
    assert why in ("", "the other one")


def no_such_name(stage: Stage) -> None:
    stage.one.answer(rcode=codes.NXDOMAIN)


def not_found(stage: Stage) -> None:
    stage.one._tell(lambda asked: asked.waiter.failed(Failure("NOT_FOUND", codes.NXDOMAIN)), 0, once=False)


def silence(stage: Stage) -> None:
    stage.one.fail()
    stage.two.fail()


@pytest.mark.parametrize("name", ["www.example.org.", "www.example.net."])
@pytest.mark.parametrize("what", [no_such_name, not_found, silence])
def test_fallthrough(what: Callable[[Stage], None], name: str) -> None:
    stage = Stage("fallthrough example.net")
    what(stage)
    try:
        reply = stage.ask(name)
    except Failure:
        assert (what, name) == (silence, "www.example.org.")
        return
    if name == "www.example.net.":
        assert reply is Stage.NEXT
    else:
        assert reply.rcode == codes.NXDOMAIN
        assert reply.wire[2:] == reply.wire[2:12] + make_query(name).question  # no record of a fake's


def test_no_other_rcode_falls_through() -> None:
    stage = Stage("fallthrough")
    stage.one.answer(rcode=codes.SERVFAIL)
    assert stage.ask().rcode == codes.SERVFAIL


def test_metrics() -> None:
    stage = Stage()
    label = "192.0.2.1:53"
    before = REQUESTS.values.get((label,), 0), RESPONSES.values.get(("NXDOMAIN", label), 0)
    count = sum(DURATION.of(label).counts)
    no_such_name(stage)
    stage.ask()
    stage.one._told.clear()
    not_found(stage)
    stage.ask()  # is not counted
    assert (REQUESTS.values[label,], RESPONSES.values["NXDOMAIN", label]) == (before[0] + 1, before[1] + 1)
    assert sum(DURATION.of(label).counts) == count + 1


# --- in a server ---


def test_at_the_end_of_the_chain_nothing_falls_through() -> None:
    with FakeUpstreams() as upstreams, Running(".:0 {\ngrpc . 192.0.2.1 {\nfallthrough\n}\n}") as server:
        upstreams["192.0.2.1"].answer(rcode=codes.NXDOMAIN, once=True).fail()
        assert server.ask("www.example.org.").rcode == codes.NXDOMAIN
        assert server.ask("www.example.org.").rcode == codes.SERVFAIL


def test_in_a_chain() -> None:
    with FakeUpstreams() as upstreams:
        with Running(".:0 {\ngrpc . 192.0.2.1 {\nfallthrough\n}\nwhoami\n}") as server:
            upstreams["192.0.2.1"].answer("www.example.org. 60 IN A 192.0.2.7", once=True).answer(rcode=codes.NXDOMAIN)
            assert server.ask("www.example.org.").record.short() == "192.0.2.7"
            assert server.ask("www.example.org.").rcode == codes.NOERROR
        assert upstreams["192.0.2.1"].held == 0
