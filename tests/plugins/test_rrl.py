"""rrl: what the lines mean, what is told apart, and what becomes of replies that are too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.errors import ConfigError, Failure
from corepy.metrics import FAMILIES, Counter
from corepy.plugins.rrl import Rrl
from corepy.plugins.rrl.accounts import SECOND, Accounts, Verdict
from corepy.plugins.rrl.category import Category, categorise
from corepy.plugins.rrl.setup import Settings
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query

NUMBER = "expected a number a second such as 10 or 0.5"
TENTH = SECOND // 10


def parse(text: str) -> Rrl:
    lines = directives(text)
    for line in lines:
        line.zones = (b"\0",)
    [plugin] = Rrl.parse_all(lines)
    lines[0].finish()
    return plugin


def keys(zones: str) -> tuple[bytes, ...]:
    return tuple(w.key(w.encode_name(zone)) for zone in zones.split())


def made(zones: str = "", **settings: Any) -> Rrl:
    return Rrl(keys(zones) or (b"\0",), Settings(**settings))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rrl", made()),
        ("rrl Example.org 10.0.0.0/8 {\n}", made("example.org 10.in-addr.arpa")),
        ("rrl {\nresponses-per-second 10\n}", made(intervals=(TENTH,) * 5)),
        (
            "rrl {\nresponses-per-second 10\nnodata-per-second 0\nerrors-per-second 2.5\nreferrals-per-second 1\n}",
            made(intervals=(TENTH, 0, TENTH, SECOND, SECOND * 2 // 5)),
        ),
        ("rrl {\nnxdomains-per-second 0.5\n}", made(intervals=(0, 0, 2 * SECOND, 0, 0))),
        ("rrl {\nerrors-per-second 10\n}", made(intervals=(0, 0, 0, 0, TENTH))),
        ("rrl {\nrequests-per-second 100\n}", made(requests=SECOND // 100)),
        ("rrl {\nwindow 0.5\nslip-ratio 10\n}", made(window=SECOND // 2, slip=10)),
        ("rrl {\nipv4-prefix-length 32\nipv6-prefix-length 1\n}", made(prefix4=32, prefix6=1)),
        ("rrl {\nmax-table-size 0\nreport-only\n}", made(capacity=0, report_only=True)),
        ("rrl {\nwindow 0\n}", "2:8: invalid argument '0', expected a number of seconds above 0"),
        ("rrl {\nwindow 15s\n}", "2:8: invalid argument '15s', expected a number of seconds above 0"),
        ("rrl {\nwindow\n}", "2:1: 'window' lacks an argument, expected a number of seconds above 0"),
        ("rrl {\nresponses-per-second -1\n}", f"2:22: invalid argument '-1', {NUMBER}"),
        ("rrl {\nerrors-per-second nan\n}", f"2:19: invalid argument 'nan', {NUMBER}"),
        ("rrl {\nrequests-per-second 1e9\n}", f"2:21: invalid argument '1e9', {NUMBER}"),
        ("rrl {\nnodata-per-second 1 2\n}", "2:21: unexpected argument '2', expected the end of the line"),
        ("rrl {\nipv4-prefix-length 0\n}", "2:20: invalid argument '0', expected a length in bits from 1 to 32"),
        ("rrl {\nipv6-prefix-length 129\n}", "2:20: invalid argument '129', expected a length in bits from 1 to 128"),
        ("rrl {\nslip-ratio 11\n}", "2:12: invalid argument '11', expected a whole number from 0 to 10"),
        (
            "rrl {\nmax-table-size -1\n}",
            "2:16: invalid argument '-1', expected a number of accounts of at least 0",
        ),
        ("rrl {\nreport-only yes\n}", "2:13: unexpected argument 'yes', expected no arguments"),
        ("rrl {\nwindow 1\nwindow 2\n}", "3:1: 'window' given twice, first at Corefile:2:1"),
        ("rrl a..b", "1:5: invalid zone: 'a..b' has an empty label, expected a domain name or a network"),
        ("rrl\nrrl", "2:1: given twice in a server block, first at Corefile:1:1"),
    ],
)
def test_lines(text: str, expected: Rrl | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/rrl: Corefile:")
    assert result == expected


def test_a_name_that_is_nearly_right() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("rrl {\nresponse-per-second 1\n}")
    assert caught.value.hint == 'did you mean "responses-per-second"?'


def test_without_any_rate_there_is_a_warning() -> None:
    site: Any = None
    assert [str(found) for found in parse("rrl").check(directives("rrl"), site)] == [
        "Corefile:1:1: without any rate nothing is limited"
    ]
    assert not list(parse("rrl {\nrequests-per-second 1\n}").check(directives("rrl"), site))


# --- accounts ---


def sent(accounts: Accounts, count: int, now: float, interval: int = TENTH, account: int = 1) -> str:
    """What becomes of so many replies at once: a letter for each."""
    letters = {Verdict.SEND: "+", Verdict.DROP: "-", Verdict.SLIP: "s"}
    return "".join(letters[accounts.debit(account, interval, int(now * SECOND))] for _ in range(count))


def test_a_second_has_its_replies_and_a_debt_has_to_be_paid() -> None:
    accounts = Accounts(15 * SECOND, 10, 0)
    assert sent(accounts, 13, 1000.0) == "+" * 10 + "---"
    assert sent(accounts, 1, 1000.3) == "-"
    assert sent(accounts, 2, 1000.5) == "+-"
    assert sent(accounts, 12, 1100.0) == "+" * 10 + "--"


def test_a_debt_is_no_longer_than_the_window() -> None:
    accounts = Accounts(2 * SECOND, 10, 0)
    assert "+" not in sent(accounts, 1000, 1000.0)[10:]
    assert sent(accounts, 1, 1002.0) == "-"
    assert sent(accounts, 1, 1004.2) == "+"


def test_less_than_one_a_second() -> None:
    accounts = Accounts(15 * SECOND, 10, 0)
    assert [sent(accounts, 1, now, 4 * SECOND) for now in (0, 4, 8, 9, 16, 100)] == ["+", "+", "+", "-", "+", "+"]


@pytest.mark.parametrize(("slip", "expected"), [(0, "-" * 6), (1, "s" * 6), (2, "-s-s-s"), (4, "---s--")])
def test_some_slip_through(slip: int, expected: str) -> None:
    accounts = Accounts(15 * SECOND, 10, slip)
    assert sent(accounts, 16, 1000.0) == "+" * 10 + expected


def test_what_finds_no_room_is_not_limited() -> None:
    accounts = Accounts(15 * SECOND, 2, 2)
    assert sent(accounts, 12, 1000.0, account=1) == "+" * 10 + "-s"
    assert sent(accounts, 12, 1000.0, account=2) == "+" * 10 + "-s"
    assert sent(accounts, 30, 1000.0, account=3) == "+" * 30
    assert len(accounts) == 2
    assert sent(accounts, 12, 1003.0, account=3) == "+" * 10 + "-s"   # the others had their credit again
    assert len(accounts) == 1
    assert sent(Accounts(SECOND, 0, 0), 100, 0.0) == "+" * 100


def test_room_is_looked_for_once_a_second() -> None:
    accounts = Accounts(15 * SECOND, 1, 0)
    sent(accounts, 1, 1000.0, account=1)
    sent(accounts, 1, 1000.0, account=2)
    assert sent(accounts, 20, 1000.999, account=2) == "+" * 20
    assert sent(accounts, 11, 1001.1, account=2) == "+" * 10 + "-"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3 * SECOND)), max_size=60), st.integers(1, 4 * SECOND))
def test_never_more_than_is_allowed(steps: list[tuple[int, int]], interval: int) -> None:
    """In any time: what the time allows, and a second's worth or one more."""
    accounts, now, passed = Accounts(15 * SECOND, 10, 0), 10**12, dict[int, list[int]]()
    for account, pause in steps:
        now += pause
        if accounts.debit(account, interval, now) is Verdict.SEND:
            passed.setdefault(account, []).append(now)
    for times in passed.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert (last - first) * interval <= times[last] - times[first] + max(SECOND, interval)


