"""rewrite: what becomes of a query and its reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.endpoint import Endpoint
from corepy.errors import Failure
from corepy.plugins.rewrite import Rewrite
from corepy.query import Query
from corepy.records import EncodedRecord, decode, encode, parse_record
from corepy.reply import Outcome, Reply
from corepy.testing import make_query
from corepy.testing.messages import message

# --- a fake server behind ---


class Behind:
    """The next plugin: answers from records, and remembers what it was asked."""

    def __init__(self, *answer: str, authority: tuple[str, ...] = (), rcode: int = 0, opt: bytes = b"") -> None:
        self.records = [parse_record(text) for text in answer]
        self.authority = [parse_record(text) for text in authority]
        self.rcode = rcode
        self.opt = opt
        self.asked: list[Query] = []

    def __call__(self, query: Query) -> Reply:
        self.asked.append(query)
        body = encode(query.qname, self.records, self.authority) + self.opt
        counts = (len(self.records), len(self.authority), bool(self.opt))
        return Reply.build(query, self.rcode, counts=counts, body=body, plain=not self.opt)

    @property
    def names(self) -> list[str]:
        return [query.name for query in self.asked]


def parse(text: str) -> Rewrite:
    [plugin] = Rewrite.parse_all(directives(text))
    return plugin


def ready(text: str, behind: Callable[[Query], Outcome]) -> Rewrite:
    plugin = parse(text)
    plugin.next = behind
    return plugin


def ask(text: str, behind: Callable[[Query], Outcome], query: Query) -> Reply:
    """The reply that comes at once."""
    outcome = ready(text, behind).serve(query)
    assert isinstance(outcome, Reply)
    return outcome


def answers(reply: Reply) -> list[EncodedRecord]:
    return decode(reply.wire)[0]


def parsed(*texts: str) -> list[EncodedRecord]:
    return [parse_record(text) for text in texts]


def asked(reply: Reply) -> bytes:
    return reply.wire[12 : w.question_end(reply.wire)]


# --- names ---


@pytest.mark.parametrize(
    ("rule", "name", "becomes"),
    [
        ("exact a.test b.test", "A.Test", "b.test."),
        ("exact a.test b.test", "x.a.test", "x.a.test."),
        ("exact a.test .", "a.test", "."),
        ("exact . a.test", ".", "a.test."),
        ("exact a..test b.test", "a.test", "a.test."),
        ("prefix dev. prod.", "Dev.a.test", "prod.a.test."),
        ("prefix dev. prod.", "dev", "prod."),
        ("prefix dev prod", "developer.test", "developer.test."),
        ("suffix .a.test .b.example", "X.Y.a.TEST", "x.y.b.example."),
        ("suffix .a.test .b.example", "a.test", "a.test."),
        ("suffix .a.test .b.example", "xa.test", "xa.test."),
        ("suffix .a.test .b.example", r"x\001a.test", r"x\001a.test."),
        ("suffix a.test b.example", "xa.test", "xb.example."),
        ("suffix a.test .b.example", "x-a.test", "x-.b.example."),
        ("suffix .a.test .", "x.a.test", "x."),
        ("substring beta gamma", "1.beta.2.abeta.test", "1.gamma.2.agamma.test."),
        ("substring beta gamma", "betas.test", "betas.test."),
        (r"regex ^(.*)-(eu|us)\.svc\.test\.$ {2}.{1}.c.test", "web-EU.svc.test", "eu.web.c.test."),
        ("regex (x)?(a)(b)? {1}-{9}-{0}", "a.test", "-{9}-a."),
        ("regex ^b b", "a.test", "a.test."),
    ],
)
def test_names(rule: str, name: str, becomes: str) -> None:
    behind = Behind()
    query = make_query(name, edns=1232)
    reply = ask(f"rewrite name {rule}", behind, query)
    assert behind.names == [becomes]
    assert asked(reply) == query.question
    assert behind.asked[0].wire[:2] == query.wire[:2]
    assert behind.asked[0].edns == query.edns


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("substring tiny " + "a" * 64, "tiny.test"),
        ("suffix .test ." + "a" * 64, "x.test"),
        ("suffix .test ." + ".".join(["a" * 60] * 4), "x" * 60 + ".test"),
        ("exact a.test b..test", "a.test"),
        ("prefix a. .", "a.test"),
        (r"regex ^empty(.*)$ {1}", "emptyok.test"),
    ],
)
def test_a_new_name_that_is_none(rule: str, name: str) -> None:
    behind = Behind()
    with pytest.raises(Failure, match="invalid name after rewrite: "):
        ready(f"rewrite name {rule}", behind).serve(make_query(name))
    assert behind.asked == []


def test_a_query_that_no_rule_is_for_goes_on_as_it_is() -> None:
    query, reply = make_query("a.test"), Reply(b"as it came")
    seen = []
    plugin = ready("rewrite name b.test c.test\nrewrite ttl b.test 5", lambda query: seen.append(query) or reply)  # type: ignore[func-returns-value]  # append
    assert plugin.serve(query) is reply
    assert seen[0] is query


@pytest.mark.parametrize(
    ("rule", "given", "expected"),
    [
        # exact names come back by themselves, and so do those below
        ("exact a.test b.test", ["b.test. 9 IN A 192.0.2.1"], ["a.test. 9 IN A 192.0.2.1"]),
        ("exact a.test b.test", ["B.Test. 9 IN A 192.0.2.1"], ["a.test. 9 IN A 192.0.2.1"]),
        ("exact a.test b.test", ["b.test. 9 IN MX 1 X.b.test."], ["a.test. 9 IN MX 1 X.a.test."]),
        ("exact a.test b.test", ["b.test. 9 IN CNAME xb.test."], ["a.test. 9 IN CNAME xb.test."]),
        ("exact a.test .", [". 9 IN NS a.root."], ["a.test. 9 IN NS a.root."]),
        # others when they are asked to
        ("suffix a.test b.test", ["b.test. 9 IN A 192.0.2.1"], ["b.test. 9 IN A 192.0.2.1"]),
        ("prefix a. b.", ["b.test. 9 IN CNAME c.test."], ["b.test. 9 IN CNAME c.test."]),
        ("prefix a. b. answer auto", ["b.test. 9 IN CNAME x.b.test."], ["a.test. 9 IN CNAME x.a.test."]),
        ("suffix a.test b.test answer auto", ["x.b.test. 9 IN PTR y.B.test."], ["x.a.test. 9 IN PTR y.a.test."]),
        ("suffix .a.test .b.test", ["b.test. 9 IN A 192.0.2.1"], ["b.test. 9 IN A 192.0.2.1"]),
        (r"regex a(.*)\. b{1} answer auto", ["b.test. 9 IN SRV 1 2 3 b.test."], ["a.test. 9 IN SRV 1 2 3 a.test."]),
        # and as rules say
        (
            "prefix a. b. answer name (.*)b.test. {1}c.test value ^d e answer value ^f d",
            ["b.test. 9 IN CNAME f.test.", "x.b.test. 9 IN NS d.test."],
            ["c.test. 9 IN CNAME e.", "x.c.test. 9 IN NS e."],
        ),
    ],
)
def test_names_on_their_way_back(rule: str, given: list[str], expected: list[str]) -> None:
    query = make_query("a.test")
    reply = ask(f"rewrite name {rule}", Behind(*given), query)
    assert asked(reply) == query.question
    assert answers(reply) == parsed(*expected)


def test_the_plain_answer_is_the_same_octets_under_another_question() -> None:
    behind = Behind("x.b.example. 9 IN A 192.0.2.1", "x.b.example. 9 IN A 192.0.2.2")
    query = make_query("x.a.test")
    reply = ask("rewrite name suffix .a.test .b.example answer auto", behind, query)
    assert reply.wire == ask("rewrite name exact a b", Behind(*_owned("x.a.test.")), query).wire


def _owned(name: str) -> list[str]:
    return [f"{name} 9 IN A 192.0.2.{number}" for number in (1, 2)]


def test_the_question_comes_back_as_it_was_spelled_and_the_owner_as_the_rule_says() -> None:
    query = make_query("X.A.test")
    reply = ask("rewrite name suffix .a.test .b.test answer auto", Behind("x.b.test. 9 IN A 192.0.2.1"), query)
    assert asked(reply) == query.question
    assert answers(reply) == parsed("x.a.test. 9 IN A 192.0.2.1")


def test_authority_changes_too_and_opt_does_not() -> None:
    opt = w.opt_record(1232, flags=w.DO)
    behind = Behind(authority=("b.test. 9 IN SOA ns.b.test. root.b.test. 1 2 3 4 5",), opt=opt)
    text = "rewrite continue name regex ^a b answer name .* c answer value (.*)b.test. {1}d\nrewrite ttl b 7"
    reply = ask(text, behind, make_query("a.test", edns=1232))
    assert decode(reply.wire)[1] == parsed("c. 7 IN SOA ns.d. root.b.test. 1 2 3 4 5")
    assert reply.wire.endswith(opt)


def test_continue_and_stop() -> None:
    behind = Behind("d.test. 9 IN A 192.0.2.1")
    text = """
        rewrite continue name a.test b.test
        rewrite continue name prefix b. c. answer auto
        rewrite continue ttl c.test 7
        rewrite name c.test d.test
        rewrite name d.test never.test
    """
    reply = ask(text, behind, make_query("a.test"))
    assert behind.names == ["d.test."]
    assert answers(reply) == parsed("a.test. 7 IN A 192.0.2.1")


def test_an_answer_that_becomes_no_name() -> None:
    with pytest.raises(Failure, match="invalid name after rewrite"):
        ask(f"rewrite name regex a b answer name .* {'x' * 64}", Behind("b. 9 IN A 192.0.2.1"), make_query("a."))


def test_a_reply_that_is_no_message() -> None:
    cut = message_cut_short()
    for text in ("rewrite name regex a b answer name .* c", "rewrite ttl a 5", "rewrite name suffix .a .bc"):
        for wire in (b"short", cut):
            with pytest.raises(Failure, match="a reply that cannot be rewritten"):
                ask(text, lambda _, wire=wire: Reply(wire), make_query("x.a" if "suffix" in text else "a"))  # type: ignore[misc]  # one for each round


def message_cut_short() -> bytes:
    return Behind("b. 9 IN NS ns.b.")(make_query("b")).wire[:-3]


def test_silence_stays_silence() -> None:
    assert ask("rewrite name a b", lambda _: Reply.SILENCE, make_query("a")) is Reply.SILENCE


def test_a_reply_that_comes_later() -> None:
    waiting = Deferred()
    queries: list[Query] = []
    plugin = ready("rewrite name a.test b.test", lambda query: queries.append(query) or waiting)  # type: ignore[func-returns-value]  # append
    outcome = plugin.serve(make_query("a.test"))
    waiting.settle(Behind("b.test. 9 IN A 192.0.2.1")(queries[0]))
    assert isinstance(outcome, Deferred)
    assert isinstance(outcome.result, Reply)
    assert answers(outcome.result) == parsed("a.test. 9 IN A 192.0.2.1")


def test_records_of_the_query_keep_their_names() -> None:
    query = make_query("a.test", "SOA", flags=codes.NOTIFY << 11)
    soa = parse_record("a.test. 0 IN SOA ns.a.test. root.a.test. 1 2 3 4 5")
    wire = query.wire[:6] + b"\0\1" + query.wire[8:] + encode(query.qname, [soa])
    behind = Behind()
    ask("rewrite name a.test another.example", behind, query.with_wire(wire))
    assert behind.names == ["another.example."]
    assert decode(behind.asked[0].wire)[0] == [soa]


# --- type, class, TTL, rcode ---


def test_type_and_class() -> None:
    behind = Behind("a.test. 9 IN TXT x")
    query = make_query("a.test", "MX", qclass=codes.CH)
    reply = ask("rewrite continue type MX TXT\nrewrite class CH IN", behind, query)
    assert (behind.asked[0].qtype, behind.asked[0].qclass) == (codes.TXT, codes.IN)
    assert asked(reply) == query.question
    assert answers(reply) == parsed("a.test. 9 IN TXT x")


def test_where_nothing_stops_and_nothing_is_wanted_of_the_reply_it_goes_out_as_it_is() -> None:
    reply = ask("rewrite continue type ANY HINFO", Behind(), make_query("a.test", "ANY"))
    assert asked(reply) == make_query("a.test", "HINFO").question


@pytest.mark.parametrize(
    ("rule", "ttl", "becomes"),
    [
        ("a.test 15", 300, 15),
        ("a.test -100", 300, 100),
        ("prefix a 100-", 5, 100),
        ("regex ^a 5-9", 7, 7),
        ("b 1", 7, 7),
    ],
)
def test_ttl(rule: str, ttl: int, becomes: int) -> None:
    reply = ask(f"rewrite ttl {rule}", Behind(f"A.test. {ttl} IN MX 1 b.test."), make_query("A.test"))
    assert answers(reply) == parsed(f"A.test. {becomes} IN MX 1 b.test.")


@pytest.mark.parametrize(
    ("text", "rcode", "becomes"),
    [
        ("rewrite rcode regex .* SERVFAIL NOERROR", codes.SERVFAIL, codes.NOERROR),
        ("rewrite rcode regex .* SERVFAIL NOERROR", codes.NXDOMAIN, codes.NXDOMAIN),
        ("rewrite rcode b.test SERVFAIL NOERROR", codes.SERVFAIL, codes.SERVFAIL),
        ("rewrite rcode suffix test 3 BADCOOKIE", codes.NXDOMAIN, 23),
        ("rewrite continue rcode a.test 0 2\nrewrite rcode a.test 3 0", codes.NXDOMAIN, codes.SERVFAIL),
    ],
)
@pytest.mark.parametrize("opt", [b"", w.opt_record(1232)])
def test_rcode(text: str, rcode: int, becomes: int, opt: bytes) -> None:
    reply = ask(text, Behind(rcode=rcode, opt=opt), make_query("a.test", edns=1232))
    found = w.find_opt(reply.wire)
    assert reply.rcode | (found.ttl >> 24 << 4 if found else 0) == becomes


def test_an_rcode_that_the_client_cannot_be_told() -> None:
    with pytest.raises(Failure, match="BADSIG cannot be said to a client without EDNS"):
        ask("rewrite rcode a.test 0 BADSIG", Behind("a.test. 9 IN A 192.0.2.1"), make_query("a.test"))
    bad_cookie = Behind(rcode=codes.BADCOOKIE & w.RCODE, opt=w.opt_record(1232, codes.BADCOOKIE >> 4))
    with pytest.raises(Failure, match="BADCOOKIE cannot be said to a client without EDNS"):
        ask("rewrite edns0 local set 65001 x", bad_cookie, make_query("a.test"))
    rules = "rewrite continue edns0 local set 65001 x\nrewrite rcode a.test BADCOOKIE 3"
    reply = ask(rules, bad_cookie, make_query("a.test"))
    assert (reply.rcode, w.find_opt(reply.wire)) == (codes.NXDOMAIN, None)


def fail(error: Exception) -> Callable[[Query], Outcome]:
    def serve(_query: Query) -> Outcome:
        raise error

    return serve


def test_a_failure_has_the_rcode_of_the_rules() -> None:
    failure = Failure("refused")
    for text, rcode in (("a.test 2 0", 0), ("a.test 2 BADSIG", 2), ("a.test 2 3", 3)):
        with pytest.raises(Failure, match="refused") as caught:
            ask(f"rewrite rcode {text}", fail(failure), make_query("a.test"))
        assert caught.value.rcode == rcode
    with pytest.raises(Failure) as caught:
        ask("rewrite rcode a.test 3 0", fail(failure), make_query("a.test"))
    assert caught.value is failure


@pytest.mark.parametrize(("error", "rcode"), [(Failure("late"), 0), (ZeroDivisionError(), None)])
def test_a_failure_that_comes_later_has_it_too_and_a_bug_stays_one(error: Exception, rcode: int | None) -> None:
    waiting = Deferred()
    ready("rewrite rcode a.test 2 0", lambda _: waiting).serve(make_query("a.test"))
    waiting.settle(error)
    assert type(waiting.result) is type(error)
    assert getattr(waiting.result, "rcode", None) == rcode


# --- CNAMEs ---


class Known:
    """The server, asked by the plugin."""

    def __init__(self, *answer: str, tc: bool = False, silent: bool = False) -> None:
        self.behind = Behind(*answer)
        self.tc = tc
        self.silent = silent

    def __call__(self, name: bytes, qtype: int, query: Query) -> Outcome:
        wire = query.wire[:12] + name + w.QUESTION.pack(qtype, codes.IN) + query.wire[query.qend :]
        reply = self.behind(query.with_wire(wire))
        if self.tc:
            reply = Reply(reply.wire[:2] + bytes((reply.wire[2] | 2,)) + reply.wire[3:])
        return Reply.SILENCE if self.silent else reply


def follow(text: str, behind: Callable[[Query], Outcome], known: Known, query: Query) -> Reply:
    plugin = ready(text, behind)
    plugin.resolve = known

    async def main() -> Reply:
        return await plugin.serve(query)

    return asyncio.run(main())


CHAIN = ("a.test. 9 IN CNAME b.test.", "b.test. 9 IN CNAME Cdn.old.test.", "cdn.old.test. 9 IN A 192.0.2.1")


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ("cdn.old.test cdn.new.test", "cdn.new.test."),
        ("prefix cdn. x.y.", "x.y.old.test."),
        ("prefix cd new", "newn.old.test."),
        ("suffix old.test. new.", "cdn.new."),
        ("substring d o", "con.olo.test."),
        (r"regex ^(\S+)\.OLD\.test\.$ {1}.New", "cdn.new."),
    ],
)
def test_a_cname_leads_elsewhere(rule: str, target: str) -> None:
    known = Known(f"{target} 5 IN A 192.0.2.2")
    query = make_query("a.test", "A", edns=1232)
    reply = follow(f"rewrite cname {rule}", Behind(*CHAIN), known, query)
    assert answers(reply) == parsed(CHAIN[0], f"b.test. 9 IN CNAME {target}", f"{target} 5 IN A 192.0.2.2")
    assert asked(reply) == query.question
    assert known.behind.names == [target]


def test_a_cname_that_no_rule_is_for() -> None:
    known = Known()
    reply = follow("rewrite cname a b", Behind(*CHAIN), known, make_query("a.test"))
    assert answers(reply) == parsed(*CHAIN)
    assert known.behind.asked == []


def test_cname_rules_and_others_are_undone_in_reverse_order() -> None:
    text = "rewrite continue cname x.test y.test\nrewrite name suffix .test .example answer auto"
    known = Known("y.test. 5 IN A 192.0.2.2", tc=True)
    reply = follow(text, Behind("a.example. 9 IN CNAME x.example."), known, make_query("a.test"))
    assert answers(reply) == parsed("a.test. 9 IN CNAME y.test.", "y.test. 5 IN A 192.0.2.2")
    assert reply.flags & w.TC


def test_a_target_that_nobody_knows_or_that_is_no_name() -> None:
    reply = follow("rewrite cname cdn.old.test x.test", Behind(*CHAIN), Known(silent=True), make_query("a.test"))
    assert answers(reply) == parsed(CHAIN[0], "b.test. 9 IN CNAME x.test.")
    with pytest.raises(Failure, match="invalid name after rewrite"):
        follow("rewrite cname cdn.old.test x..test", Behind(*CHAIN), Known(), make_query("a.test"))


def test_silence_failures_and_cut_messages_on_the_way_of_cnames() -> None:
    text = "rewrite continue rcode regex .* 2 5\nrewrite cname a b"
    query = make_query("a.test")
    assert follow(text, lambda _: Reply.SILENCE, Known(), query) is Reply.SILENCE
    with pytest.raises(Failure) as caught:
        follow(text, fail(Failure("no")), Known(), query)
    assert caught.value.rcode == codes.REFUSED
    with pytest.raises(Failure, match="cannot be rewritten"):
        follow(text, lambda _: Reply(message_cut_short()), Known(), query)


def test_a_failure_keeps_its_identity_where_no_rule_is_for_it() -> None:
    failure = Failure("no")
    with pytest.raises(Failure) as caught:
        follow("rewrite cname a b", fail(failure), Known(), make_query("a.test"))
    assert caught.value is failure


# --- EDNS ---

OPT = w.opt_record(1400, options=w.option(3, b"ns1"))


def options(wire: bytes) -> list[tuple[int, bytes]] | None:
    """The EDNS options of a message; None where it has no OPT record."""
    found = w.find_opt(wire)
    return list(w.options(wire, found)) if found else None


def with_options(*given: tuple[int, bytes], do: bool = False, client: str = "192.0.2.1") -> Query:
    encoded = b"".join(w.option(code, data) for code, data in given)
    wire = message("A.test", edns=1232, do=do, options=encoded)
    return Query(wire, Endpoint("udp", "dns://:53"), Address.of(client, 4242), Address.of("192.0.2.53", 53))


@pytest.mark.parametrize(
    ("rules", "given", "becomes"),
    [
        ("local set 9999 abc", [], [(9999, b"abc")]),
        ("local set 9999 abc", [(9999, b"x"), (3, b"")], [(9999, b"abc"), (3, b"")]),
        ("local append 9999 abc", [], [(9999, b"abc")]),
        ("local append 9999 abc", [(9999, b"x")], [(9999, b"x"), (9999, b"abc")]),
        ("local append 9999 {qtype}", [(9999, b"x")], [(9999, b"x")]),
        ("local append 9999 {qtype}", [], [(9999, b"\0\1")]),
        ("local replace 9999 abc", [], []),
        ("local replace 9999 abc", [(9999, b"x")], [(9999, b"abc")]),
        ("local unset 9999", [(9999, b"x"), (1, b"y"), (9999, b"z")], [(1, b"y")]),
        ("local unset 9999", [], []),
        ("nsid set", [], [(3, b"")]),
        ("nsid replace", [(3, b"x")], [(3, b"")]),
        ("nsid unset", [(3, b"")], []),
        ("subnet set 20 56", [], [(8, b"\0\1\x14\0\xc0\0\0")]),
        ("subnet set 0 0", [(8, b"\0\1\x08\0\x0a")], [(8, b"\0\1\0\0")]),
        ("subnet append 32 128", [(8, b"\0\1\x08\0\x0a")], [(8, b"\0\1\x08\0\x0a")]),
        ("subnet replace 32 128", [], []),
        ("subnet unset", [(8, b"\0\1\x08\0\x0a")], []),
        ("local set 9999 {qname}", [], [(9999, b"A.test.")]),
        ("local set 9999 {client_ip}", [], [(9999, b"\xc0\0\2\1")]),
        ("local set 9999 {client_port}", [], [(9999, b"\x10\x92")]),
        ("local set 9999 {protocol}", [], [(9999, b"udp")]),
        ("local set 9999 {server_port}", [], [(9999, b"\0\x35")]),
        ("local set 9999 {server_ip}", [(1, b"")], [(1, b"")]),
        ("local set 9999 {view/name}", [(1, b"")], [(1, b"")]),
    ],
)
def test_options(rules: str, given: list[tuple[int, bytes]], becomes: list[tuple[int, bytes]]) -> None:
    behind = Behind()
    ask(f"rewrite edns0 {rules}", behind, with_options(*given, do=True))
    assert options(behind.asked[0].wire) == becomes
    assert behind.asked[0].edns
    assert (behind.asked[0].edns.size, behind.asked[0].do) == (1232, True)


@pytest.mark.parametrize("rule", ["local set 1 a", "local replace 1 a", "local unset 1", "nsid set", "subnet set 9 9"])
def test_a_query_without_edns_gets_an_opt_record_and_its_reply_has_none(rule: str) -> None:
    for opt in (b"", OPT):
        behind = Behind("A.test. 9 IN A 192.0.2.1", opt=opt)
        reply = ask(f"rewrite edns0 {rule} revert".replace("unset 1 revert", "unset 1"), behind, make_query("A.test"))
        assert behind.asked[0].edns
        assert behind.asked[0].edns.size == 4096
        assert options(reply.wire) is None
        assert answers(reply) == parsed("A.test. 9 IN A 192.0.2.1")


@pytest.mark.parametrize("rule", ["local set 1 {server_ip}", "local set 1 {view/name}"])
def test_a_variable_without_a_value_adds_nothing(rule: str) -> None:
    query, behind = make_query("a.test"), Behind()
    plugin = ready(f"rewrite edns0 {rule}", behind)
    plugin.serve(query)
    assert behind.asked == [query]


@pytest.mark.parametrize(
    ("endpoint", "client", "becomes"),
    [
        (Endpoint("udp", "", 53, b"\xc0\0\2\x35"), "192.0.2.1", [(1, b"\xc0\0\2\x35")]),
        (Endpoint("tcp", ""), "192.0.2.1", [(1, b"\xc0\0\2\x35")]),
        (Endpoint("tcp", ""), "2001:db8::1", []),
        (Endpoint("udp", ""), "2001:db8::1", [(1, bytes(16))]),
    ],
)
def test_the_address_of_the_server(endpoint: Endpoint, client: str, becomes: list[tuple[int, bytes]]) -> None:
    query = Query(message(edns=512), endpoint, Address.of(client, 1), Address.of("192.0.2.53", 53))
    behind = Behind()
    ask("rewrite edns0 local set 1 {server_ip}", behind, query)
    assert options(behind.asked[0].wire) == becomes


def test_ipv6_clients_have_networks_of_their_own() -> None:
    behind = Behind()
    ask("rewrite edns0 subnet set 24 44", behind, with_options(client="2001:db8:1234:5678::1"))
    assert options(behind.asked[0].wire) == [(8, b"\0\2\x2c\0\x20\x01\x0d\xb8\x12\x30")]


def test_what_plugins_know_is_asked_for_when_it_is_needed() -> None:
    for value in ("inside", lambda: "inside"):
        query, behind = with_options(), Behind()
        query.metadata = {"view/name": value}
        ask("rewrite edns0 local set 9999 {view/name}", behind, query)
        assert options(behind.asked[0].wire) == [(9999, b"inside")]


@pytest.mark.parametrize(
    ("rules", "given", "opt", "becomes"),
    [
        # what was named comes back, unless it is reverted; what was not named does not
        (["local set 9999 abc"], [(1, b"y"), (3, b"")], b"", [(3, b""), (9999, b"abc")]),
        (["local set 9999 abc revert"], [(3, b"")], b"", [(3, b"")]),
        (["local set 9999 abc revert"], [(9999, b"x")], b"", [(9999, b"x")]),
        (["local append 9999 abc revert"], [(9999, b"x")], b"", [(9999, b"x")]),
        (["local set 9999 a", "local replace 9999 b revert"], [], b"", [(9999, b"a")]),
        (["local set 9999 a revert", "local replace 9999 b revert"], [], b"", []),
        (["local append 9999 a revert", "local append 9999 b"], [(9999, b"x")], b"", [(9999, b"x"), (9999, b"b")]),
        (["local replace 9999 b"], [(9999, b"x")], b"", [(9999, b"b")]),
        (["local unset 9999"], [(9999, b"x"), (3, b"")], b"", [(3, b"")]),
        (["nsid set"], [], b"", [(3, b"")]),
        (["nsid set revert"], [], b"", []),
        (["subnet set 24 56"], [], b"", []),
        # a reply with an OPT record of its own keeps that
        (["local set 9999 abc"], [], OPT, [(3, b"ns1")]),
        (["nsid set revert"], [], OPT, []),
        (["nsid set revert"], [(3, b"mine")], OPT, [(3, b"mine")]),
    ],
)
def test_options_of_the_reply(
    rules: list[str], given: list[tuple[int, bytes]], opt: bytes, becomes: list[tuple[int, bytes]]
) -> None:
    text = "\n".join(f"rewrite continue edns0 {rule}" for rule in rules)
    reply = ask(text, Behind("A.test. 9 IN A 192.0.2.1", opt=opt), with_options(*given))
    assert options(reply.wire) == becomes
    assert answers(reply) == parsed("A.test. 9 IN A 192.0.2.1")


def test_an_option_that_a_rule_names_is_known_where_the_rule_does_not_apply() -> None:
    text = "rewrite name b.test c.test\nrewrite name a.test c.test\nrewrite edns0 local set 9999 abc"
    reply = ask(text, Behind(), with_options((9999, b"x"), (9998, b"y")))
    assert options(reply.wire) == [(9999, b"x")]


# --- any query ---

NAME = st.lists(st.sampled_from(["a", "B", "beta", r"x\.a", r"\000", "z" * 61]), max_size=4).map(".".join)
RULES = [
    "name exact a.b c", "name prefix a. beta.", "name suffix .a .longer answer auto", "name suffix a .b answer auto",
    "name substring beta gamma answer auto", "name regex ^(.*)a {1}c answer name (.*)c {1}a answer value c a",
    "ttl suffix a 5-9", "rcode regex .* 0 3", "type A MX", "edns0 nsid set revert", "edns0 local set 9999 {qname}",
]  # fmt: skip


@given(NAME, st.lists(st.sampled_from(RULES), min_size=1, max_size=4), st.booleans(), st.data())
def test_any_query_gets_a_reply_to_its_question_or_a_failure(
    name: str, rules: list[str], edns: bool, data: st.DataObject
) -> None:
    query = make_query(name, edns=1232 if edns else None)

    def serve(asked: Query) -> Reply:
        behind = Behind()
        mx = EncodedRecord(asked.qname, codes.MX, codes.IN, 7, b"\0\1" + asked.qname)
        behind.records = [mx, *parsed("b. 1 IN AAAA ::")]
        wire = bytearray(behind(asked).wire)
        for _ in range(data.draw(st.integers(0, 2))):
            wire[data.draw(st.integers(asked.qend, len(wire) - 1))] = data.draw(st.integers(0, 255))
        return Reply(bytes(wire))

    with suppress(Failure):
        reply = ask("\n".join(f"rewrite {rule}" for rule in rules), serve, query)
        assert reply.wire[:2] == query.wire[:2]
        assert asked(reply) == query.question
