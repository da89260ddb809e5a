"""forward: what its lines mean, what is wrong with them, and dialogues with upstreams that are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import dnslib
import pytest

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.errors import ConfigError, Failure
from corepy.plugins.forward import Forward
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.site import Site
from corepy.testing import FakeClock, FakeUpstream, FakeUpstreams, Running, make_query, message
from corepy.testing.upstream import Asked
from corepy.upstream import Check, Host, Options, Target
from corepy.upstream.policy import RoundRobin, random, sequential

Serve = Callable[[str], Running]
ONE, TWO, THREE = (Target(Address.of(f"192.0.2.{last}", 53)) for last in (1, 2, 3))
RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def parse(text: str, root: str = "") -> list[Forward]:
    """The plugins of a text of directives, none of which may be left unread."""
    lines = directives(text)
    stages = Forward.parse_all(lines)
    for line in lines:
        line.finish()
    for stage in stages:
        stage.configure(Site([], root=root))
    return list(stages)


def block(*lines: str) -> str:
    return "forward . 192.0.2.1 {\n" + "\n".join(lines) + "\n}"


# --- lines ---


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("forward . 192.0.2.1", {}),
        ("forward . 192.0.2.1 dns://192.0.2.1:53 192.0.2.2", {"to": (ONE, TWO)}),
        ("forward Example.ORG 192.0.2.1", {"zone": w.encode_name("example.org")}),
        ("forward 192.0.2.0/24 192.0.2.1", {"zone": w.encode_name("2.0.192.in-addr.arpa")}),
        ("forward . ns.example.org", {"to": (Host("ns.example.org", 53),)}),
        (block("except a.test B.test", "except c."), {"excepted": (b"\1a\4test\0", b"\1b\4test\0", b"\1c\0")}),
        (block("force_tcp"), {"force_tcp": True, "health": Check(over_tcp=True)}),
        (block("prefer_udp"), {"prefer_udp": True}),
        (block("expire 3s"), {"options": Options(expire=3)}),
        (block("expire 0"), {"options": Options(expire=0)}),
        (block("max_age 1m", "expire 1m"), {"options": Options(expire=60, max_age=60)}),
        (block("max_age 0s"), {"options": Options()}),
        (block("max_idle_conns 7"), {"options": Options(max_idle=7)}),
        (block("source_address 192.0.2.9"), {"options": Options(source=Address.of("192.0.2.9", 0))}),
        (block("read_timeout 80ms"), {"read_timeout": 0.08, "options": Options(resolution=0.005)}),
        (block("max_fails 0"), {"max_fails": 0}),
        (block("max_concurrent 1000"), {"max_concurrent": 1000}),
        (block("max_connect_attempts 0"), {"max_connect_attempts": 0}),
        (block("health_check 1s"), {"health": Check(interval=1)}),
        (block("health_check 1s no_rec domain A.test"), {"health": Check(1, b"\1a\4test\0", recursion=False)}),
        (block("failover SERVFAIL refused"), {"failover": frozenset((2, 5))}),
        (block("next nxdomain", "next SERVFAIL"), {"next_rcodes": frozenset((2, 3))}),
        (block("next_on_nodata"), {"next_on_nodata": True}),
        (block("failfast_all_unhealthy_upstreams"), {"failfast": True}),
        (block("policy sequential"), {"policy": sequential}),
        (block("policy random"), {"policy": random}),
        (block("resolver 192.0.2.1 192.0.2.2:53"), {"resolvers": (ONE, TWO)}),
        (block("tls_servername dns.example.org"), {}),
        (block("doh_method GET"), {"options": Options(doh_method="GET")}),
        (block("doh_method POST"), {}),
    ],
)
def test_lines(text: str, changed: dict[str, Any]) -> None:
    [found] = parse(text)
    wanted = Forward(**{"to": (ONE,), **changed})
    for field in fields(Forward):
        if field.name not in ("at", "sources"):
            assert getattr(found, field.name) == getattr(wanted, field.name), field.name


def test_round_robin_is_each_line_for_itself() -> None:
    one, two = parse(block("policy round_robin") + "\n" + block("policy round_robin"))
    assert isinstance(one.policy, RoundRobin)
    assert one.policy is not two.policy
    assert one.follower is two
    assert two.follower is None


def test_tls() -> None:
    block = "{\ntls\ntls_servername dns.example.org\n}"
    [found] = parse(f"forward . tls://192.0.2.1 tls://192.0.2.2:8853 192.0.2.3 {block}")
    assert found.options.tls is not None
    assert found.to == (
        Target(Address.of("192.0.2.1", 853), "tls", "dns.example.org"),
        Target(Address.of("192.0.2.2", 8853), "tls", "dns.example.org"),
        THREE,
    )
    [found] = parse("forward . tls://192.0.2.1%one.example tls://192.0.2.2%two.example")
    assert [one.server_name for one in found.to] == ["one.example", "two.example"]


def test_https() -> None:
    block = "{\ntls_servername dns.example.org\n}"
    [found] = parse(f"forward . https://192.0.2.1 https://dns.example.net https://192.0.2.2%one.example:8443 {block}")
    assert found.options.https is not None
    assert found.options.tls is None
    assert found.to == (
        Target(Address.of("192.0.2.1", 443), "https", "dns.example.org"),
        Host("dns.example.net", 443, "https", "dns.example.org"),
        Target(Address.of("192.0.2.2", 8443), "https", "dns.example.org"),
    )


def test_https_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.upstream.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"1:21: https:// upstreams need the extra 'corepy\[https\]'"):
        parse("forward . 192.0.2.1 https://192.0.2.1")
    assert parse("forward . tls://192.0.2.1")


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("forward", "1:1", "lacks an argument"),
        ("forward .", "1:1", "lacks an argument, expected an upstream"),
        ("forward a..b 192.0.2.1", "1:9", "a..b"),
        ("forward . " + "192.0.2.1 " * 16, "1:161", "16 upstreams, expected at most 15"),
        ("forward . quic://192.0.2.1", "1:11", "'quic' is no protocol"),
        ("forward . grpc://192.0.2.1:5353", "1:11", "'grpc' is no protocol"),
        ("forward . 192.0.2.1 h3://192.0.2.1", "1:21", "'h3' is no protocol"),
        ("forward . https://192.0.2.1/resolve", "1:11", "has a path"),
        ("forward . tls://", "1:11", "names no address"),
        ("forward . 192.0.2.1 a..example.org", "1:21", "a..example.org"),
        ("forward . tls://192.0.2.1%one.example {\ntls_servername two.example\n}", "1:11", "two.example"),
        (block("colour blue"), "2:1", "unknown option 'colour'"),
        (block("except"), "2:1", "'except' lacks an argument"),
        (block("except a..b"), "2:8", "a..b"),
        (block("force_tcp always"), "2:11", "'always'"),
        (block("prefer_udp x"), "2:12", "'x'"),
        (block("expire"), "2:1", "'expire' lacks an argument"),
        (block("expire soon"), "2:8", "'soon'"),
        (block("expire -3s"), "2:8", "'-3s'"),
        (block("expire 3s 4s"), "2:11", "'4s'"),
        (block("max_age -4s"), "2:9", "'-4s'"),
        (block("max_age 5s"), "2:9", "max_age is less than expire"),
        (block("max_age 19s", "expire 20s"), "2:9", "max_age is less than expire"),
        (block("max_idle_conns -1"), "2:16", "'-1'"),
        (block("read_timeout 0s"), "2:14", "read_timeout"),
        (block("read_timeout 2"), "2:14", "'2'"),
        (block("policy fastest"), "2:8", "'fastest'"),
        (block("max_fails -1"), "2:11", "'-1'"),
        (block("max_fails some"), "2:11", "'some'"),
        (block("max_fails 4294967296"), "2:11", "4294967296"),
        (block("max_concurrent lots"), "2:16", "'lots'"),
        (block("max_connect_attempts -2"), "2:22", "'-2'"),
        (block("health_check"), "2:1", "'health_check'"),
        (block("health_check 5"), "2:14", "'5'"),
        (block("health_check -1s"), "2:14", "health_check"),
        (block("health_check 1s often"), "2:17", "'often'"),
        (block("health_check 1s domain"), "2:1", "'health_check'"),
        (block("health_check 1s domain a..b"), "2:24", "a..b"),
        (block("next"), "2:1", "'next'"),
        (block("next NXDOMAIN NOSUCH"), "2:15", "'NOSUCH'"),
        (block("next_on_nodata never"), "2:16", "'never'"),
        (block("failover"), "2:1", "'failover'"),
        (block("failover BROKEN"), "2:10", "'BROKEN'"),
        (block("failover SERVFAIL NOERROR"), "2:1", "failover at NOERROR"),
        (block("failfast_all_unhealthy_upstreams x"), "2:34", "'x'"),
        (block("resolver"), "2:1", "'resolver'"),
        (block("resolver 192.0.2.1 ns.example.org"), "2:20", "ns.example.org"),
        (block("source_address localhost"), "2:16", "localhost"),
        (block("doh_method"), "2:1", "doh_method"),
        (block("doh_method PUT"), "2:12", "doh_method 'PUT'"),
        (block("doh_method get"), "2:12", "doh_method 'get'"),
        (block("tls a b c d"), "2:11", "'d'"),
        (block("tls no-such-ca.pem"), "2:5", "no-such-ca.pem"),
        (block("tls_servername"), "2:1", "tls_servername"),
    ],
)
def test_errors(text: str, at: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    line = str(caught.value)
    assert line.startswith("plugin/forward: ")
    assert f":{at}: " in line
    assert words in line


def test_a_file_without_nameservers(tmp_path: Path) -> None:
    file = tmp_path / "upstreams.conf"
    file.write_text("# nothing\n")
    with pytest.raises(ConfigError, match="no upstreams"):
        parse(f"forward . {file}")
    file.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    [found] = parse(f"forward . {file} 192.0.2.2")
    assert found.to == (ONE, TWO)


def test_relative_paths_begin_at_root(tmp_path: Path) -> None:
    (tmp_path / "upstreams.conf").write_text("nameserver 192.0.2.1\n")
    [found] = parse("forward . upstreams.conf", root=str(tmp_path))
    assert found.to == (ONE,)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=f"no certificates in '{tmp_path}/ca.pem'"):
        parse(block("tls ca.pem"), root=str(tmp_path))


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ConfigError, match="no certificates in"):
        parse(block(f"tls {file}"))


def test_a_network_of_several_zones_warns(capsys: pytest.CaptureFixture[str]) -> None:
    [found] = parse("forward 192.0.2.0/25 192.0.2.1")
    assert found.zone == w.encode_name("0.2.0.192.in-addr.arpa")
    assert "[WARNING] plugin/forward: '192.0.2.0/25' stands for 128 zones" in capsys.readouterr().out


# --- dialogues ---


PROBE = b"\0\0\2\0\1"


class Hand:
    """Answers by hand what an upstream was asked."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self.upstream = upstream

    @property
    def waiting(self) -> list[Asked]:
        """What it was asked and nobody has answered, but for probes."""
        return [asked for asked in self.upstream.waiting if asked.wire[12:] != PROBE]

    @property
    def probes(self) -> list[Asked]:
        return [asked for asked in self.upstream.asked if asked.wire[12:] == PROBE]

    def answer(self, rcode: int = 0, *, flags: int = w.QR | w.RA, record: bytes = RECORD, name: str = "") -> str:
        """Reply to the first question; the transport that it came over."""
        asked = self.waiting[0]
        question = message(name)[12:] if name else asked.wire[12:]
        assert asked.reply(b"id" + w.HEADER.pack(0, flags | rcode, 1, bool(record), 0, 0)[2:] + question + record)
        return asked.transport

    def fail(self, why: str = "read udp: i/o timeout") -> None:
        """Let the first question fail."""
        self.waiting[0].fail(why)


