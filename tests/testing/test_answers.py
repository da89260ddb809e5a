"""What came back, as text, and what a test wants of it."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy.reply import Reply
from corepy.testing import Answer, Expectation, expect, make_query

A, ALIAS = "www.example.org. 300 IN A 192.0.2.1", "Web.example.org. 60 IN CNAME www.example.org."
NS = "example.org. 900 IN NS ns.example.org."


def answer(*records: str, rcode: int = codes.NOERROR) -> Answer:
    return Answer(Reply.answer(make_query("www.example.org."), *records, authority=[NS], rcode=rcode))


def test_a_reply_as_text() -> None:
    got = answer(ALIAS, A)
    assert got.records == [ALIAS, A]
    assert got.authority == [NS]
    assert got.additional == []
    assert (got.rcode, got.flags, got.ttl, got.edns) == ("NOERROR", ["qr", "aa", "rd"], 60, None)
    assert answer().ttl is None
    assert repr(answer(A)) == f"<Answer NOERROR {A}>"
    assert repr(answer(rcode=3)) == "<Answer NXDOMAIN without records>"
    assert "www.example.org. 300 IN A 192.0.2.1" in str(answer(A))
    assert not got.from_upstream


def test_octets_that_are_no_message_can_be_shown() -> None:
    cut = Answer(Reply(answer(A).reply.wire[:-3]))
    assert "cut short" in repr(cut)
    assert "not readable" in str(cut)


def test_what_is_met_is_silent() -> None:
    expectation = expect(answer(ALIAS, A))
    expectation.rcode("noerror").has(A)
    expectation.has("www.example.org. A 192.0.2.1", "WEB.example.org. CNAME WWW.example.org.")
    expectation.only(A, ALIAS).lacks("www.example.org. A 192.0.2.2").ttl(at_least=60, at_most=300)
    expectation.flags("qr", "aa", "-tc").from_upstream(False).has(NS, section="authority").empty("additional")
    expect(answer(A)).ttl(300)
    expect(answer()).empty()


def demands(wanted: Expectation) -> list[tuple[object, str]]:
    """Calls that fail, and what they say first."""
    return [
        (lambda: wanted.rcode("NXDOMAIN"), "wanted rcode NXDOMAIN, got NOERROR"),
        (lambda: wanted.has("www.example.org. 299 IN A 192.0.2.1"), "- www.example.org. 299 IN A 192.0.2.1"),
        (lambda: wanted.has(A, section="additional"), "the additional section lacks records"),
        (lambda: wanted.only("www.example.org. A 192.0.2.2"), f"+ {A}\n- www.example.org. A"),
        (lambda: wanted.only(A, A), "- www.example.org. 300 IN A 192.0.2.1"),
        (wanted.empty, "+ www.example.org. 300 IN A 192.0.2.1"),
        (lambda: wanted.lacks("www.example.org. A 192.0.2.1"), "records that it must not have"),
        (lambda: wanted.ttl(at_most=30), "wanted TTLs of 0 to 30, got 300"),
        (lambda: wanted.ttl(299), "wanted TTLs of 299, got 300"),
        (lambda: wanted.flags("aa", "tc"), "wanted flags aa tc, got qr aa rd"),
        (lambda: wanted.flags("-aa"), "wanted flags -aa, got qr aa rd"),
        (wanted.from_upstream, "wanted a reply from upstream, none was asked"),
    ]


@pytest.mark.parametrize("number", range(12))
def test_what_is_not_met_shows_the_whole_reply(number: int) -> None:
    demand, message = demands(expect(answer(A)))[number]
    assert callable(demand)
    with pytest.raises(AssertionError) as caught:
        demand()
    assert message in str(caught.value)
    assert ";; ->>HEADER<<- opcode: QUERY, status: NOERROR" in str(caught.value)


def test_what_differs_is_marked_in_its_section() -> None:
    with pytest.raises(AssertionError) as caught:
        expect(answer(A, "www.example.org. 300 IN A 192.0.2.2")).only(A, "www.example.org. 60 IN A 192.0.2.3")
    assert str(caught.value).split("\n")[8:] == [
        "  ;; ANSWER SECTION:",
        "  www.example.org. 300 IN A 192.0.2.1",
        "+ www.example.org. 300 IN A 192.0.2.2",
        "- www.example.org. 60 IN A 192.0.2.3",
        "",
        "  ;; AUTHORITY SECTION:",
        "  example.org. 900 IN NS ns.example.org.",
    ]
    with pytest.raises(AssertionError) as caught:
        expect(answer(A)).has(A, section="additional")
    assert str(caught.value).endswith(f"\n\n  ;; ADDITIONAL SECTION:\n- {A}")


def test_no_records_have_no_ttl() -> None:
    with pytest.raises(AssertionError, match="the answer section is empty"):
        expect(answer()).ttl(300)


def test_a_mistake_in_the_test_is_another_error() -> None:
    with pytest.raises(ValueError, match="is no section"):
        expect(answer()).has(A, section="answers")
    with pytest.raises(ValueError, match="is no flag"):
        expect(answer()).flags("xx")
    with pytest.raises(ValueError, match="A"):
        expect(answer(A)).has("www.example.org. A nonsense")
