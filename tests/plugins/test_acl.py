"""acl: what its lines mean, and whom they let through."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network

import pytest

from corepy import codes, metrics
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.metrics import FAMILIES
from corepy.networks import NetworkSet
from corepy.plugins.acl import Acl
from corepy.plugins.acl.acl import Action, Rule, RuleList
from corepy.query import Query
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import make_query

ROOT = (b"\0",)


def parse(text: str) -> Acl:
    lines = directives(text)
    for line in lines:
        line.zones = ROOT
    [plugin] = Acl.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


def rules(*made: Rule, zones: tuple[bytes, ...] = ROOT) -> Acl:
    return Acl([RuleList(zones, made)])


def nets(*texts: str) -> NetworkSet:
    return NetworkSet(map(ip_network, texts))


def types(*names: str) -> frozenset[int]:
    return frozenset(codes.TYPES[name] for name in names)


QTYPE = "expected a type such as AAAA, or *"
SOURCE = "expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acl", rules()),
        ("acl {\n}", rules()),
        ("acl Example.org {\n}", rules(zones=(w.encode_name("example.org"),))),
        ("acl 10.0.0.0/8 {\n}", rules(zones=(w.encode_name("10.in-addr.arpa"),))),
        ("acl {\nallow\n}", rules(Rule(Action.ALLOW))),
        ("acl {\nblock type A None\n}", rules(Rule(Action.BLOCK))),
        ("acl {\nblock type Reserved\n}", rules(Rule(Action.BLOCK, frozenset((0xFFFF,))))),
        ("acl {\nBlock\n}", rules(Rule(Action.BLOCK))),
        ("acl {\nfilter type A AAAA\n}", rules(Rule(Action.FILTER, types("A", "AAAA")))),
        ("acl {\ndrop type *\n}", rules(Rule(Action.DROP))),
        ("acl {\ndrop net *\n}", rules(Rule(Action.DROP))),
        ("acl {\ndrop type A * bogus NET 10.0.0.0/8 * bogus\n}", rules(Rule(Action.DROP))),
        ("acl {\nblock net 10.0.0.0/8 ::1\n}", rules(Rule(Action.BLOCK, None, nets("10.0.0.0/8", "::1")))),
        ("acl {\nblock net 10.1.2.3/8\n}", rules(Rule(Action.BLOCK, None, nets("10.0.0.0/8")))),
        ("acl {\nblock net ::ffff:192.0.2.1\n}", rules(Rule(Action.BLOCK, None, nets("192.0.2.1")))),
        (
            "acl {\nblock NET 10.0.0.0/8 Type A net ::1 type MX\n}",
            rules(Rule(Action.BLOCK, types("A", "MX"), nets("10.0.0.0/8", "::1"))),
        ),
        (
            "acl {\nallow\n}\nacl a {\nblock\n}",
            Acl([RuleList(ROOT, (Rule(Action.ALLOW),)), RuleList((b"\1a\0",), (Rule(Action.BLOCK),))]),
        ),
        ("acl {\ndeny\n}", "2:1: invalid argument 'deny', expected one of allow, block, filter, drop"),
        ("acl {\nblock from 192.0.2.1\n}", "2:7: invalid argument 'from', expected one of type, net"),
        ("acl {\nblock type\n}", f"2:7: nothing behind 'type', {QTYPE}"),
        ("acl {\nblock type A net\n}", "2:14: nothing behind 'net', expected an address, a network, or *"),
        ("acl {\nblock type net 10.0.0.0/8\n}", f"2:7: nothing behind 'type', {QTYPE}"),
        ("acl {\nblock type A NOTYPE\n}", f"2:14: unknown type 'NOTYPE', {QTYPE}"),
        ("acl {\nblock type a\n}", f"2:12: unknown type 'a', {QTYPE}"),
        ("acl {\nblock type TYPE1\n}", f"2:12: unknown type 'TYPE1', {QTYPE}"),
        ("acl {\nblock net 192.0.2.0/33\n}", f"2:11: invalid argument '192.0.2.0/33', {SOURCE}"),
        ("acl {\nblock net 192.0.2\n}", f"2:11: invalid argument '192.0.2', {SOURCE}"),
        ("acl {\nblock net localhost\n}", f"2:11: invalid argument 'localhost', {SOURCE}"),
        ("acl {\nblock net fe80::1%eth0\n}", f"2:11: invalid argument 'fe80::1%eth0', {SOURCE}"),
        ("acl {\nblock {\n}\n}", "2:7: unexpected '{', expected no block for block"),
        ("acl a..b {\n}", "1:5: invalid zone: 'a..b' has an empty label, expected a domain name or a network"),
    ],
)
def test_lines(text: str, expected: Acl | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/acl: Corefile:")
    assert result == expected


def serve(text: str, query: Query) -> Reply:
    plugin = parse(text)
    plugin.next = lambda query: Reply.build(query, flags=w.AA)
    reply = plugin.serve(query)
    assert isinstance(reply, Reply)
    return reply


def ask(text: str, name: str = "example.org", qtype: str = "A", client: str = "192.0.2.1") -> str:
    """What becomes of a query without EDNS, in a word."""
    reply = serve(text, make_query(name, qtype, client=client))
    if not reply.wire:
        return "silence"
    assert w.find_opt(reply.wire) is None
    return codes.rcode_name(reply.rcode) if not reply.flags & w.AA else "passed"


@pytest.mark.parametrize(
    ("rule", "outcome"), [("allow", "passed"), ("block", "REFUSED"), ("filter", "NOERROR"), ("drop", "silence")]
)
def test_actions(rule: str, outcome: str) -> None:
    assert ask(f"acl {{\n{rule}\n}}") == outcome


@pytest.mark.parametrize(
    ("rules", "name", "qtype", "client", "outcome"),
    [
        ("", "example.org", "A", "192.0.2.1", "passed"),
        ("allow net 192.0.2.0/24\nblock", "example.org", "A", "192.0.2.1", "passed"),
        ("allow net 192.0.2.0/24\nblock", "example.org", "A", "192.0.3.1", "REFUSED"),
        ("allow net 192.0.2.0/24\nblock", "example.org", "A", "2001:db8::1", "REFUSED"),
        ("block net ::/0", "example.org", "A", "192.0.2.1", "passed"),
        ("block net 0.0.0.0/0", "example.org", "A", "2001:db8::1", "passed"),
        ("block type AXFR", "example.org", "AXFR", "192.0.2.1", "REFUSED"),
        ("block type AXFR", "example.org", "A", "192.0.2.1", "passed"),
        ("filter type A net 192.0.2.1\ndrop", "example.org", "A", "192.0.2.1", "NOERROR"),
        ("filter type A net 192.0.2.1\ndrop", "example.org", "A", "192.0.2.2", "silence"),
    ],
)
def test_the_first_rule_that_fits_counts(rules: str, name: str, qtype: str, client: str, outcome: str) -> None:
    assert ask(f"acl {{\n{rules}\n}}", name, qtype, client) == outcome


def test_lists_for_the_name_are_asked_in_turn() -> None:
    text = "acl b.example {\nblock net 192.0.2.2\n}\nacl {\nallow type TXT\n}\nacl EXAMPLE {\nfilter\n}"
    assert ask(text, "X.b.example", "TXT", "192.0.2.2") == "REFUSED"
    assert ask(text, "x.b.example", "TXT", "192.0.2.3") == "passed"
    assert ask(text, "x.example", "A") == "NOERROR"
    assert ask(text, "xb.example2", "A") == "passed"


@pytest.mark.parametrize(("rule", "rcode", "code"), [("block", codes.REFUSED, 15), ("filter", codes.NOERROR, 17)])
def test_extended_errors_for_clients_with_edns(rule: str, rcode: int, code: int) -> None:
    reply = serve(f"acl {{\n{rule}\n}}", make_query(edns=1232))
    opt = w.find_opt(reply.wire)
    assert opt is not None
    assert list(w.options(reply.wire, opt)) == [(15, code.to_bytes(2, "big"))]
    assert reply.rcode == rcode


def test_verdicts_are_counted() -> None:
    plugin = parse("acl example.org b.example.org {\nblock type MX\ndrop type SRV\n}")
    plugin.next = Reply.build
    site = Site([])
    plugin.configure(site)
    site.view = "inside"
    before = totals()
    for qtype in ("MX", "MX", "SRV", "A"):
        plugin.serve(make_query("a.B.example.org", qtype))
    place = ("b.example.org.", "inside")
    assert totals() - before == Counter({("blocked", *place): 2, ("dropped", *place): 1, ("allowed", "inside"): 1})


def totals() -> Counter[tuple[str, ...]]:
    """How often each verdict was counted, under the labels behind that of the server."""
    found: Counter[tuple[str, ...]] = Counter()
    for verdict in ("blocked", "filtered", "dropped", "allowed"):
        family = FAMILIES[f"acl_{verdict}_requests_total"]
        assert isinstance(family, metrics.Counter)
        found.update({(verdict, *labels[1:]): count for labels, count in family.values.items()})
    return found