class Stage:
    """A Forward whose upstreams are fakes, on a clock that stands still."""

    def __init__(self, *lines: str, to: str = "192.0.2.1 192.0.2.2", zone: str = ".") -> None:
        text = "\n".join((f"forward {zone} {to} {{", "policy sequential", *lines, "}"))
        [self.forward] = parse(text)
        self.clock = self.forward.clock = FakeClock()
        self.forward.name = "forward"
        self.forward.next = lambda _query: Reply(b"next")
        with FakeUpstreams() as upstreams:
            self.forward.start()
        self.fakes = [Hand(upstreams[one.name]) for one in self.forward.upstreams]

    def ask(self, name: str = "www.example.org.", **how: Any) -> Deferred:
        outcome = self.forward.serve(make_query(name, **how))
        assert isinstance(outcome, Deferred)
        return outcome


def rcode(outcome: Outcome) -> int:
    assert isinstance(outcome, Deferred)
    assert isinstance(outcome.result, Reply), outcome.result
    return outcome.result.rcode


def test_a_reply_is_relayed_as_it_is() -> None:
    stage = Stage()
    asked = stage.ask("wWw.example.org.")
    query = make_query("wWw.example.org.")
    assert stage.fakes[0].waiting[0].wire == query.wire
    assert stage.fakes[0].answer(name="www.example.org.") == "udp"
    assert isinstance(asked.result, Reply)
    assert asked.result.wire == query.wire[:2] + b"\x80\x80\0\1\0\1\0\0\0\0" + query.question + RECORD


