"""Fake upstreams with real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from corepy.testing import Answer, Client, LoopbackUpstream, Upstreams, ask, expect
from corepy.testing.told import Pattern, Question

A, ALIAS = "www.example.org. 300 IN A 192.0.2.1", "web.example.org. 60 IN CNAME www.example.org."


@pytest.fixture
def upstreams() -> Iterator[Upstreams]:
    made = Upstreams()
    yield made
    made.close()


def answer(fake: LoopbackUpstream, name: str, qtype: str = "A", transport: str = "udp", **how: int) -> Answer:
    host, _, port = fake.address.partition(":")
    return Answer(ask(host, int(port), name, qtype, transport, **how))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_records_answer_whom_they_are_for(upstreams: Upstreams, transport: str) -> None:
    upstreams.answer(f"{ALIAS}\n{A}", "www.example.org. 300 IN AAAA 2001:db8::1")
    expect(answer(upstreams, "www.example.org.", transport=transport)).only(A).flags("ra", "-aa")
    expect(answer(upstreams, "WEB.example.org.", transport=transport)).only(ALIAS, A)
    expect(answer(upstreams, "www.example.org.", "ANY", transport)).has(A)
    assert [str(question) for question in upstreams.queries] == [
        "www.example.org. A", "web.example.org. A", "www.example.org. ANY",
    ]  # fmt: skip
    assert {question.transport for question in upstreams.queries} == {transport}
    upstreams.check()


def test_what_it_was_told_holds_in_order(upstreams: Upstreams) -> None:
    upstreams.servfail(once=True).nxdomain("*.example.org.").answer(A, to="* A").answer(to="*", rcode="REFUSED")
    got = [answer(upstreams, name, qtype).rcode for name, qtype in (("x", "A"), ("x.example.org", "A"), ("x", "TXT"))]
    assert got == ["SERVFAIL", "NXDOMAIN", "REFUSED"]
    expect(answer(upstreams, "x")).only(A)
    assert answer(upstreams.reset().answer(), "www.example.org.").records == []


def test_an_unexpected_question_is_told(upstreams: Upstreams) -> None:
    upstreams.answer(A)
    assert answer(upstreams["192.0.2.54"], "www.example.org.").rcode == "NOERROR"  # told nothing by itself
    named = upstreams["192.0.2.53"].servfail("www.example.org. TXT")
    assert answer(named, "www.example.org.").rcode == answer(upstreams, "www.example.org.", "AAAA").rcode == "REFUSED"
    with pytest.raises(AssertionError) as caught:
        upstreams.check()
    assert str(caught.value) == (
        "dns_upstream was asked\n  www.example.org. AAAA over udp\nand was told of\n  www.example.org. A\n"
        'if that is right: .answer(..., to="www.example.org. AAAA")\n'
        'dns_upstream["192.0.2.53"] was asked\n  www.example.org. A over udp\nand was told of\n  www.example.org. TXT\n'
        'if that is right: .answer(..., to="www.example.org. A")'
    )


def test_a_with_checks_at_its_end() -> None:
    with pytest.raises(AssertionError, match="told of\n  nothing"), Upstreams() as made:
        answer(made, "www.example.org.")
    with pytest.raises(ValueError, match="rcode"), Upstreams() as made:  # what the test has found counts
        made.answer(rcode=answer(made, "www.example.org.").rcode + "?")


def test_probes_are_answered_unless_told_otherwise(upstreams: Upstreams) -> None:
    upstreams.servfail(once=True)
    assert answer(upstreams, ".", "NS").rcode == "NOERROR"
    assert upstreams.queries == []
    assert answer(upstreams.servfail(), ".", "NS").rcode == "SERVFAIL"


def test_truncation_and_delay(upstreams: Upstreams) -> None:
    upstreams.answer(A, truncate=True, delay="1ms")
    expect(answer(upstreams, "www.example.org.")).flags("tc").empty()
    expect(answer(upstreams, "www.example.org.", transport="tcp")).flags("-tc").only(A)
    assert answer(upstreams, "www.example.org.", edns=1232).edns == 1232


def test_silence_and_nonsense(upstreams: Upstreams) -> None:
    upstreams.drop("silent.example.").answer(A)
    assert upstreams.hear(b"nonsense", "udp") is None
    host, _, port = upstreams.address.partition(":")
    with Client(host, int(port), timeout=0.05) as client, pytest.raises(TimeoutError):
        client.ask("silent.example.")


def test_addresses_of_a_corefile(upstreams: Upstreams) -> None:
    named, host = upstreams["tls://192.0.2.1"], upstreams["ns.example.org"]
    assert upstreams["192.0.2.1:853"] is named
    assert upstreams["NS.example.org.:53"] is host
    assert upstreams["192.0.2.1"] is not named
    assert named.address != host.address != upstreams.address
    assert upstreams.everyone[0] is upstreams


def test_patterns() -> None:
    asked = Question("www.example.org.", "A", "udp", b"")
    for text in ("*", "www.example.org", "WWW.example.org. a", "*.example.org. ANY", "*.org."):
        assert Pattern.read(text).fits(asked), text
    for text in ("example.org.", "www.example.org. AAAA", "*.www.example.org."):
        assert not Pattern.read(text).fits(asked), text
    assert repr(asked) == "<Question www.example.org. A over udp>"


@pytest.mark.parametrize(
    ("records", "how", "message"),
    [
        (["www.example.org. IN NOSUCH"], {}, "NOSUCH"),
        ([], {"to": "www.example.org. NOSUCH"}, "is no question"),
        ([], {"to": "a b c"}, "is no question"),
        ([], {"rcode": "NOSUCH"}, "is no rcode"),
        ([], {"delay": "soon"}, "is no duration"),
    ],
)
def test_a_mistake_shows_where_it_is_made(
    upstreams: Upstreams, records: list[str], how: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        upstreams.answer(*records, **how)  # type: ignore[arg-type]  # texts all of them
