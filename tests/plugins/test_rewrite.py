"""rewrite: what a Corefile says."""

from __future__ import annotations

import pytest

from corepy import codes, expression
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.rewrite import Rewrite
from corepy.plugins.rewrite.edns import VARIABLES, Label, Literal, OptionRule, Subnet, Variable
from corepy.plugins.rewrite.names import Exact, Prefix, Regex, Substring, Suffix
from corepy.plugins.rewrite.rules import ClassRule, CnameRule, NameRule, RcodeRule, TtlRule, TypeRule
from corepy.plugins.rewrite.steps import Answer, CnameStep, TtlStep


def regex(text: str) -> Regex:
    return Regex(text, expression.compile(text))


FIELDS = "one of name, type, class, ttl, rcode, cname, edns0"
KINDS = "one of exact, prefix, suffix, substring, regex"
TTL = "seconds, or a range such as 30-300, 30- or -300"
ANSWER = "answer auto, answer name FROM TO or answer value FROM TO"

LINES = [
    # names
    ("rewrite name A.org b.org", NameRule(True, Exact("a.org."), "b.org.")),
    ("rewrite stop name exact a.org. b.org.", NameRule(True, Exact("a.org."), "b.org.")),
    ("rewrite CONTINUE NAME Prefix a. b.", NameRule(False, Prefix("a."), "b.")),
    ("rewrite name prefix dev- prod-", NameRule(True, Prefix("dev-."), "prod-.")),
    ("rewrite name suffix .a.org .b.org", NameRule(True, Suffix(".a.org."), ".b.org.")),
    (r"rewrite name suffix a\. b\\.", NameRule(True, Suffix("a\\.."), "b\\\\.")),
    ("rewrite name substring a b", NameRule(True, Substring("a."), "b.")),
    (r"rewrite name regex (.*)\.A {1}.B", NameRule(True, regex(r"(.*)\.A"), "{1}.b.")),
    ("rewrite name regex (a)(b) {0}{2}", NameRule(True, regex("(a)(b)"), "{0}{2}.")),
    ("rewrite name regex (a) {7}", NameRule(True, regex("(a)"), "{7}.")),
    ("rewrite name suffix a b answer auto", NameRule(True, Suffix("a."), "b.", True)),
    (
        "rewrite name exact a b answer name (.*)b {1}A value c d",
        NameRule(
            True, Exact("a."), "b.", False,
            (Answer("name", regex("(.*)b"), "{1}a."), Answer("value", regex("c"), "d.")),
        ),
    ),
    (
        "rewrite name prefix a b answer auto answer value c d",
        NameRule(True, Prefix("a."), "b.", True, (Answer("value", regex("c"), "d."),)),
    ),
    (
        "rewrite continue {\nname suffix a b\nanswer auto\n}",
        NameRule(False, Suffix("a."), "b.", True),
    ),
    ("rewrite {\ntype A AAAA\n}", TypeRule(True, codes.A, codes.AAAA)),
    ("rewrite name {\na b\n}", NameRule(True, Exact("a."), "b.")),
    ("rewrite", f"1:1: 'rewrite' lacks an argument, expected {FIELDS}"),
    ("rewrite continue", f"1:9: 'continue' without a rule, expected {FIELDS}"),
    ("rewrite continue {\n}", f"1:9: 'continue' without a rule, expected {FIELDS}"),
    ("rewrite names a b", f"1:9: unknown field 'names', expected {FIELDS}"),
    (
        "rewrite stop answer auto",
        "1:14: an answer rule that follows no name rule, expected name, and answer rules behind it",
    ),
    ("rewrite name a", "1:1: 'rewrite' lacks an argument, expected FROM and TO"),
    ("rewrite name a b c", f"1:14: invalid argument 'a', expected {KINDS}"),
    ("rewrite name glob a b", f"1:14: invalid argument 'glob', expected {KINDS}"),
    ("rewrite name a b {\nanswer auto\n}", "2:1: unexpected 'answer' in a block, opened at Corefile:1:18"),
    ("rewrite name suffix a b c", f"1:25: unexpected argument 'c', expected the end of the line or {ANSWER}"),
    ("rewrite name suffix a b answer", f"1:25: nothing behind 'answer', expected {ANSWER}"),
    ("rewrite name suffix a b answer auto answer", f"1:37: nothing behind 'answer', expected {ANSWER}"),
    ("rewrite name suffix a b answer both", "1:32: invalid argument 'both', expected one of auto, name, value"),
    ("rewrite name suffix a b answer name c", "1:32: 'name' lacks an argument, expected name FROM TO"),
    ("rewrite name suffix a b answer name ( d", "1:37: '(': no regular expression: missing ): ("),
    ("rewrite name suffix a b answer value c {1}", "1:40: '{1}' uses more groups than 'c' has, expected 0 at most"),
    (
        "rewrite name suffix a b answer auto name c d",
        "1:32: names cannot change back by themselves and by a rule, expected either auto or name FROM TO",
    ),
    ("rewrite name regex (a b", "1:20: '(a': no regular expression: missing ): (a, expected a regular expression"),
    ("rewrite name regex (a) {0}{1}", "1:24: '{0}{1}' uses more groups than '(a)' has, expected 1 at most"),
    ("rewrite name exact {1} b", "1:20: '{1}' uses more groups than 'b' has, expected 0 at most"),
    # types, classes
    ("rewrite type any Mx", TypeRule(True, codes.ANY, codes.MX)),
    ("rewrite continue class CH in", ClassRule(False, codes.CH, codes.IN)),
    ("rewrite class any NONE", ClassRule(True, 255, 254)),
    ("rewrite type A", "1:1: 'rewrite' lacks an argument, expected a type such as AAAA"),
    ("rewrite type A B", "1:16: invalid argument 'B', expected a type such as AAAA"),
    ("rewrite type A MX TXT", "1:19: unexpected argument 'TXT', expected the end of the line"),
    ("rewrite class XX IN", "1:15: invalid argument 'XX', expected a class such as IN"),
    # TTLs
    ("rewrite ttl A.org 15", TtlRule(True, Exact("a.org."), TtlStep(15, 15))),
    ("rewrite ttl prefix a 4294967295", TtlRule(True, Prefix("a."), TtlStep(2**32 - 1, 2**32 - 1))),
    ("rewrite ttl suffix .a -30", TtlRule(True, Suffix(".a."), TtlStep(0, 30))),
    ("rewrite ttl substring a 30-", TtlRule(True, Substring("a."), TtlStep(30, 2**31 - 1))),
    ("rewrite ttl regex A 7-30", TtlRule(True, regex("A"), TtlStep(7, 30))),
    ("rewrite ttl a", "1:1: 'rewrite' lacks an argument, expected a name and a TTL"),
    ("rewrite ttl a 5m", f"1:15: invalid TTL '5m', expected {TTL}"),
    ("rewrite ttl a -", f"1:15: invalid TTL '-', expected {TTL}"),
    ("rewrite ttl a 30-7", f"1:15: invalid TTL '30-7', expected {TTL}"),
    ("rewrite ttl a 1-2-3", f"1:15: invalid TTL '1-2-3', expected {TTL}"),
    ("rewrite ttl a 4294967296", f"1:15: invalid TTL '4294967296', expected {TTL}"),
    ("rewrite ttl a 3000000000-", f"1:15: invalid TTL '3000000000-', expected {TTL}"),
    ("rewrite ttl glob a 1", f"1:13: invalid argument 'glob', expected {KINDS}"),
    ("rewrite ttl exact a 1 2", "1:23: unexpected argument '2', expected the end of the line"),
    # rcodes
    ("rewrite rcode a SERVFAIL noerror", RcodeRule(True, Exact("a."), codes.SERVFAIL, codes.NOERROR)),
    ("rewrite rcode regex a 2 23", RcodeRule(True, regex("a"), 2, 23)),
    ("rewrite rcode suffix a notimpl badsig", RcodeRule(True, Suffix("a."), codes.NOTIMP, codes.BADVERS)),
    ("rewrite rcode a 2", "1:1: 'rewrite' lacks an argument, expected a name and two rcodes"),
    (
        "rewrite rcode a 24 0",
        "1:17: invalid argument '24', expected an rcode such as NXDOMAIN, or a number up to 23",
    ),
    (
        "rewrite rcode a badvers 0",
        "1:17: invalid argument 'badvers', expected an rcode such as NXDOMAIN, or a number up to 23",
    ),
    (
        "rewrite rcode a 0 OK",
        "1:19: invalid argument 'OK', expected an rcode such as NXDOMAIN, or a number up to 23",
    ),
    # CNAMEs
    ("rewrite cname A B", CnameRule(True, CnameStep(Exact("a."), "b."))),
    ("rewrite cname exact a. b.", CnameRule(True, CnameStep(Exact("a."), "b."))),
    ("rewrite continue cname prefix A- B-", CnameRule(False, CnameStep(Prefix("a-"), "b-"))),
    (
        r"rewrite cname regex (\S+)\.A {1}.B",
        CnameRule(True, CnameStep(Regex(r"(\S+)\.A", expression.compile(r"(?i)(\S+)\.A")), "{1}.b")),
    ),
    ("rewrite cname a", "1:1: 'rewrite' lacks an argument, expected FROM and TO"),
    ("rewrite cname glob a b", f"1:15: invalid argument 'glob', expected {KINDS}"),
    ("rewrite cname exact a b c", "1:25: unexpected argument 'c', expected the end of the line"),
    ('rewrite cname suffix "" b', "1:22: empty argument, expected a name"),
    # EDNS
    ("rewrite edns0 local set 0xffee abcd", OptionRule(True, "set", 0xFFEE, Literal(b"abcd"))),
    ("rewrite EDNS0 LOCAL Append 65001 0x61Fe revert", OptionRule(True, "append", 65001, Literal(b"a\xfe"), True)),
    ('rewrite edns0 local replace 010 "a b"', OptionRule(True, "replace", 8, Literal(b"a b"))),
    ("rewrite edns0 local set 0b11 0x", OptionRule(True, "set", 3, Literal(b""))),
    ("rewrite edns0 local set 6_5_001 a", OptionRule(True, "set", 65001, Literal(b"a"))),
    ("rewrite edns0 local set 0_10 a", OptionRule(True, "set", 8, Literal(b"a"))),
    ("rewrite edns0 local set 9 {client_ip}", OptionRule(True, "set", 9, Variable("{client_ip}"))),
    ("rewrite edns0 local set 9 {view/name}", OptionRule(True, "set", 9, Label("view/name"))),
    ("rewrite continue edns0 local unset 9", OptionRule(False, "unset", 9)),
    ("rewrite edns0 nsid set revert", OptionRule(True, "set", codes.NSID, revert=True)),
    ("rewrite edns0 nsid unset", OptionRule(True, "unset", codes.NSID)),
    ("rewrite edns0 subnet set 24 0x38", OptionRule(True, "set", codes.CLIENT_SUBNET, Subnet(24, 56))),
    ("rewrite edns0 subnet append 0 128 revert", OptionRule(True, "append", codes.CLIENT_SUBNET, Subnet(0, 128), True)),
    ("rewrite edns0 subnet unset", OptionRule(True, "unset", codes.CLIENT_SUBNET)),
    ("rewrite edns0 local", "1:1: 'rewrite' lacks an argument, expected one of set, append, replace, unset"),
    ("rewrite edns0 cookie set 1", "1:15: invalid argument 'cookie', expected one of local, nsid, subnet"),
    ("rewrite edns0 local change 9 a", "1:21: invalid argument 'change', expected one of set, append, replace, unset"),
    ("rewrite edns0 local set 9", "1:1: 'rewrite' lacks an argument, expected the data of the option"),
    (
        "rewrite edns0 local set 0x10000 a",
        "1:25: invalid argument '0x10000', expected the code of an option, from 0 to 65535",
    ),
    (
        "rewrite edns0 local set 09 a",
        "1:25: invalid argument '09', expected the code of an option, from 0 to 65535",
    ),
    (
        "rewrite edns0 local set 9 0xabc",
        "1:27: invalid argument '0xabc', expected pairs of hexadecimal digits behind 0x",
    ),
    (
        "rewrite edns0 local set 9 {/name}",
        f"1:27: unknown variable '{{/name}}', expected one of {', '.join(VARIABLES)}, or {{PLUGIN/LABEL}}",
    ),
    ("rewrite edns0 local set 9 a b", "1:29: unexpected argument 'b', expected the end of the line"),
    ("rewrite edns0 local unset 9 a", "1:29: unexpected argument 'a', expected the end of the line"),
    ("rewrite edns0 local unset 9 revert", "1:29: unexpected argument 'revert', expected the end of the line"),
    ("rewrite edns0 nsid set here", "1:24: unexpected argument 'here', expected no arguments"),
    (
        "rewrite edns0 subnet set 33 56",
        "1:26: invalid argument '33', expected bits of IPv4 addresses, from 0 to 32",
    ),
    (
        "rewrite edns0 subnet set 24 129",
        "1:29: invalid argument '129', expected bits of IPv6 addresses, from 0 to 128",
    ),
]


def parse(text: str) -> Rewrite:
    lines = directives(text)
    [plugin] = Rewrite.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_lines(text: str, expected: object) -> None:
    try:
        result: object = parse(text).rules[0]
    except ConfigError as error:
        result = str(error).replace("plugin/rewrite: Corefile:", "")
        assert isinstance(expected, str)
        assert result[: len(expected)] == expected
        return
    assert result == expected


def test_the_rules_of_all_lines_are_one_plugin() -> None:
    assert parse("rewrite type A AAAA\nrewrite type AAAA A").rules == [TypeRule(True, 1, 28), TypeRule(True, 28, 1)]