def test_a_lie_is_no_reply() -> None:
    stage = Stage()
    asked = stage.ask()
    [waiting] = stage.fakes[0].waiting
    for lie in (b"", b"\0" * 12, waiting.wire, b"id\x80\x80\0\1\0\1\0\0\0\0" + waiting.wire[12:]):
        assert not waiting.reply(lie)
    assert asked.result is None


@pytest.mark.parametrize(
    ("zone", "excepted", "name", "taken"),
    [
        (".", "", "example.org.", True),
        ("example.org", "", "www.EXAMPLE.org.", True),
        ("example.org", "", "example.org.", True),
        ("example.org", "", "notexample.org.", False),
        ("example.org", "", "org.", False),
        ("example.org", "except inner.example.org", "inner.example.org.", False),
        ("example.org", "except inner.example.org", "www.Inner.example.org.", False),
        ("example.org", "except inner.example.org", "dinner.example.org.", True),
        ("example.org", "except example.org", "example.org.", True),
        ("example.org", "except example.org", "www.example.org.", False),
        (".", "except .", ".", True),
        (".", "except .", "org.", False),
    ],
)
def test_which_names_are_taken(zone: str, excepted: str, name: str, taken: bool) -> None:
    stage = Stage(*filter(None, [excepted]), zone=zone)
    outcome = stage.forward.serve(make_query(name))
    assert isinstance(outcome, Deferred) is taken
    assert taken or (isinstance(outcome, Reply) and outcome.wire == b"next")


