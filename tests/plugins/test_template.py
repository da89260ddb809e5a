"""template: what its lines mean, what is wrong with them, and what it answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from corepy import codes, expression
from corepy import wire as w
from corepy.corefile import directives
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError, Failure
from corepy.fallthrough import Fallthrough
from corepy.gotemplate import Template, compile_template
from corepy.lookup import MAX_DEPTH
from corepy.metrics import FAMILIES, Counter
from corepy.plugin import Outcome, Query, Reply
from corepy.plugins.template import Templates
from corepy.plugins.template.functions import FUNCTIONS, parse_uint
from corepy.plugins.template.rule import Rule
from corepy.site import Site
from corepy.testing import make_query, message, serve

TEST = b"\4test\0"
BLOCK = "example.org.", "example.net."


def parse(text: str, zones: tuple[str, ...] = BLOCK) -> Templates:
    """The plugin of a text of directives, none of which may be left unread."""
    lines = directives(text)
    for line in lines:
        line.zones = tuple(map(w.encode_name, zones))
    [plugin] = Templates.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


def made(section: str, text: str) -> list[Template]:
    return [compile_template(text, section, FUNCTIONS)]


def rule(**fields: Any) -> Rule:
    return Rule(**{"rclass": codes.IN, "rtype": codes.A, "zones": (TEST,), **fields})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("template IN A test", rule()),
        ("template IN A", rule(zones=(w.encode_name("example.org."), w.encode_name("example.net.")))),
        ("template ANY ANY Test", rule(rclass=255, rtype=codes.ANY)),
        ("template CH TXT test {\n}", rule(rclass=codes.CH, rtype=codes.TXT)),
        ("template IN PTR 192.0.2.0/24", rule(rtype=codes.PTR, zones=(w.encode_name("2.0.192.in-addr.arpa."),))),
        (
            "template IN A test {\nmatch a b\nmatch c\n}",
            rule(expressions=[expression.compile(each) for each in "abc"]),
        ),
        (
            'template IN A test {\nanswer "{{ .Name }} A 192.0.2.1"\nauthority "a. NS b."\nadditional x\n}',
            rule(
                answer=made("answer", "{{ .Name }} A 192.0.2.1"),
                authority=made("authority", "a. NS b."),
                additional=made("additional", "x"),
            ),
        ),
        ("template IN A test {\nanswer a b\n}", rule(answer=[*made("answer", "a"), *made("answer", "b")])),
        ("template IN A test {\nrcode NXDOMAIN\nrcode REFUSED\n}", rule(rcode=codes.REFUSED)),
        ("template IN A test {\nrcode NOTIMPL\n}", rule(rcode=codes.NOTIMP)),
        ("template IN A test {\nrcode BADSIG\n}", rule(rcode=16)),
        ("template IN A test {\nederror 21\n}", rule(extended_error=(21, ""))),
        ('template IN A test {\nederror 65535 "no way"\n}', rule(extended_error=(65535, "no way"))),
        ("template IN A test {\nfallthrough\n}", rule(fallthrough=Fallthrough((b"\0",)))),
        ("template IN A test {\nfallthrough x.test\n}", rule(fallthrough=Fallthrough((b"\1x" + TEST,)))),
        ("template IN A test {\nupstream\nupstream 192.0.2.1\n}", rule()),
    ],
)
def test_lines(text: str, expected: Rule) -> None:
    assert parse(text) == Templates([expected])


def test_several_lines_are_one_plugin() -> None:
    assert parse("template IN A test\ntemplate ANY A test") == Templates([rule(), rule(rclass=255)])


@pytest.mark.parametrize(
    ("text", "at", "word"),
    [
        ("template", "1:1", "expected one of IN, CS, CH, HS, NONE, ANY"),
        ("template in A", "1:10", "'in'"),
        ("template IN", "1:1", "no type behind the class IN, expected a type such as A, or ANY"),
        ("template IN a", "1:13", "unknown type 'a'"),
        ("template IN A {\nrcode BADVERS\n}", "2:7", "unknown rcode 'BADVERS'"),
        ("template IN example.net", "1:13", "unknown type 'example.net'"),
        ("template IN A a..b", "1:15", "a..b"),
        ("template IN A {\nmatch\n}", "2:1", "expected a regular expression"),
        ("template IN A {\nmatch a (b\n}", "2:9", "missing )"),
        ("template IN A {\nmatch (?=a)\n}", "2:7", "perl operator"),
        ("template IN A {\nmatch " + "a" * 10_001 + "\n}", "2:7", "10001 octets, more than 10000"),
        ("template IN A {\nanswer\n}", "2:1", "'answer' lacks an argument, expected a record"),
        ("template IN A {\nauthority\n}", "2:1", "'authority' lacks"),
        ("template IN A {\nadditional\n}", "2:1", "'additional' lacks"),
        ('template IN A {\nanswer "{{ .Name 60 IN A 192.0.2.1"\n}', "2:8", "no template: unclosed action"),
        ('template IN A {\nanswer "{{ nope }}"\n}', "2:8", "function 'nope' is not defined, at 'nope }}'"),
        ("template IN A {\nrcode\n}", "2:1", "expected an rcode such as NXDOMAIN"),
        ("template IN A {\nrcode NODOMAIN\n}", "2:7", "unknown rcode 'NODOMAIN'"),
        ("template IN A {\nrcode NXDOMAIN REFUSED\n}", "2:16", "'REFUSED'"),
        ("template IN A {\nederror\n}", "2:1", "RFC 8914"),
        ("template IN A {\nederror blocked\n}", "2:9", "invalid extended error 'blocked'"),
        ("template IN A {\nederror 65536\n}", "2:9", "'65536'"),
        ("template IN A {\nederror +1\n}", "2:9", "'+1'"),
        ("template IN A {\nederror 1 a b\n}", "2:13", "'b'"),
        ("template IN A {\nfallthrough a..b\n}", "2:1", "a..b"),
        ("template IN A {\nvar len 1\n}", "2:5", "the name 'len' is taken"),
        ("template IN A {\nvar group 1\n}", "2:5", "the name 'group' is taken"),
        ("template IN A {\nvar true 1\n}", "2:5", "the name 'true' is taken"),
        ("template IN A {\nvar a 1\nvar a 2\n}", "3:5", "the name 'a' is taken"),
        ("template IN A {\nvar a-b 1\n}", "2:5", "invalid name of a variable 'a-b'"),
        ("template IN A {\nvar\n}", "2:1", "expected the name of a variable"),
        ("template IN A {\nvar a\n}", "2:1", "expected an expression"),
        ("template IN A {\nvar a b\nvar b 1\n}", "2:7", "unknown name 'b'"),
        ("template IN A {\nexpr\n}", "2:1", "expected an expression"),
        ('template IN A {\nexpr "type() =="\n}', "2:", "expected"),
        ("template IN A {\nvar a type()\nexpr a + 1\n}", "3:", "int"),
        ("template IN A {\nmatch a {\nb\n}\n}", "3:1", "no block for match"),
    ],
)
def test_mistakes(text: str, at: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    line = str(caught.value)
    assert line.startswith(f"plugin/template: Corefile:{at}")
    assert word in line


# --- answers ---


def ask(text: str, name: str = "www.test.", qtype: str = "A", **how: Any) -> Reply:
    """The reply to a question; what goes on to the next plugin is refused there, with NOTAUTH."""
    plugin = parse(text)
    plugin.next = lambda query: Reply.failed(query, codes.RCODES["NOTAUTH"])
    outcome = plugin.serve(make_query(name, qtype, **how))
    assert isinstance(outcome, Reply)
    return outcome


def texts(reply: Reply) -> list[str]:
    return [" ".join(str(record).split()) for record in (*reply.record.rr, *reply.record.auth, *reply.record.ar)]


RULE = "template {0} test {{\nmatch ^www\nanswer `{{{{ .Name }}}} 60 {1}`\n}}"


def test_one_record() -> None:
    reply = ask('template IN A test {\nanswer "{{ .Name }} 60 IN A 192.0.2.1"\n}', "WWW.test.")
    assert (reply.rcode, reply.flags) == (codes.NOERROR, w.QR | w.AA | w.RD)
    assert texts(reply) == ["www.test. 60 IN A 192.0.2.1"]
    assert reply.plain


def test_all_sections_and_an_rcode() -> None:
    text = """template IN ANY test {
        rcode NXDOMAIN
        answer "{{ .Name }} IN TXT \\"{{ .Type }} of {{ .Zone }}\\""
        authority "{{ .Zone }} 60 IN SOA ns.{{ .Zone }} root.{{ .Zone }} (1 2 3 4 5)"
        additional "ns.{{ .Zone }} 60 IN A 192.0.2.53" "ns.{{ .Zone }} 60 IN AAAA 2001:db8::53"
    }"""
    reply = ask(text)
    assert reply.rcode == codes.NXDOMAIN
    assert texts(reply) == [
        'www.test. 3600 IN TXT "A of test."',
        "test. 60 IN SOA ns.test. root.test. 1 2 3 4 5",
        "ns.test. 60 IN A 192.0.2.53",
        "ns.test. 60 IN AAAA 2001:db8::53",
    ]


@pytest.mark.parametrize(
    ("rule", "question", "rcode"),
    [
        ("IN A test", {}, "NXDOMAIN"),
        ("IN A test", {"name": "test."}, "NXDOMAIN"),
        ("IN A test", {"name": "www.example.org."}, "NOTAUTH"),
        ("IN A test", {"name": "wwwtest."}, "NOTAUTH"),
        ("IN A .", {"name": "."}, "NXDOMAIN"),
        ("IN A test", {"qtype": "AAAA"}, "NOTAUTH"),
        ("IN A test", {"qtype": "ANY"}, "NXDOMAIN"),
        ("IN ANY test", {"qtype": "TYPE65280"}, "NXDOMAIN"),
        ("IN A test", {"qclass": codes.CH}, "NOTAUTH"),
        ("IN A test", {"qclass": 255}, "NXDOMAIN"),
        ("ANY A test", {"qclass": codes.CH}, "NXDOMAIN"),
    ],
)
def test_which_questions_it_is_for(rule: str, question: dict[str, Any], rcode: str) -> None:
    assert ask(f"template {rule} {{\nrcode NXDOMAIN\n}}", **question).rcode == codes.RCODES[rcode]


@pytest.mark.parametrize(
    ("options", "name", "rcode"),
    [
        ("match ^www", "www.test.", "NXDOMAIN"),
        ("match ^www", "WwW.test.", "NXDOMAIN"),
        ("match ^ftp ^www", "www.test.", "NXDOMAIN"),
        ("match ^ftp", "www.test.", "SERVFAIL"),
        ("match ^ftp\nfallthrough", "www.test.", "NOTAUTH"),
        ("match ^ftp\nfallthrough x.test", "www.test.", "SERVFAIL"),
        ("match ^ftp\nfallthrough x.test", "www.x.test.", "NOTAUTH"),
        (r"match ^a\\[.]b[.]", r"a\.b.test.", "NXDOMAIN"),
    ],
)
def test_expressions_and_fallthrough(options: str, name: str, rcode: str) -> None:
    assert ask(f"template IN A test {{\nrcode NXDOMAIN\n{options}\n}}", name).rcode == codes.RCODES[rcode]


@pytest.mark.parametrize(
    ("options", "name", "rcode"),
    [
        ("expr type() == 'A'", "www.test.", "NXDOMAIN"),
        ("expr type() == 'MX'", "www.test.", "SERVFAIL"),
        ("expr type() == 'MX'\nfallthrough", "www.test.", "NOTAUTH"),
        ("expr do()\nexpr true\nfallthrough", "www.test.", "NOTAUTH"),
        ("expr client_ip()\nfallthrough", "www.test.", "NOTAUTH"),    # no bool, so not true
        ("match ^(?P<host>[a-z]+)\nexpr group('host') == 'www' && group(1) == 'www'", "www.test.", "NXDOMAIN"),
        ("match ^(?P<host>[a-z]+)\nexpr group('other') == '' && group(7) == ''", "www.test.", "NXDOMAIN"),
        ("var n len(name())\nvar twice n * 2\nexpr twice == 18\nfallthrough", "www.test.", "NXDOMAIN"),
        ("var n len(name())\nexpr n == 1\nvar late 1 / 0\nfallthrough", "www.test.", "NOTAUTH"),
    ],
)
def test_conditions(options: str, name: str, rcode: str) -> None:
    assert ask(f"template IN A test {{\nrcode NXDOMAIN\n{options}\n}}", name).rcode == codes.RCODES[rcode]


def test_variables_are_there_for_templates() -> None:
    text = """template IN A test {
        match ^(?P<ip>[0-9-]+)[.]
        var ip replace(group('ip'), '-', '.')
        expr "incidr(ip, '10.0.0.0/8')"
        answer "{{ .Name }} 60 IN A {{ .Var.ip }}"
        fallthrough
    }"""
    assert texts(ask(text, "10-1-2-3.test.")) == ["10-1-2-3.test. 60 IN A 10.1.2.3"]
    assert ask(text, "192-0-2-1.test.").rcode == codes.RCODES["NOTAUTH"]


def test_an_expression_without_a_value_is_a_failure() -> None:
    with pytest.raises(Failure, match="has no value"):
        ask("template IN A test {\nexpr \"incidr('x', '10.0.0.0/8')\"\nfallthrough\n}")


def test_the_first_rule_that_matches_answers() -> None:
    text = """template IN A test {
        match ^a
        rcode NXDOMAIN
        fallthrough
    }
    template IN A x.test test {
        answer "{{ .Name }} 60 IN TXT \\"{{ .Zone }}\\""
    }"""
    assert ask(text, "a.test.").rcode == codes.NXDOMAIN
    assert texts(ask(text, "b.test.")) == ['b.test. 60 IN TXT "test."']
    assert texts(ask(text, "b.x.test.")) == ['b.x.test. 60 IN TXT "x.test."']


def test_servfail_is_plain() -> None:
    reply = ask('template IN A test {\nrcode SERVFAIL\nanswer "nonsense"\n}')
    assert (reply.rcode, reply.flags & w.AA) == (codes.SERVFAIL, 0)


def test_an_extended_error_is_for_those_who_speak_edns() -> None:
    text = 'template IN A test {\nrcode NXDOMAIN\nederror 15 "listed"\nadditional "a.test. 1 A 192.0.2.1"\n}'
    reply = ask(text, edns=1232)
    opt = w.find_opt(reply.wire)
    assert opt is not None
    assert list(w.options(reply.wire, opt)) == [(15, b"\0\x0flisted")]
    assert not reply.plain
    assert len(reply.record.ar) == 2
    assert texts(ask(text)) == ["a.test. 1 IN A 192.0.2.1"]


def test_an_extended_rcode_needs_edns() -> None:
    text = "template IN A test {\nrcode BADCOOKIE\n}"
    reply = ask(text, edns=1232)
    opt = w.find_opt(reply.wire)
    assert opt is not None
    assert (opt.ttl >> 24) << 4 | reply.rcode == 23
    assert list(w.options(reply.wire, opt)) == []
    with pytest.raises(Failure, match="BADCOOKIE cannot be said"):
        ask(text)


def test_options_come_back_beside_an_extended_rcode_but_not_beside_an_extended_error() -> None:
    cookie, local = (codes.COOKIE, b"12345678"), (65001, b"x")
    wire = message("a.test", edns=1232, options=w.option(*cookie) + w.option(*local))
    for more, options in (("", [cookie]), ("ederror 15", [(15, b"\0\x0f")])):
        plugin = parse(f"template IN A test {{\nrcode BADSIG\n{more}\n}}")
        reply = plugin.serve(make_query().with_wire(wire))
        assert isinstance(reply, Reply)
        opt = w.find_opt(reply.wire)
        assert opt is not None
        assert (w.rcode(reply.wire, opt), list(w.options(reply.wire, opt))) == (codes.BADVERS, options)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ .Name }} 60 IN A {{ .Type }}", "answer made 'www.test. 60 IN A A': A: 'A' is no IPv4 address"),
        ("{{ .Name }} 60 IN A 192.0.2.{{ index .Match 5 }}", "answer:1:32: index: index out of range: 5"),
        ("{{ .Nothing }}", "answer:1:4: no field Nothing in"),
        ("{{ parseInt `300` 10 8 }}", "parseInt: 300 has more than 8 bits"),
        ("", "answer made '': no record"),
    ],
)
def test_what_makes_no_record_fails(template: str, why: str) -> None:
    with pytest.raises(Failure) as caught:
        ask(f'template IN A test {{\nanswer "{template}"\n}}')
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ .Name }} {{ .Zone }} {{ .Class }} {{ .Type }} {{ .Remote }}", "a.test. test. IN TXT 192.0.2.9"),
        ("{{ .Regex }}", "^(?P<host>[a-z]+)(-([0-9]))?[.]"),
        ("{{ .Match }} {{ len .Match }}", "[a. a  ] 4"),
        ("{{ .Group.host }} {{ index .Group `1` }} [{{ index .Group `3` }}] {{ .Group.nope }}", "a a [] <no value>"),
        ("{{ .Question.Name }} {{ .Question.Qtype }} {{ .Question.Qclass }}", "A.test. 16 1"),
        ("{{ len .Question.String }}", "16"),
        ("{{ .Message.Id }} {{ .Message.Opcode }} {{ .Message.Rcode }} {{ .Message.Len }}", "4660 0 0 35"),
        ("{{ .Message.RecursionDesired }} {{ .Message.CheckingDisabled }} {{ .Message.Response }}", "true false false"),
        ("{{ (index .Message.Question 0).Qtype }} {{ len .Message.Answer }} {{ len .Message.Ns }}", "16 0 0"),
        ("{{ range .Message.Extra }}{{ .Header.Rrtype }} {{ .Hdr.Class }} {{ .Header.Name }}{{ end }}", "41 1232 ."),
        ("{{ with .Message.IsEdns0 }}{{ .UDPSize }} {{ .Do }} {{ .Version }}{{ end }}", "1232 false 0"),
        ("[{{ .Meta `a/b` }}]", "[told]"),
        ("[{{ .Meta `a/c` }}]", "[late]"),
        ("[{{ .Meta `a/d` }}]", "[]"),
        ("{{ parseInt `7f` 16 8 }}", "127"),
        ("{{ len (print . .Message .Question) | lt 0 }}", "true"),
    ],
)
def test_fields(template: str, result: str) -> None:
    text = f'template IN TXT test {{\nmatch ^(?P<host>[a-z]+)(-([0-9]))?[.]\nanswer ". 0 IN TXT \\"{template}\\""\n}}'
    query = make_query("A.test.", "TXT", client="192.0.2.9", edns=1232)
    query.metadata = {"a/b": "told", "a/c": lambda: "late"}
    reply = parse(text).serve(query)
    assert isinstance(reply, Reply)
    assert b"".join(reply.record.rr[0].rdata.data).decode() == result


def test_classes_and_types_that_are_asked_for_as_any_are_the_rules() -> None:
    text = 'template CH TXT test {\nanswer ". 0 CH TXT {{ .Class }}-{{ .Type }}"\n}'
    assert texts(ask(text, qtype="ANY", qclass=255)) == ['. 0 CH TXT "CH-TXT"']
    text = 'template ANY ANY test {\nanswer ". 0 TXT [{{ .Class }}{{ .Type }}]"\n}'
    assert texts(ask(text, qtype="ANY", qclass=255)) == ['. 0 IN TXT "[ANYANY]"']
    assert texts(ask(text, qtype="TYPE65280", qclass=3841)) == ['. 0 IN TXT "[]"']


def test_a_message_without_edns() -> None:
    text = 'template IN A test {\nanswer ". 0 TXT [{{ if .Message.IsEdns0 }}yes{{ else }}no{{ end }}]"\n}'
    assert texts(ask(text)) == ['. 0 IN TXT "[no]"']


@pytest.mark.parametrize(
    ("text", "base", "bits", "number"),
    [
        ("0", 10, 8, 0), ("255", 10, 8, 255), ("ff", 16, 8, 255), ("FF", 16, 0, 255), ("0b1", 16, 64, 177),
        ("zz", 36, 64, 1295), ("0x10", 0, 64, 16), ("0b11", 0, 8, 3), ("0o17", 0, 8, 15), ("017", 0, 8, 15),
        ("0_17", 0, 8, 15), ("1_000", 0, 64, 1000), ("18446744073709551615", 10, 0, (1 << 64) - 1), ("007", 10, 8, 7),
    ],
)  # fmt: skip
def test_parse_int(text: str, base: int, bits: int, number: int) -> None:
    assert parse_uint(text, base, bits) == number


@pytest.mark.parametrize(
    ("text", "base", "bits", "why"),
    [
        ("", 10, 8, "no number"), ("-1", 10, 8, "no number"), ("+1", 10, 8, "no number"), (" 1", 10, 8, "no number"),
        ("1_0", 10, 8, "no number"), ("_1", 0, 8, "no number"), ("1__0", 0, 8, "no number"),
        ("0x1", 16, 8, "no number"),
        ("0b1", 2, 8, "no number"), ("08", 0, 8, "no number"), ("٣", 10, 8, "no number"), ("2", 2, 8, "base 2"),
        ("256", 10, 8, "8 bits"), ("1" * 101, 10, 0, "no number"), ("1" * 30, 10, 0, "64 bits"),
        ("1", 1, 8, "invalid base"), ("1", 37, 8, "invalid base"), ("1", 10, 65, "bit size"), ("1", 10, -1, "bit size"),
    ],
)  # fmt: skip
def test_parse_int_refuses(text: str, base: int, bits: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_uint(text, base, bits)


# --- metrics ---


def counted(name: str, *labels: str) -> int:
    family = FAMILIES[name]
    assert isinstance(family, Counter)
    return family.values.get(labels, 0)


def test_metrics() -> None:
    text = 'template IN TXT {0} {{\nanswer "{1}"\n}}'
    labels = "dns://:53", "counted.test.", "inside", "IN", "TXT"
    for template, result, failures in (
        ("{{ .Name }} TXT x", "", ""),
        ("{{ .Nope }}", "template_template_failures_total", "{{ .Nope }}"),
        ("{{ .Name }}", "template_rr_failures_total", "{{ .Name }}"),
    ):
        plugin = parse(text.format("counted.test", template))
        plugin.configure(Site([], view="inside"))
        before = counted("template_matches_total", *labels)
        try:
            plugin.serve(make_query("counted.test.", "TXT"))
        except Failure:
            assert counted(result, *labels, "answer", failures) == 1
        else:
            assert not result
        assert counted("template_matches_total", *labels) == before + 1


# --- the targets of CNAMEs ---

FOLLOWED = 'template IN ANY test {\nanswer "{{ .Name }} 60 IN CNAME Target.other."\nadditional "x. 1 A 192.0.2.9"\n}'


def follow(outcome: Outcome | Exception, qtype: str = "A", text: str = FOLLOWED) -> tuple[Reply, list[tuple[Any, ...]]]:
    """The reply where the server says this about the target, and what it was asked."""
    asked: list[tuple[Any, ...]] = []

    def resolve(name: bytes, qtype: int, query: Query) -> Outcome:
        asked.append((w.decode_name(name), codes.type_name(qtype), query))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def ask() -> Reply:
        return await plugin.serve(query)

    plugin, query = parse(text), make_query("www.test.", qtype)
    plugin.resolve = resolve
    reply = asyncio.run(ask())
    assert all(each[2] is query for each in asked)
    return reply, [each[:2] for each in asked]


@pytest.mark.parametrize(("qtype", "address"), [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")])
def test_the_servers_answer_for_the_target_follows(qtype: str, address: str) -> None:
    found = Reply.answer(
        make_query("target.other.", qtype), f"target.other. 30 IN {qtype} {address}", authority=["other. 1 IN NS a."]
    )
    reply, asked = follow(found, qtype)
    assert asked == [("Target.other.", qtype)]
    assert texts(reply) == [
        "www.test. 60 IN CNAME Target.other.", f"target.other. 30 IN {qtype} {address}", "x. 1 IN A 192.0.2.9",
    ]  # fmt: skip
    assert reply.flags & w.AA


def test_a_truncated_answer_makes_the_reply_truncated() -> None:
    target = make_query("target.other.")
    assert follow(Reply.build(target, flags=w.TC))[0].flags & w.TC
    assert not follow(Reply.failed(target))[0].flags & w.TC


@pytest.mark.parametrize("outcome", [Failure("circle"), TimeoutError("late"), Reply.SILENCE, Reply(b"\0" * 7)])
def test_a_target_without_an_answer_leaves_the_cname(outcome: Reply | Exception) -> None:
    reply, _ = follow(outcome)
    assert texts(reply) == ["www.test. 60 IN CNAME Target.other.", "x. 1 IN A 192.0.2.9"]


@pytest.mark.parametrize(
    ("qtype", "text"),
    [("CNAME", FOLLOWED), ("TXT", FOLLOWED), ("A", FOLLOWED.replace("CNAME Target.other.", "TXT x"))],
)
def test_other_types_are_not_followed(qtype: str, text: str) -> None:
    reply, asked = follow(Failure("not asked"), qtype, text)
    assert asked == []
    assert len(reply.record.rr) == 1


def test_every_cname_is_followed() -> None:
    text = 'template IN A test {\nanswer "www.test. 1 CNAME a.test." "www.test. 1 CNAME b.test."\n}'
    assert follow(Reply.failed(make_query()), text=text)[1] == [("a.test.", "A"), ("b.test.", "A")]


def test_a_server_follows_its_own_cnames_and_ends_in_circles() -> None:
    with serve("""
    . {
        template IN A a.test {
            answer "{{ .Name }} 60 IN CNAME {{ .Name }}b.test."
        }
        template IN ANY b.test {
            answer "{{ .Name }} 60 IN {{ if eq .Type `AAAA` }}AAAA 2001:db8::1{{ else }}A 192.0.2.1{{ end }}"
        }
        template IN A circle.test {
            answer "{{ .Name }} 60 IN CNAME circle.test."
        }
    }
    """) as dns:
        for transport in ("udp", "tcp"):
            assert dns.ask("www.a.test.", transport=transport).records == [
                "www.a.test. 60 IN CNAME www.a.test.b.test.", "www.a.test.b.test. 60 IN A 192.0.2.1",
            ]  # fmt: skip
            assert len(dns.ask("circle.test.", transport=transport).records) == MAX_DEPTH + 1


def test_what_is_odd_about_a_query_does_no_harm() -> None:
    wire = message("a b\\000.test.", "TXT")
    query = Query(wire, Endpoint("udp", "dns://:53"), b"")
    text = 'template IN TXT test {\nmatch (.*)\nanswer "{{ .Name }} 0 TXT x" "{{ .Question.Name }} 0 TXT y"\n}'
    reply = parse(text).serve(query)
    assert isinstance(reply, Reply)
    assert [name for name, *_ in _owners(reply)] == [query.qname, query.qname]


def _owners(reply: Reply) -> list[tuple[bytes, int]]:
    return [w.read_name(reply.wire, record.start) for record in w.records(reply.wire)]