# --- categories ---

SOA = "example.org. 60 IN SOA ns.example.org. root.example.org. 1 2 3 4 5"
NS = "sub.example.org. 60 IN NS ns.example.net."
A = "example.org. 60 IN A 192.0.2.1"


@pytest.mark.parametrize(
    ("records", "authority", "rcode", "expected"),
    [
        ((A,), (), "NOERROR", (Category.RESPONSE, b"\0\1" + w.encode_name("example.org"))),
        ((A,), (SOA,), "NXDOMAIN", (Category.RESPONSE, b"\0\1" + w.encode_name("example.org"))),
        ((), (SOA,), "NOERROR", (Category.NODATA, w.encode_name("example.org"))),
        ((), (), "NOERROR", (Category.NODATA, w.encode_name("example.org"))),
        ((), (SOA,), "NXDOMAIN", (Category.NXDOMAIN, w.encode_name("example.org"))),
        ((), (), "NXDOMAIN", (Category.NXDOMAIN, b"")),
        ((), (NS,), "NOERROR", (Category.REFERRAL, b"\0\1" + w.encode_name("sub.example.org"))),
        ((), (), "SERVFAIL", (Category.ERROR, b"")),
        ((), (SOA,), "REFUSED", (Category.ERROR, b"")),
    ],
)
def test_categories(
    records: tuple[str, ...], authority: tuple[str, ...], rcode: str, expected: tuple[Category, bytes]
) -> None:
    query = make_query("Example.ORG")
    assert categorise(Reply.answer(query, *records, authority=authority, rcode=codes.RCODES[rcode]), query) == expected