@pytest.mark.parametrize(
    ("options", "client", "upstream"),
    [
        ((), "udp", "udp"),
        ((), "tcp", "tcp"),
        ((), "tls", "tcp"),
        ((), "https", "tcp"),
        ((), "quic", "udp"),
        (("prefer_udp",), "tcp", "udp"),
        (("force_tcp",), "udp", "tcp"),
        (("force_tcp", "prefer_udp"), "udp", "tcp"),
    ],
)
def test_transports(options: tuple[str, ...], client: str, upstream: str) -> None:
    stage = Stage(*options)
    stage.ask(transport=client)
    assert stage.fakes[0].answer() == upstream


def test_a_truncated_reply_is_relayed() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.fakes[0].answer(flags=w.QR | w.TC)
    assert isinstance(asked.result, Reply)
    assert asked.result.flags & w.TC


def test_prefer_udp_fetches_what_was_truncated() -> None:
    stage = Stage("prefer_udp")
    asked = stage.ask()
    assert stage.fakes[0].answer(flags=w.QR | w.TC) == "udp"
    assert asked.result is None
    assert stage.fakes[0].answer(flags=w.QR | w.TC) == "tcp"  # whatever comes now
    assert rcode(asked) == 0


def test_the_next_upstream_over_udp_again() -> None:
    stage = Stage("prefer_udp")
    stage.ask()
    stage.fakes[0].answer(flags=w.QR | w.TC)
    stage.fakes[0].fail()
    assert stage.fakes[1].answer() == "udp"


def test_failures_go_round() -> None:
    stage = Stage()
    asked = stage.ask()
    for fake in (0, 1, 0):
        stage.fakes[fake].fail()
        assert asked.result is None
    stage.fakes[1].fail("read udp 192.0.2.9:4242->192.0.2.2:53: i/o timeout")
    assert isinstance(asked.result, Failure)
    assert str(asked.result) == "read udp 192.0.2.9:4242->192.0.2.2:53: i/o timeout"
    assert asked.result.rcode == codes.SERVFAIL


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts(attempts: int) -> None:
    stage = Stage(f"max_connect_attempts {attempts}")
    asked = stage.ask()
    for attempt in range(attempts):
        assert asked.result is None
        stage.fakes[attempt % 2].fail()
    assert isinstance(asked.result, Failure)


