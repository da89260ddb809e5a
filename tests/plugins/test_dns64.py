"""dns64: what its lines mean, and who gets which addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import dnslib
import pytest

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.errors import ConfigError, Failure
from corepy.metrics import FAMILIES
from corepy.plugins.dns64 import Dns64
from corepy.plugins.dns64.dns64 import embed
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import make_query

PREFIX = "expected an IPv6 prefix of 32, 40, 48, 56, 64, 72, 80, 88 or 96 bits"
NETWORK = "expected a network such as 192.0.2.0/24 or 2001:db8::/32"
OPTIONS = "expected one of prefix, translate_all, allow_ipv4"
NET = IPv6Network("2001:db8::/96")


def parse(text: str) -> Dns64:
    lines = directives(text)
    [plugin] = Dns64.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dns64", Dns64(IPv6Network("64:ff9b::/96"))),
        ("dns64 2001:db8::/96", Dns64(NET)),
        ("dns64 2001:db8::1/96 {\nallow_ipv4\n}", Dns64(NET, allow_ipv4=True)),
        ("dns64 {\nprefix 2001:db8::/32\ntranslate_all\n}", Dns64(IPv6Network("2001:db8::/32"), translate_all=True)),
        ("dns64 {\nallow_ipv4\n}\ndns64 2001:db8::/96", Dns64(NET, allow_ipv4=True)),
        ("dns64 2001:db8::/100", f"plugin/dns64: Corefile:1:7: invalid argument '2001:db8::/100', {PREFIX}"),
        ("dns64 2001:db8::/24", f"plugin/dns64: Corefile:1:7: invalid argument '2001:db8::/24', {PREFIX}"),
        ("dns64 192.0.2.0/24", f"plugin/dns64: Corefile:1:7: invalid argument '192.0.2.0/24', {PREFIX}"),
        (
            "dns64 x",
            f"plugin/dns64: Corefile:1:7: invalid argument 'x', {NETWORK}",
        ),
        (
            "dns64 2001:db8::/96 2001:db8:1::/96",
            "plugin/dns64: Corefile:1:21: unexpected argument '2001:db8:1::/96', expected the end of the line",
        ),
        (
            "dns64 {\nprefix\n}",
            "plugin/dns64: Corefile:2:1: 'prefix' lacks an argument, expected a prefix such as 64:ff9b::/96",
        ),
        (
            "dns64 {\ntranslate\n}",
            f"plugin/dns64: Corefile:2:1: unknown option 'translate', {OPTIONS}",
        ),
    ],
)
def test_lines(text: str, expected: Dns64 | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error)
    assert result == expected


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/72", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/80", "2001:db8:122:344:0:c000:221:0"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ],
)
def test_where_the_address_goes(prefix: str, address: str) -> None:
    assert embed(IPv6Network(prefix), bytes((192, 0, 2, 33))) == IPv6Address(address).packed


SOA = "test. 100 IN SOA ns.test. root.test. 1 7200 3600 1209600 60"
A = "www.test. 300 IN A 192.0.2.1"


def plugin(says: Callable[[Query], Outcome], with_a: Callable[[Query], Outcome], **more: Any) -> Dns64:
    made = Dns64(**more)
    made.next = says

    def resolve(name: bytes, qtype: int, query: Query) -> Outcome:
        assert (name, qtype) == (query.key, codes.A)
        return with_a(query)

    made.resolve = resolve
    return made


def ask(made: Dns64, qtype: str = "AAAA", client: str = "2001:db8::7", **how: Any) -> Reply:
    async def wait() -> Reply:
        return await made.serve(make_query("www.test", qtype, client=client, **how))

    return asyncio.run(wait())


def says(*records: str, **more: Any) -> Callable[[Query], Outcome]:
    return lambda query: Reply.answer(query, *records, **more)


def shown(reply: Reply) -> list[str]:
    return [" ".join(str(record).split()) for record in reply.record.rr]


def test_addresses_are_made_where_there_are_none() -> None:
    alias = "www.test. 200 IN CNAME four.test."
    made = plugin(says(authority=[SOA]), says(alias, A.replace("www", "four"), additional=[A]))
    reply = ask(made)
    assert shown(reply) == ["www.test. 200 IN CNAME four.test.", "four.test. 100 IN AAAA 64:ff9b::c000:201"]
    assert reply.flags == w.QR | w.RD
    assert [record.rtype for record in reply.record.ar] == [codes.A]   # that section stays as it is


def test_a_truncated_reply_stays_so() -> None:
    def truncated(query: Query) -> Outcome:
        return Reply.build(query, flags=w.TC, counts=(1, 0, 0), body=b"\xc0\x0c\0\1\0\1\0\0\2\xbc\0\4\1\2\3\4")

    reply = ask(plugin(says(), truncated))
    assert (reply.flags & w.TC, shown(reply)) == (w.TC, ["www.test. 600 IN AAAA 64:ff9b::102:304"])


NO_RECORDS: dict[str, Any] = {"authority": [SOA]}


@pytest.mark.parametrize(
    ("how", "reply", "options", "translated"),
    [
        ({}, ((), NO_RECORDS), {}, True),
        ({"client": "192.0.2.7"}, ((), NO_RECORDS), {}, False),
        ({"client": "192.0.2.7"}, ((), NO_RECORDS), {"allow_ipv4": True}, True),
        ({"qtype": "A"}, ((), NO_RECORDS), {}, False),
        ({"qclass": codes.CH}, ((), NO_RECORDS), {}, False),
        ({}, (("www.test. 60 IN AAAA 2001:db8::1",), {}), {}, False),
        ({}, (("www.test. 60 IN AAAA 2001:db8::1",), {}), {"translate_all": True}, True),
        ({}, ((), {"rcode": codes.NXDOMAIN, "authority": [SOA]}), {}, False),
        ({}, ((), {"rcode": codes.NXDOMAIN, "authority": [SOA]}), {"translate_all": True}, False),
        ({}, ((), {"rcode": codes.SERVFAIL}), {}, True),
        ({}, ((), {"rcode": codes.REFUSED}), {}, True),
    ],
)
def test_who_gets_them(how: dict[str, Any], reply: Any, options: dict[str, Any], translated: bool) -> None:
    records, more = reply
    result = ask(plugin(says(*records, **more), says(A), **options), **how)
    assert any("64:ff9b" in text for text in shown(result)) == translated


def test_a_reply_that_comes_later_and_one_that_never_comes() -> None:
    async def dialogue() -> None:
        waiting = Deferred()
        made = plugin(lambda _query: waiting, says(A))
        query = make_query("www.test", "AAAA", client="::1")
        task = asyncio.ensure_future(made.serve(query))
        waiting.settle(Reply.build(query))
        assert shown(await task)
        made.next = lambda _query: Reply.SILENCE
        assert made.serve(query) is Reply.SILENCE

    asyncio.run(dialogue())


def test_what_cannot_be_read() -> None:
    garbled = Reply(b"\0\0\x80\0\0\1\0\1\0\0\0\0\0\0\x1c\0\1")
    assert ask(plugin(lambda _query: garbled, says(A))) is garbled
    for wire in (b"", garbled.wire, Reply.build(make_query(), counts=(1, 0, 0), body=b"\0\0\1\0\1\0\0\0\0\0\0").wire):
        with pytest.raises(Failure):
            ask(plugin(says(), lambda _query, wire=wire: Reply(wire)))  # type: ignore[misc]


def test_translations_are_counted() -> None:
    family: Any = FAMILIES["dns64_requests_translated_total"]
    before = family.values.get(("dns://:53",), 0)
    ask(plugin(says(), says(A)))
    assert family.values["dns://:53",] == before + 1


def test_no_records_are_needed_for_what_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Reply.answer(make_query("www.test", "AAAA"), "www.test. 60 IN AAAA 2001:db8::1")
    assert reply.wire

    def fail(*_args: object) -> None:
        raise AssertionError("dnslib was asked")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", fail)
    made = plugin(lambda _query: Reply(reply.wire), says())
    assert isinstance(made.serve(make_query("www.test", "AAAA", client="::1")), Reply)
