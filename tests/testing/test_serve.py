"""A Corefile served in one call: in this process, in one of its own, by another program."""

from __future__ import annotations

import stat
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from corepy import corefile
from corepy.errors import ConfigError
from corepy.testing import Served, TestClock, Unsupported, expect, serve
from corepy.testing.layout import move_ports, written

WHOAMI = ". {\n whoami\n}\n"
FORWARD = ". {\n cache\n forward . 192.0.2.53 ns.example.org tls://192.0.2.54 {\n  policy sequential\n }\n}\n"
WWW = "www.example.org. 300 IN A 192.0.2.1"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A server that is a program of its own, as a CoreDNS is."""
    path = tmp_path / "coredns"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m corepy "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture(params=["in process", "as a program"])
def how(request: pytest.FixtureRequest, program: str) -> dict[str, Any]:
    return {} if request.param == "in process" else {"command": [program]}


def seen(dns: Served, **who: Any) -> str:
    """The client that whoami saw."""
    return dns.ask("example.org.", **who).additional[0].split()[-1]


# --- however it is served ---


def test_upstreams_of_all_kinds_are_fakes(how: dict[str, Any]) -> None:
    with serve(FORWARD, **how) as dns:
        dns.upstreams["192.0.2.53"].servfail()
        dns.upstreams["ns.example.org"].servfail()
        dns.upstreams.answer(WWW)
        for transport in ("udp", "tcp"):
            assert dns.ask("other.example.", transport=transport).rcode == "SERVFAIL"
        assert [str(question) for question in dns.upstreams["192.0.2.53"].queries] == ["other.example. A"]
    with serve(FORWARD.replace("192.0.2.53 ns.example.org", ""), **how) as dns:
        dns.upstreams["tls://192.0.2.54"].answer(WWW)
        expect(dns.ask("www.example.org.")).only(WWW).from_upstream()
        expect(dns.ask("www.example.org.", transport="tcp", edns=1232)).from_upstream(False)


def test_an_unexpected_question_is_an_error_at_the_end(how: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=r"www\.example\.org\. AAAA over udp"), serve(FORWARD, **how) as dns:
        expect(dns.ask("www.example.org.", "AAAA")).rcode("REFUSED")


def test_ports_stand_for_those_of_the_corefile(how: dict[str, Any]) -> None:
    text = f"{WHOAMI}example.org:5300 {{\n acl {{\n  block\n }}\n}}\nexample.net:53 {{\n acl {{\n  block\n }}\n}}\n"
    with serve(text, **how) as dns:
        assert len({dns.port(), dns.port(5300), 53, 5300}) == 4
        assert dns.ask("example.org.").rcode == "NOERROR"
        assert dns.ask("example.org.", port=5300).rcode == dns.ask("example.net.").rcode == "REFUSED"
        with pytest.raises(KeyError):
            dns.port(5301)
    with serve("example.org:5300 {\n whoami\n}\n", **how) as dns:
        assert dns.port() == dns.port(5300)


def test_reload(how: dict[str, Any]) -> None:
    with serve(WHOAMI, **how) as dns:
        port = dns.port()
        dns.reload("example.net {\n whoami\n}\n")
        assert dns.port() == port
        assert dns.ask("example.net.").rcode == "NOERROR"
        assert dns.ask("example.org.").rcode == "REFUSED"
        with pytest.raises(ConfigError, match="nonsense"):
            dns.reload(". {\n nonsense\n}\n")
        assert dns.ask("example.net.").rcode == "NOERROR"


def test_variables_and_files_beside_the_corefile(how: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.7 www.example.org\n")
    (tmp_path / "common").write_text("hosts hosts\n")
    (tmp_path / "Corefile").write_text("{$ZONE} {\n import common\n}\n")
    with serve(tmp_path / "Corefile", environment={"ZONE": "example.org"}, **how) as dns:
        expect(dns.ask("www.example.org.")).has("www.example.org. A 192.0.2.7")
        assert dns.ask("example.net.").rcode == "REFUSED"


def test_output(how: dict[str, Any]) -> None:
    with serve(". {\n log\n whoami\n}\n", **how) as dns, serve(WHOAMI, **how) as other:
        dns.ask("www.example.org.")
        dns.stop()  # the line comes behind the reply
        assert any("www.example.org." in line for line in dns.output)
        assert not any("www.example.org." in line for line in other.output)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_clients_behind_proxyproto(how: dict[str, Any], transport: str) -> None:
    with serve(". {\n proxyproto {\n  allow 127.0.0.0/8\n }\n whoami\n}\n", **how) as dns:
        assert seen(dns, transport=transport, client="10.1.2.3") == "10.1.2.3"
        assert seen(dns, transport=transport, client="127.0.0.9") == "127.0.0.9"
        assert seen(dns, transport=transport, proxy=("2001:db8::1", 53)) == "2001:db8::1"
        assert seen(dns, transport=transport) == "127.0.0.1"
    with serve(". {\n proxyproto {\n  allow 192.0.2.0/24\n }\n whoami\n}\n", **how) as dns:
        assert seen(dns, transport=transport, proxy="10.1.2.3") == "127.0.0.1"
        with pytest.raises(Unsupported, match=r"allow 127\.0\.0\.0/8"):
            dns.ask("example.org.", transport=transport, client="10.1.2.3")


# --- in this process ---


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_any_client_without_proxyproto(transport: str, how: dict[str, Any]) -> None:
    with serve(WHOAMI, **how) as dns:
        assert seen(dns, transport=transport, client="10.1.2.3") == "10.1.2.3"
        assert seen(dns, transport=transport, client="2001:db8::1") == "2001:db8::1"
        assert seen(dns, transport=transport) == "127.0.0.1"


def test_sessions_of_a_proxy_end_with_the_time(clock: TestClock) -> None:
    text = ". {\n proxyproto {\n  udp_session_tracking 28s\n }\n whoami\n}\n"
    with serve(text, clock=clock) as dns, dns.udp() as session:
        session.header("198.51.100.7")
        assert session.ask("example.org.").additional[0].endswith(" 198.51.100.7")
        clock.advance("29s")
        assert session.ask("example.org.").additional[0].endswith(" 127.0.0.1")
    with serve(text) as dns, dns.tcp() as stream:
        stream.header()
        assert stream.ask("example.org.").additional[0].endswith(" 127.0.0.1")


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


def test_time_is_the_tests(clock: TestClock) -> None:
    with serve(FORWARD, clock=clock) as dns, serve(FORWARD, clock=clock) as other:
        dns.upstreams.answer(WWW)
        expect(dns.ask("www.example.org.")).ttl(300)
        clock.advance("1m40s")
        clock.advance(100)
        expect(dns.ask("www.example.org.")).ttl(100).from_upstream(False)
        other.stop()  # a server that has ended is left out
        clock.advance("101s")
        expect(dns.ask("www.example.org.")).ttl(300).from_upstream()
    assert clock.now() == 1301
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


ACL = ". {\n acl {\n  block type TXT\n  drop type MX\n }\n whoami\n}\n"


def test_what_plugins_did_stands_below_an_answer() -> None:
    with serve(ACL) as dns:
        assert dns.ask("example.org.", "TXT").explanation == (
            "acl  Corefile:2  blocked by rule 1 at Corefile:3:3; answered REFUSED"
        )
        answer = dns.ask("example.org.", transport="tcp")
        assert answer.explanation.split("\n") == [
            "acl     Corefile:2  allowed: no rule is for the query; passed on",
            "whoami  Corefile:6  answered NOERROR without records",
        ]
        with pytest.raises(AssertionError, match=r"what plugins did:\n  acl     Corefile:2  allowed"):
            expect(answer).rcode("REFUSED")
        with pytest.raises(TimeoutError, match=r"what plugins did:\nacl  Corefile:2  dropped by rule 2"):
            dns.ask("example.org.", "MX", timeout=0.1)
        dns.reload(". {\n whoami\n}\n")
        assert dns.ask("example.org.").explanation == "whoami  Corefile:2  answered NOERROR without records"


def test_a_program_tells_nothing_of_its_plugins(program: str) -> None:
    with serve(WHOAMI, command=[program]) as dns:
        answer = dns.ask("example.org.")
        assert answer.explanation == ""
        with pytest.raises(AssertionError) as caught:
            expect(answer).rcode("REFUSED")
        assert "what plugins did" not in str(caught.value)


def test_a_witness_forgets() -> None:
    with serve(ACL) as dns, dns.udp() as client:
        for _ in range(1200):
            client.ask("example.org.")
        answer = client.ask("example.org.")
        assert len(answer.explanation.split("\n")) == 2
        assert dns.witness is not None
        assert len(str(dns.witness.since(None)).split("\n")) < 2100


def test_no_reply_says_why(clock: TestClock) -> None:
    with serve(". {\n forward . 192.0.2.53\n}\n", clock=clock) as dns:
        dns.upstreams.drop()
        with pytest.raises(TimeoutError, match=r"no reply to x\.example A over tcp in 0\.1 seconds; its time stands"):
            dns.ask("x.example", transport="tcp", timeout=0.1)


def test_a_timeout_without_waiting(clock: TestClock) -> None:
    with serve(". {\n forward . 192.0.2.53\n}\n", clock=clock) as dns, dns.udp() as client:
        dns.upstreams.drop()
        client.send("www.example.org.")
        while not dns.upstreams.heard:
            pass
        for _ in range(20):
            clock.advance("1s")
        assert client.receive().rcode == "SERVFAIL"


def test_a_bad_corefile_is_an_error_at_its_place() -> None:
    with pytest.raises(ConfigError, match="Corefile:2:2: unknown directive"), serve(". {\n nonsense\n}\n"):
        pass


# --- as a program ---


def test_what_a_program_cannot_have(program: str, clock: TestClock) -> None:
    old = Path(program).with_name("old")   # one that does not know proxyproto
    old.write_text(f'#!/bin/sh\n[ "$1" = -plugins ] && exit\nexec {program} "$@"\n')
    old.chmod(0o755)
    with serve(WHOAMI, command=[str(old)]) as dns, pytest.raises(Unsupported, match="in this process"):
        dns.ask("example.org.", client="10.1.2.3")
    with pytest.raises(Unsupported, match="clock"), serve(WHOAMI, clock=clock, process=True):
        pass


def test_a_program_that_does_not_serve_says_why(program: str) -> None:
    with pytest.raises(RuntimeError, match="nonsense"), serve(". {\n whoami nonsense\n}\n", command=[program]):
        pass


def test_the_text_of_a_corefile_reads_the_same() -> None:
    text = (
        '(one) {\n log\n}\n. example.org:5300 tls://example.net {\n import one\n header {\n  response set "a b\\"" #x\n'
        '  response set "{" "#y" ""\n }\n}\n2001:db8::/32 {\n whoami\n}\n'
    )
    parsed = corefile.load(text, "Corefile")
    assert corefile.load(written(parsed), "Corefile").digest == parsed.digest
    assert move_ports(parsed, lambda port: port + 1) == {53: 54, 5300: 5301, 853: 854}
    assert [list(block.keys) for block in parsed.blocks] == [
        [".:54", "example.org:5301", "tls://example.net:854"], ["2001:db8::/32:54"],
    ]  # fmt: skip


def test_servers_beside_each_other() -> None:
    with ExitStack() as stack:
        several = [stack.enter_context(serve(WHOAMI)) for _ in range(3)]
        assert len({dns.port() for dns in several}) == 3