def test_attempts_without_end_end_with_the_deadline() -> None:
    stage = Stage("max_connect_attempts 0", to="192.0.2.1")
    asked = stage.ask()
    tried = 0
    while asked.result is None:
        stage.fakes[0].fail()
        stage.clock.advance(0.06)  # they are not made as fast as they fail
        tried += 1
    assert 50 < tried < 110


def test_nothing_is_tried_after_five_seconds() -> None:
    stage = Stage(to="192.0.2.1 192.0.2.2 192.0.2.3")
    asked = stage.ask()
    for fake in (0, 1, 2):
        assert asked.result is None
        assert stage.fakes[fake].waiting
        stage.clock.advance(2)
    assert isinstance(asked.result, Failure)


def test_a_down_upstream_is_passed_over() -> None:
    stage = Stage("max_fails 1", "max_connect_attempts 1")
    stage.ask()
    stage.fakes[0].fail()
    for _ in range(2):
        stage.fakes[0].probes[-1].fail()
        stage.clock.advance(0.5)
    asked = stage.ask()
    stage.fakes[1].answer()
    assert rcode(asked) == 0
    stage.fakes[0].probes[-1].reply(b"id\x80\0\0\0\0\0\0\0\0\0")
    stage.ask("other.example.org.")
    assert stage.fakes[0].waiting


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_last_attempt_is_for_one_that_seems_to_be_down(number: int) -> None:
    stage = Stage(to="192.0.2.1 192.0.2.2 192.0.2.3")
    stage.forward.upstreams[number].fails = 3
    asked = stage.ask()
    up = [fake for fake in stage.fakes if fake is not stage.fakes[number]]
    for attempt in range(5):
        assert asked.result is None
        up[attempt % 2].fail()
    stage.fakes[number].answer()
    assert rcode(asked) == 0


def test_max_fails_of_none_never_probes() -> None:
    stage = Stage("max_fails 0")
    stage.ask()
    stage.fakes[0].fail()
    assert not stage.fakes[0].probes


@pytest.mark.parametrize("failfast", [True, False])
def test_all_are_down(failfast: bool) -> None:
    stage = Stage("max_connect_attempts 1", *["failfast_all_unhealthy_upstreams"] * failfast)
    for upstream in stage.forward.upstreams:
        upstream.fails = 3
    asked = stage.ask()
    if failfast:
        assert str(asked.result) == "no healthy proxies"
    else:
        assert sum(len(fake.waiting) for fake in stage.fakes) == 1


def test_failover() -> None:
    stage = Stage("failover SERVFAIL BADCOOKIE", to="192.0.2.1 192.0.2.2 192.0.2.3")
    asked = stage.ask()
    stage.fakes[0].answer(codes.SERVFAIL)
    stage.fakes[1].answer(record=b"\0\0\x29\4\xd0\1\0\0\0\0\0", rcode=7)  # in the answer section: no EDNS
    assert rcode(asked) == 7
    asked = stage.ask()
    for fake in stage.fakes:
        assert asked.result is None
        fake.answer(codes.SERVFAIL)
    assert rcode(asked) == codes.SERVFAIL  # the last one is as good as the first


def stages(*texts: str) -> tuple[list[Forward], list[Hand]]:
    found = parse("\n".join(texts))
    for stage, follower in pairwise(found):
        stage.next = follower.serve
    with FakeUpstreams() as upstreams:
        for stage in found:
            stage.clock = FakeClock()
            stage.start()
    found[-1].next = lambda _query: Reply(b"\0\0\0\x09")
    return found, [Hand(upstreams[stage.upstreams[0].name]) for stage in found]


def test_next_hands_over_to_the_next_forward() -> None:
    found, fakes = stages("forward . 192.0.2.1 {\nnext NXDOMAIN\n}", "forward . 192.0.2.2 {\nnext NXDOMAIN\n}")
    asked = found[0].serve(make_query())
    fakes[0].answer(codes.NXDOMAIN)
    fakes[1].answer(codes.NXDOMAIN)
    assert rcode(asked) == codes.NXDOMAIN  # the last one has no forward behind it
    asked = found[0].serve(make_query())
    fakes[0].answer(codes.SERVFAIL)
    assert rcode(asked) == codes.SERVFAIL