def test_the_upper_bits_of_an_rcode_count() -> None:
    query = make_query(edns=1232)
    reply = Reply.build(query, counts=(0, 0, 1), body=w.opt_record(0, codes.BADVERS >> 4), plain=False)
    assert categorise(reply, query)[0] is Category.ERROR


@pytest.mark.parametrize("value", ["*.example.org.", lambda: "*.example.org."], ids=["text", "function"])
def test_names_from_a_wildcard_count_as_the_wildcard(value: str | Callable[[], str]) -> None:
    keys = set()
    for name in ("a.example.org", "b.example.org"):
        query = make_query(name)
        query.metadata = {"zone/wildcard": value}
        keys.add(categorise(Reply.answer(query, f"{name}. 60 IN A 192.0.2.1"), query)[1])
    assert len(keys) == 1


@given(st.binary(max_size=60))
def test_any_octets_have_a_category(octets: bytes) -> None:
    query = make_query()
    for counts in (b"\0\1\0\0\0\1\0\1", b"\0\1\0\0\0\1\0\0", b"\0\1\0\1\0\0\0\0"):
        categorise(Reply(query.wire[:2] + b"\x80\0" + counts + query.question + octets), query)


# --- queries ---


class Bench:
    """The plugin, with what comes next in the hands of the test."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.plugin = made(**{"intervals": (TENTH,) * 5, **settings})
        self.plugin.clock, self.plugin.next = self.clock, self.answer
        self.make: Callable[[Query], Outcome] = lambda query: Reply.answer(query, A)

    def answer(self, query: Query) -> Outcome:
        return self.make(query)

    def ask(self, count: int, name: str = "example.org", *, proven: bool = False, **how: Any) -> str:
        """What becomes of so many queries: a letter for each."""
        return "".join(self._letter(make_query(name, **how), proven=proven) for _ in range(count))

    def _letter(self, query: Query, *, proven: bool) -> str:
        query = query.with_wire(query.wire, proven=True) if proven else query
        try:
            outcome = self.plugin.serve(query)
        except Failure:
            return "!"
        if isinstance(outcome, Deferred):
            outcome.settle(Failure("late"))
            return "!" if isinstance(outcome.result, Failure) else "-"
        assert isinstance(outcome, Reply)
        if not outcome.wire:
            return "-"
        return "s" if outcome.flags & w.TC else "+"


FULL = "+" * 10


def test_clients_of_one_network_are_one() -> None:
    bench = Bench()
    assert bench.ask(11, client="192.0.2.1") == FULL + "-"
    assert bench.ask(1, client="192.0.2.255") == "-"
    assert bench.ask(1, client="192.0.3.1") == "+"
    assert bench.ask(11, client="2001:db8::1") == FULL + "-"
    assert bench.ask(1, client="2001:db8:0:ff::1") == "-"
    assert bench.ask(1, client="2001:db8:0:100::1") == "+"


@pytest.mark.parametrize(
    ("bits", "same", "other"), [(32, "192.0.2.1", "192.0.2.0"), (20, "192.0.15.9", "192.0.16.1"), (1, "1.2.3.4", "1::")]
)
def test_prefixes_of_any_length(bits: int, same: str, other: str) -> None:
    bench = Bench(prefix4=bits)
    start = "192.0.2.1" if bits > 1 else "127.0.0.1"
    assert bench.ask(11, client=start) == FULL + "-"
    assert bench.ask(1, client=same) == "-"
    assert bench.ask(1, client=other) == "+"


def test_time_heals() -> None:
    bench = Bench()
    assert bench.ask(12) == FULL + "--"
    bench.clock.advance(0.3)
    assert bench.ask(2) == "+-"


def test_other_names_and_types_are_other_answers() -> None:
    bench = Bench()
    assert bench.ask(11, "Example.ORG") == FULL + "-"
    assert bench.ask(1, "example.org") == "-"
    assert bench.ask(1, "example.net") == "+"
    assert bench.ask(1, "example.org", qtype="AAAA") == "+"


def test_random_names_that_do_not_exist_are_one() -> None:
    bench = Bench()
    bench.make = lambda query: Reply.answer(query, authority=[SOA], rcode=codes.NXDOMAIN)
    letters = "".join(bench.ask(1, f"{number}.example.org") for number in range(12))
    assert letters == FULL + "--"


def test_a_category_without_a_rate_is_not_limited() -> None:
    bench = Bench(intervals=(0, TENTH, TENTH, TENTH, TENTH))
    assert bench.ask(100) == "+" * 100
    bench.make = Reply.build
    assert bench.ask(11) == FULL + "-"


@pytest.mark.parametrize("how", [{"transport": "tcp"}, {"transport": "tls"}, {"proven": True}], ids=str)
def test_who_is_there_for_sure_is_not_limited(how: Any) -> None:
    bench = Bench()
    assert bench.ask(12) == FULL + "--"
    assert bench.ask(100, **how) == "+" * 100


def test_what_slips_through_has_no_records_and_says_come_over_tcp() -> None:
    bench = Bench(slip=2)
    assert bench.ask(14) == FULL + "-s-s"
    bench.ask(1)
    query = make_query("Example.org", edns=1232)
    reply = bench.plugin.serve(query)
    assert isinstance(reply, Reply)
    assert reply.wire == w.HEADER.pack(query.id, w.QR | w.AA | w.TC | w.RD, 1, 0, 0, 0) + query.question


def test_report_only() -> None:
    bench = Bench(report_only=True, requests=TENTH)
    before = exceeded("responses"), exceeded("requests")
    assert bench.ask(13, client="198.51.100.77") == "+" * 13
    assert (exceeded("responses"), exceeded("requests")) == (before[0] + 3, before[1] + 3)


def exceeded(what: str) -> int:
    family = FAMILIES[f"rrl_{what}_exceeded_total"]
    assert isinstance(family, Counter)
    return sum(family.values.values())


def test_requests() -> None:
    bench = Bench(intervals=(0,) * 5, requests=TENTH)
    letters = "".join(bench.ask(1, f"{number}.example") for number in range(12))
    assert letters == FULL + "--"
    assert bench.ask(11, transport="tcp") == FULL + "-"   # an account of its own: forged queries cost it nothing
    assert bench.ask(1, proven=True) == "-"   # the same one
    assert bench.ask(1, client="198.51.100.1") == "+"


def test_processes_share_what_a_client_may_have() -> None:
    bench = Bench(requests=TENTH)
    bench.plugin.configure(Site([], sockets=5))
    bench.plugin.start()
    assert bench.ask(4) == "++--"
    bench.clock.advance(0.5)
    assert bench.ask(2, client="198.51.100.1") == "++"
    assert bench.ask(11, transport="tcp") == FULL + "-"   # a connection is in the hands of one of them


def test_other_zones_are_not_looked_at() -> None:
    bench = Bench()
    bench.plugin.zones = keys("example.org")
    assert bench.ask(100, "example.net") == "+" * 100
    assert bench.ask(11, "www.example.org") == FULL + "-"


def test_failures_are_errors() -> None:
    bench = Bench(slip=2)

    def fail(_query: Query) -> Outcome:
        raise Failure("no upstream")

    bench.make = fail
    assert bench.ask(14) == "!" * 10 + "-s-s"
    bench.make = lambda _: Deferred()
    assert bench.ask(2) == "--"   # the second one slips: a reply, and no failure


def test_bugs_are_not_hidden() -> None:
    bench = Bench()

    def fail(_query: Query) -> Outcome:
        raise ZeroDivisionError

    bench.make = fail
    for _ in range(30):
        with pytest.raises(ZeroDivisionError):
            bench.ask(1)
    later = Deferred()
    bench.make = lambda _: later
    outcome = bench.plugin.serve(make_query())
    later.settle(ZeroDivisionError())
    assert isinstance(outcome, Deferred)
    assert isinstance(outcome.result, ZeroDivisionError)


def test_replies_that_are_late_and_silence() -> None:
    bench = Bench()

    async def late(query: Query) -> Reply:
        await asyncio.sleep(0)
        return Reply.answer(query, A)

    async def ask() -> bool:
        return bool((await bench.plugin.serve(make_query())).wire)

    bench.make = late
    assert [asyncio.run(ask()) for _ in range(12)] == [True] * 10 + [False] * 2
    bench.make = lambda _: Reply.SILENCE
    assert bench.ask(20) == "-" * 20
    bench.make = Reply.build
    assert bench.ask(10) == FULL   # silence was nobody's reply


def test_accounts_live_through_a_reload_that_does_not_change_them() -> None:
    old = Bench()
    old.ask(11)
    for settings, expected in (({}, "-"), ({"slip": 1}, "+")):
        new = Bench(**settings)
        new.plugin.adopt(old.plugin)
        assert new.ask(1) == expected


def test_series_of_clients_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES["rrl_responses_exceeded_total"]
    assert isinstance(family, Counter)
    monkeypatch.setattr(family, "values", {})
    monkeypatch.setattr("corepy.plugins.rrl.rrl._CLIENTS", 2)
    bench = Bench()
    for client in ("192.0.2.1", "192.0.3.1", "192.0.4.1", "2001:db8::1", "192.0.2.1"):
        bench.ask(11, client=client)
    assert family.values == {("192.0.2.1",): 12, ("192.0.3.1",): 1, ("other",): 2}


def test_a_table_is_small_whatever_the_names() -> None:
    """Accounts are kept by hash: a name of 255 octets takes no more than a short one."""
    bench = Bench(capacity=100)
    for number in range(300):
        bench.ask(1, f"{number}." + "x" * 60)
    accounts = bench.plugin._accounts
    assert len(accounts) == 100
    assert all(isinstance(key, int) for key in accounts._even)