def test_next_on_nodata() -> None:
    found, fakes = stages("forward . 192.0.2.1 {\nnext_on_nodata\n}", "forward . 192.0.2.2")
    asked = found[0].serve(make_query())
    fakes[0].answer(codes.NXDOMAIN, record=b"")
    assert rcode(asked) == codes.NXDOMAIN
    asked = found[0].serve(make_query())
    fakes[0].answer(record=b"")
    fakes[1].fail()
    fakes[1].fail()
    assert isinstance(asked, Deferred)
    assert isinstance(asked.result, Failure)


def test_next_may_reach_another_plugin() -> None:
    found, fakes = stages("forward . 192.0.2.1 {\nnext SERVFAIL\n}", "forward example.net 192.0.2.2")
    asked = found[0].serve(make_query())
    fakes[0].answer(codes.SERVFAIL)
    assert rcode(asked) == 9


# --- equal questions ---


def test_equal_questions_are_asked_once() -> None:
    stage = Stage()
    names = ("www.example.org.", "WWW.example.org.", "www.EXAMPLE.org.")
    asked = [stage.ask(name) for name in names]
    assert len(stage.fakes[0].waiting) == 1
    stage.fakes[0].answer()
    for name, deferred in zip(names, asked, strict=True):
        assert isinstance(deferred.result, Reply)
        assert deferred.result.wire[12:] == make_query(name).question + RECORD
    stage.ask()
    assert len(stage.fakes[0].waiting) == 1


def test_equal_questions_fail_together() -> None:
    stage = Stage("max_connect_attempts 1")
    asked = [stage.ask(), stage.ask()]
    stage.fakes[0].fail()
    assert asked[0].result is asked[1].result


@pytest.mark.parametrize(
    "other",
    [
        {"name": "w.example.org."},
        {"qtype": "AAAA"},
        {"qtype": "TYPE33"},
        {"qclass": 3},
        {"flags": 0},
        {"flags": w.RD | w.CD},
        {"edns": 1232},
        {"edns": 1232, "do": True},
        {"transport": "tcp"},
    ],
)
def test_different_questions_are_asked_each(other: dict[str, Any]) -> None:
    stage = Stage()
    stage.ask()
    stage.ask(**other)
    assert len(stage.fakes[0].waiting) == 2


def test_signed_questions_are_asked_each() -> None:
    stage = Stage()
    plain = make_query()
    tsig = b"\0" + w.RECORD.pack(codes.TSIG, 255, 0, 0)
    for _ in range(2):
        signed = Query(w.with_additional(plain.wire, tsig), plain.endpoint, plain.client)
        stage.forward.serve(signed)
    assert len(stage.fakes[0].waiting) == 2


def test_max_concurrent() -> None:
    stage = Stage("max_concurrent 2")
    asked = [stage.ask(), stage.ask()]  # equal ones count, too
    with pytest.raises(Failure, match="concurrent queries exceeded maximum 2") as caught:
        stage.ask()
    assert caught.value.rcode == codes.REFUSED
    stage.fakes[0].answer()
    assert rcode(asked[1]) == 0
    stage.ask()


# --- policies ---


def test_policies() -> None:
    three = ["a", "b", "c"]
    assert sequential(three) == three
    robin = RoundRobin()
    assert [list(robin(three)) for _ in range(3)] == [["b", "a", "c"], ["c", "a", "b"], ["a", "b", "c"]]
    assert {tuple(random(three)) for _ in range(200)} == {
        ("a", "b", "c"), ("a", "c", "b"), ("b", "a", "c"), ("b", "c", "a"), ("c", "a", "b"), ("c", "b", "a"),
    }  # fmt: skip
    assert random(["a"]) == robin(["a"]) == ["a"]


# --- upstreams by name ---


def test_names_are_looked_up_at_the_start() -> None:
    [stage] = parse("forward . ns.example.org:5353 192.0.2.1:5353 {\nresolver 192.0.2.9 192.0.2.8\n}")
    stage.clock = FakeClock()
    upstreams = FakeUpstreams()
    dead, resolver = Hand(upstreams["192.0.2.9"]), Hand(upstreams["192.0.2.8"])

    async def start() -> None:
        starting = stage.start()
        assert starting is not None
        task = asyncio.ensure_future(starting)
        await asyncio.sleep(0)
        dead.fail()
        for record in (RECORD, b"\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10" + b"\x20\x01" + bytes(14)):
            for _ in range(3):
                await asyncio.sleep(0)
            resolver.answer(record=record)
        await task

    with upstreams:
        asyncio.run(start())
    assert [one.name for one in stage.upstreams] == ["192.0.2.1:5353", "[2001::]:5353"]


def test_a_name_without_addresses_stops_the_start() -> None:
    [stage] = parse("forward . ns.example.org {\nresolver 192.0.2.9\n}")
    stage.name, stage.clock = "forward", FakeClock()
    upstreams = FakeUpstreams()
    upstreams["192.0.2.9"].answer(rcode=codes.NXDOMAIN)

    async def start() -> None:
        await stage.start()  # type: ignore[misc]  # a coroutine

    with upstreams, pytest.raises(ConfigError, match=r"plugin/forward: .*ns\.example\.org"):
        asyncio.run(start())


# --- in a server ---


@pytest.fixture
def upstream() -> Iterator[Running]:
    with Running(". {\nwhoami\n}") as running:
        yield running


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_way_of_a_query_builds_no_records(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, upstream: Running, transport: str
) -> None:
    server = serve(f". {{\nforward . 127.0.0.1:{upstream.port}\n}}")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a record was built")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", never)
    monkeypatch.setattr(dnslib.DNSRecord, "pack", never)
    for number in range(3):
        reply = server.ask(f"{number}.example.org.", transport=transport, edns=1232)
        assert reply.rcode == 0
        assert reply.wire[6:12] == b"\0\0\0\0\0\3"  # address, port and OPT


def test_a_dead_upstream_costs_no_answer(serve: Serve, upstream: Running, free_port: Callable[[], int]) -> None:
    dead = free_port()
    server = serve(f". {{\nforward . 127.0.0.1:{dead} 127.0.0.1:{upstream.port} {{\npolicy sequential\n}}\n}}")
    for transport in ("udp", "tcp"):
        assert server.ask(transport=transport).rcode == 0


def _examples() -> list[str]:
    import corepy.plugins.forward  # noqa: PLC0415 - for its place alone

    text = (Path(corepy.plugins.forward.__file__).parent / "README.md").read_text()
    return [part.split("~~~")[0] for part in text.split("~~~ corefile\n")[1:]]


@pytest.mark.parametrize("example", _examples())
def test_examples_of_the_manual_page_start(serve: Serve, example: str) -> None:
    assert serve(example).port


# --- reloads ---


def opened(text: str) -> tuple[Forward, FakeUpstreams]:
    [found] = parse(text)
    with FakeUpstreams() as upstreams:
        found.start()
    return found, upstreams


def test_equal_upstreams_are_taken_over_with_their_health() -> None:
    old, before = opened("forward . 192.0.2.1 192.0.2.2")
    new, after = opened("forward . 192.0.2.3 192.0.2.2 {\nmax_fails 5\n}")
    old.upstreams[1].fails = 4
    new.adopt(old)
    assert [one.name for one in new.upstreams] == ["192.0.2.3:53", "192.0.2.2:53"]
    assert new.upstreams[1] is old.upstreams[1]
    assert new.upstreams[1].fails == 4
    assert len(old.upstreams) == 2   # which its last queries go on with
    assert (after["192.0.2.3"].held, after["192.0.2.2"].held) == (1, 0)
    old.stop()
    assert (before["192.0.2.1"].held, before["192.0.2.2"].held) == (0, 1)
    new.stop()
    assert before["192.0.2.2"].held == 0


def test_upstreams_whose_sockets_are_kept_otherwise_begin_anew() -> None:
    old, before = opened("forward . 192.0.2.1")
    new, after = opened("forward . 192.0.2.1 {\nexpire 3s\n}")
    new.adopt(old)
    old.stop()
    assert (before["192.0.2.1"].held, after["192.0.2.1"].held) == (0, 1)
