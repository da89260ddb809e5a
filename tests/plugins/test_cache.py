"""cache: what its lines mean, what is kept and for how long, and what clients get of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from typing import Any

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.errors import ConfigError, Failure
from corepy.metrics import FAMILIES, SETTLE
from corepy.plugins.cache import Cache
from corepy.plugins.cache.setup import Limits, Settings, Stale
from corepy.plugins.cache.store import CHANCES, Store
from corepy.query import Query
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import make_query
from tests.plugins.cachebench import ROOT, SOA, WWW, ZONE, Bench, answer, parse, ttls


def made(zones: tuple[bytes, ...] = ROOT, **changed: Any) -> Cache:
    return Cache(zones, replace(Settings(), **changed))


def line(text: str) -> str:
    return f"cache {{\n{text}\n}}"


def at(place: str, what: str) -> str:
    return f"plugin/cache: Corefile:{place}: {what}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cache", made()),
        ("cache {\n}", made()),
        ("cache 30", made(success=Limits(9984, 30), denial=Limits(9984, 30))),
        ("cache 30 example.org", made(ZONE, success=Limits(9984, 30), denial=Limits(9984, 30))),
        ("cache Example.org", made(ZONE)),
        (line("success 5000"), made(success=Limits(4864, 3600))),
        (line("success 0 60"), made(success=Limits(1024, 60))),
        (line("denial 1000000 60 0"), made(denial=Limits(999936, 60, 0))),
        (line("denial -1\nsuccess 1024 10 2"), made(success=Limits(1024, 10, 2), denial=Limits(1024, 1800))),
        (line("prefetch 2"), made(prefetch=2)),
        (line("prefetch 2 5m 90%"), made(prefetch=2, gap=300.0, percent=90)),
        (line("serve_stale"), made(stale=Stale())),
        (line("serve_stale 30m Immediate 30s 1m"), made(stale=Stale(1800.0, ttl=30, recheck=60.0))),
        (line("serve_stale 1h verify 100ms 30s 5m"), made(stale=Stale(3600.0, True, 0.1, 30, 300.0))),
        (line("serve_stale\nserve_stale_policy Prefer_Positive"), made(stale=Stale(), prefer_positive=True)),
        (line("serve_stale_policy prefer_positive\nserve_stale"), made(stale=Stale(), prefer_positive=True)),
        (line("servfail 0"), made(servfail=0.0)),
        (line("servfail 5m"), made(servfail=300.0)),
        (line("disable success"), made(no_success=ROOT)),
        (line("disable denial example.org"), made(no_denial=ZONE)),
        (line("keepttl"), made(keepttl=True)),
        ("cache\ncache", at("2:1", "given twice in a server block, first at Corefile:1:1")),
        ("cache 0", at("1:7", "invalid argument '0', expected a TTL in seconds from 1 to 2147483647")),
        ("cache -5", at("1:7", "invalid argument '-5', expected a TTL in seconds from 1 to 2147483647")),
        (line("success"), at("2:1", "'success' lacks an argument, expected a capacity, the number of replies to keep")),
        (
            line("success many"),
            at("2:9", "invalid argument 'many', expected a capacity, the number of replies to keep"),
        ),
        (line("denial 1 0"), at("2:10", "invalid argument '0', expected a TTL in seconds from 1 to 2147483647")),
        (
            line("denial 1 1 -1"),
            at("2:12", "invalid argument '-1', expected the lowest TTL in seconds from 0 to 2147483647"),
        ),
        (line("success 1 1 1 1"), at("2:15", "unexpected argument '1', expected the end of the line")),
        (
            line("prefetch -1"),
            at("2:10", "invalid argument '-1', expected how many queries make a name popular of at least 0"),
        ),
        (
            line("prefetch 1 soon"),
            at("2:12", "invalid argument 'soon', expected a duration such as 30s or 1h30m"),
        ),
        (line("prefetch 1 1m 9%"), at("2:15", "invalid argument '9%', expected a percentage from 10% to 90%")),
        (line("prefetch 1 1m 50"), at("2:15", "invalid argument '50', expected a percentage from 10% to 90%")),
        (line("prefetch 1 1m 50% 1"), at("2:19", "unexpected argument '1', expected the end of the line")),
        (
            line("serve_stale -1s"),
            at("2:13", "invalid argument '-1s', expected a duration such as 30s or 1h30m of at least 0s"),
        ),
        (line("serve_stale 1h later"), at("2:16", "invalid argument 'later', expected one of immediate, verify")),
        (
            line("serve_stale 1h immediate 1.5s"),
            at("2:26", "invalid argument '1.5s', expected a TTL as a duration of whole seconds, such as 30s"),
        ),
        (
            line("serve_stale 1h verify 0 30s 6m"),
            at("2:29", "invalid serve_stale duration '6m', expected a duration of at most 5m"),
        ),
        (
            line("serve_stale 1h immediate 1s 1s 1s"),
            at("2:32", "unexpected argument '1s', expected the end of the line"),
        ),
        (line("serve_stale_policy prefer_positive"), at("2:1", "serve_stale_policy without serve_stale")),
        (
            line("serve_stale_policy prefer_positive\nserve_stale_policy prefer_positive"),
            at("3:1", "'serve_stale_policy' given twice, first at Corefile:2:1"),
        ),
        (line("serve_stale_policy none"), at("2:20", "invalid argument 'none', expected prefer_positive")),
        (line("servfail 5m1s"), at("2:10", "invalid servfail duration '5m1s', expected a duration of at most 5m")),
        (line("disable all"), at("2:9", "invalid argument 'all', expected one of success, denial")),
        (line("keepttl yes"), at("2:9", "unexpected argument 'yes', expected no arguments")),
        (
            line("nothing"),
            at(
                "2:1",
                "unknown option 'nothing', expected one of success, denial, prefetch, serve_stale, serve_stale_policy, "
                "servfail, disable, keepttl",
            ),
        ),
    ],
)
def test_lines(text: str, expected: Cache | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error)
    assert result == expected


def test_a_hit_has_the_clients_id_spelling_and_flags_and_the_time_that_is_left() -> None:
    bench = Bench()
    first = bench.ask()
    assert (first.flags & w.AA, ttls(first)) == (0, [300])
    bench.clock.advance(10.5)
    query = make_query("WWW.example.ORG", flags=0)
    hit = bench.cache.serve(query)
    assert isinstance(hit, Reply)
    assert hit.wire[:2] == query.wire[:2]
    assert hit.wire[12 : query.qend] == query.question
    assert hit.flags == w.QR | w.AA | w.RA
    assert ttls(hit) == [290]   # 289.5 s are left; parts of a second count as one, as in CoreDNS
    assert hit.plain
    assert bench.upstream.count() == 1


def test_the_record_is_the_one_that_was_there() -> None:
    bench = Bench()
    bench.says(WWW, "www.example.org. 120 IN TXT x", authority=["example.org. 900 IN NS ns.example.org."])
    bench.ask()
    hit = bench.ask().record
    assert [str(record) for record in hit.rr + hit.auth] == [
        "www.example.org.        120     IN      A       192.0.2.1",
        'www.example.org.        120     IN      TXT     "x"',
        "example.org.            120     IN      NS      ns.example.org.",
    ]


def test_a_reply_that_was_handed_on_is_never_changed() -> None:
    bench = Bench("cache 60")
    given = answer(make_query("www.example.org"), WWW)
    before = given.wire
    bench.upstream.says = lambda _query: given
    assert ttls(bench.ask()) == [60]
    assert given.wire == before


def test_time_is_over() -> None:
    bench = Bench("cache 60")
    bench.ask()
    bench.clock.advance(59.9)
    assert ttls(bench.ask()) == [1]
    bench.clock.advance(0.1)
    assert ttls(bench.ask()) == [60]
    assert bench.upstream.count() == 2


def test_keepttl() -> None:
    bench = Bench("cache 60 {\nkeepttl\n}")
    bench.ask()
    bench.clock.advance(59)
    assert ttls(bench.ask()) == [60]
    bench.clock.advance(1)
    bench.ask()
    assert bench.upstream.count() == 2


def test_other_types_classes_and_flags_have_entries_of_their_own() -> None:
    bench = Bench()
    how: list[dict[str, Any]] = [
        {}, {"qtype": "AAAA"}, {"qclass": codes.CH}, {"flags": w.CD}, {"edns": 1232, "do": True},
        {"edns": 1232, "do": True, "flags": w.CD}, {"qtype": "TYPE65"}, {"qtype": "TYPE97"},
    ]  # fmt: skip
    for each in how:
        bench.says(f"www.example.org. 300 {codes.class_name(each.get('qclass', 1))} A 192.0.2.1", authority=[SOA])
        bench.ask(**each)
    assert bench.upstream.count() == len(how)
    for each in how:
        bench.ask(**each)
    bench.ask(edns=4096)   # EDNS without DO is as none
    assert bench.upstream.count() == 0


def test_the_upstream_is_asked_for_ad_and_who_asks_is_told() -> None:
    bench = Bench()
    bench.says(WWW, flags=w.RA | w.AD)
    assert not bench.ask().flags & w.AD
    assert bench.upstream.heard[0].flags == w.RD | w.AD
    assert not bench.ask().flags & w.AD
    assert bench.ask(flags=w.AD).flags == w.QR | w.AA | w.RA | w.AD
    assert bench.ask(edns=1232, do=True).flags & w.AD


ALIAS = "www.example.org. 200 IN CNAME example.net."


@pytest.mark.parametrize(
    ("records", "how", "kept", "ttl"),
    [
        ([WWW], {}, 300, 300),
        ([WWW.replace("300", "1")], {}, 5, 5),
        ([WWW.replace("300", "90000")], {}, 3600, 3600),
        ([WWW], {"additional": ["ns.example.org. 40 IN A 192.0.2.2"]}, 40, 40),
        ([], {"authority": [SOA]}, 60, 60),
        ([], {"authority": [SOA.replace(" 60", " 9000").replace("600 IN", "8000 IN")]}, 1800, 1800),
        ([], {"rcode": codes.NXDOMAIN, "authority": [SOA]}, 60, 60),
        ([], {"rcode": codes.NXDOMAIN}, 0, None),
        ([], {}, 5, None),
        ([], {"additional": ["www.example.org. 0 IN A 192.0.2.2"]}, 5, 5),
        ([ALIAS, "example.net. 100 IN A 192.0.2.1"], {}, 100, 100),
        (["example.net. 100 IN A 192.0.2.1", ALIAS, ALIAS], {}, 100, 100),
        ([ALIAS], {}, 0, 200),
        ([ALIAS, "www.example.org. 200 IN A 192.0.2.1"], {}, 0, 200),
        ([ALIAS, "www.example.org. 200 IN CNAME example.com."], {}, 0, 200),
        ([ALIAS, "example.net. 200 IN CNAME www.example.org."], {}, 0, 200),
        ([ALIAS], {"authority": [SOA]}, 60, 60),
        ([ALIAS, "example.net. 100 IN A 192.0.2.1"], {"authority": [SOA]}, 100, 100),
        ([], {"authority": ["example.org. 900 IN NS ns.example.net."]}, 5, 5),
        ([], {"rcode": codes.SERVFAIL}, 5, None),
        ([], {"rcode": codes.NOTIMP, "authority": [SOA]}, 5, 5),
        ([], {"rcode": codes.REFUSED, "authority": [SOA]}, 0, 5),
        ([], {"rcode": codes.FORMERR}, 0, None),
        ([WWW], {"rcode": codes.NXDOMAIN}, 0, 5),
        ([WWW], {"flags": w.TC}, 0, 300),
    ],
)
def test_how_long_a_reply_is_kept(records: list[str], how: dict[str, Any], kept: int, ttl: int | None) -> None:
    bench = Bench()
    bench.says(*records, **how)
    assert set(ttls(bench.ask())) == ({ttl} if ttl is not None else set())
    if kept:
        bench.clock.advance(kept - 0.001)
        assert set(ttls(bench.ask())) <= {1}
        assert bench.upstream.count() == 1
        bench.clock.advance(0.001)
    bench.ask()
    assert bench.upstream.count() == 1 + (not kept)


@pytest.mark.parametrize(
    ("qtype", "records", "kept"),
    [
        ("CNAME", [ALIAS], True),
        ("CNAME", [ALIAS, "www.example.org. 200 IN CNAME example.com."], False),
        ("CNAME", [WWW], False),
        ("ANY", [ALIAS], True),
        ("ANY", ["example.net. 100 IN A 192.0.2.1"], False),
        ("MX", [WWW], False),
    ],
)
def test_what_answers_other_types(qtype: str, records: list[str], kept: bool) -> None:
    bench = Bench()
    bench.says(*records)
    bench.ask(qtype=qtype)
    bench.ask(qtype=qtype)
    assert bench.upstream.count() == 2 - kept


def test_what_is_no_question_for_a_cache() -> None:
    bench = Bench()
    bench.says("example.org. 600 IN SOA a. b. 1 2 3 4 5")
    for _ in range(2):
        assert ttls(bench.ask("example.org", "AXFR")) == [600]
        assert ttls(bench.ask("example.org", "IXFR")) == [600]
    assert bench.upstream.count() == 4
    bench.ask("example.org", "SOA")
    bench.ask("example.org", "SOA", flags=codes.NOTIFY << 11)
    bench.ask("example.org", "SOA", flags=codes.NOTIFY << 11 | w.CD)
    assert bench.upstream.count() == 3


@pytest.mark.parametrize("wire", [b"", b"\0\0\x80\0" + bytes(7), b"\0\0\x80\0\0\1\0\1\0\0\0\0\0\0\1\0\1"])
def test_what_cannot_be_read_is_handed_on(wire: bytes) -> None:
    bench = Bench()
    bench.upstream.says = lambda _query: Reply(wire)
    assert bench.ask().wire == wire
    bench.ask()
    assert bench.upstream.count() == 2


def test_a_reply_to_another_question_is_not_kept() -> None:
    bench = Bench()
    other = make_query("www.example.net")
    for says in (answer(other, WWW), Reply(answer(make_query("www.example.org"), WWW).wire.replace(b"\x81", b"\1", 1))):
        bench.upstream.says = lambda _query, says=says: says  # type: ignore[misc]
        bench.ask()
    assert (bench.upstream.count(), len(bench.cache.successes.entries)) == (2, 0)


def test_another_spelling_of_the_question_is_the_same_question() -> None:
    bench = Bench()
    bench.upstream.says = lambda _query: answer(make_query("Www.Example.Org"), WWW)
    bench.ask()
    assert b"\3www\7example\3org\0" in bench.ask().wire
    assert bench.upstream.count() == 1


def opt(flags: int = 0, extended: int = 0) -> bytes:
    return w.opt_record(1232, extended, flags, w.option(codes.OPT, b"x"))


def test_the_opt_record_stays_between_the_hops() -> None:
    bench = Bench()
    bench.upstream.says = lambda query: Reply(w.with_additional(answer(query, WWW).wire, opt()))
    first, hit = bench.ask(edns=1232), bench.ask(edns=1232)
    assert w.find_opt(first.wire) is w.find_opt(hit.wire) is None
    assert first.plain
    assert hit.plain


def test_an_extended_rcode_needs_its_opt_record() -> None:
    bench = Bench()
    bench.upstream.says = lambda query: Reply(w.with_additional(answer(query).wire, opt(extended=1)))
    found = w.find_opt(bench.ask(edns=1232).wire)
    assert found is not None
    assert (found.ttl >> 24, found.end - found.data) == (1, 0)
    bench.ask(edns=1232)
    assert bench.upstream.count() == 2
    with pytest.raises(Failure, match="BADSIG cannot be said to a client without EDNS"):
        bench.ask()


def test_records_behind_the_opt_record() -> None:
    bench = Bench()

    def says(query: Query) -> Reply:
        wire = w.with_additional(answer(query, WWW).wire, opt())
        return Reply(w.with_additional(wire, b"\xc0\x0c" + w.RECORD.pack(codes.A, 1, 9, 4) + last))

    bench.upstream.says = says
    last = bytes((192, 0, 2, 1))
    assert ttls(bench.ask(edns=1232)) == [9, 9]
    last = b"\xff\xff\xff\xff"   # could be a pointer: no way to know without reading every type of data
    assert ttls(bench.ask("example.org", edns=1232)) == [300, 0, 9]
    assert bench.upstream.count() == 2


@given(st.binary(max_size=120), st.integers(0, 200), st.integers(0, 255))
def test_no_reply_breaks_the_cache(behind: bytes, place: int, octet: int) -> None:
    bench = Bench()

    def says(query: Query) -> Reply:
        wire = bytearray(answer(query, WWW, authority=[SOA]).wire + behind)
        wire[place % len(wire)] = octet
        return Reply(bytes(wire))

    bench.upstream.says = says
    for _ in range(2):
        assert bench.ask(edns=1232).wire


def test_zones() -> None:
    bench = Bench("cache example.org")
    for name in ("www.example.org", "www.example.net"):
        bench.ask(name)
        bench.ask(name)
    assert bench.upstream.count() == 3


def test_disable() -> None:
    bench = Bench("cache 60 {\ndisable success sub.example.org\ndisable denial\n}")
    for name in ("www.example.org", "www.sub.example.org"):
        bench.says(f"{name}. 300 IN A 192.0.2.1")
        assert ttls(bench.ask(name)) == [60]   # capped all the same
        bench.ask(name)
    assert bench.upstream.count() == 3
    bench.says(authority=[SOA])
    bench.ask("nothing.example.org")
    bench.ask("nothing.example.org")
    assert bench.upstream.count() == 2


def test_a_failure_behind_is_not_kept() -> None:
    bench = Bench()
    bench.upstream.error = Failure("no upstream")
    with pytest.raises(Failure):
        bench.ask()
    bench.upstream.error = None
    assert bench.ask().rcode == 0


@pytest.mark.parametrize("rcode", [codes.SERVFAIL, codes.REFUSED])
def test_what_nobody_answers_is_handed_on_as_it_is(rcode: int) -> None:
    bench = Bench()
    bench.upstream.says = lambda query: Reply.failed(query, rcode)
    assert bench.ask().unserved


def test_what_nobody_answers_is_not_kept() -> None:
    bench = Bench()
    bench.upstream.says = Reply.failed
    assert [bench.ask().flags & w.AA for _ in range(2)] == [0, 0]
    assert bench.upstream.count() == 2
    bench.says(rcode=codes.SERVFAIL)   # what somebody else says is kept
    assert [bench.ask().flags & w.AA for _ in range(2)] == [0, w.AA]


def test_a_kept_failure_does_not_hide_an_answer() -> None:
    bench = Bench("cache {\nprefetch 1 1m 90%\n}")
    bench.ask()
    bench.says(rcode=codes.SERVFAIL)
    bench.clock.advance(200)
    bench.ask()   # and fetches, in vain
    assert len(bench.cache.denials.entries) == 1
    assert bench.ask().rcode == codes.NOERROR


def test_replies_that_come_later() -> None:
    bench = Bench()
    bench.upstream.hold = True
    waiting = bench.wait()
    bench.upstream.release()
    assert isinstance(waiting.result, Reply)
    assert ttls(bench.ask()) == [300]


# --- metadata ---


def test_a_hit_tells_of_the_wildcard_that_it_was_made_of() -> None:
    bench = Bench()

    def says(query: Query) -> Reply:
        assert query.metadata is not None
        query.metadata["zone/wildcard"] = "*.example.org."
        return answer(query, WWW)

    bench.upstream.says = says
    for _ in range(2):
        query = make_query("www.example.org")
        query.metadata = {}
        bench.cache.serve(query)
        assert query.metadata == {"zone/wildcard": "*.example.org."}
    assert bench.upstream.count() == 1
    assert bench.ask().wire   # where nobody wants to know


# --- capacity ---


ENTRY = b"an entry"


def keys(store: Store) -> Iterator[bytes]:
    """Keys that do not share a flag."""
    seen = set()
    for number in count():
        key = str(number).encode()
        if (place := hash(key) & store.mask) not in seen:
            seen.add(place)
            yield key


def test_what_was_asked_for_stays() -> None:
    store = Store(4)
    a, b, c, d, e, f = islice(keys(store), 6)
    for key in (a, b, c, d):
        assert not store.put(key, ENTRY)
    store.asked[hash(a) & store.mask] = 1
    assert store.put(e, ENTRY)
    assert set(store.entries) == {a, c, d, e}
    del store.entries[c]
    assert not store.put(f, ENTRY)
    assert set(store.entries) == {a, d, e, f}
    assert not store.put(f, ENTRY)


def test_a_new_entry_always_has_its_place() -> None:
    store = Store(2 * CHANCES)
    for number in range(100):
        store.put(str(number).encode(), ENTRY)
        store.asked[:] = b"\1" * len(store.asked)
    assert len(store.entries) == 2 * CHANCES
    assert b"99" in store.entries


def test_what_is_known_of_an_entry_goes_with_it() -> None:
    store = Store(2)
    for key in (b"a", b"b"):
        store.put(key, ENTRY)
        store.state(key).hits = 1
    store.put(b"a", ENTRY)
    assert store.state(b"a").hits == 0
    store.put(b"c", ENTRY)
    store.put(b"d", ENTRY)
    assert not store.states


def test_no_more_than_the_capacity() -> None:
    bench = Bench("cache {\nsuccess 1024\n}")
    bench.upstream.says = lambda query: answer(query, f"{query.name} 300 IN A 192.0.2.1")
    for number in range(1100):
        bench.ask(f"a{number}.example.org")
    assert len(bench.cache.successes.entries) == 1024


def test_metrics() -> None:
    bench = Bench("cache example.org {\nserve_stale\n}")
    site = Site([])
    site.view = "inside"
    bench.cache.configure(site)
    bench.ask()
    bench.ask()
    bench.clock.advance(400)
    bench.ask()
    bench.says(authority=[SOA])
    bench.ask("nothing.example.org")
    bench.ask("nothing.example.org")
    bench.upstream.says = lambda _query: answer(make_query("x.example.org"), WWW.replace("www", "x"))
    bench.ask("dropped.example.org")
    for settle in SETTLE:
        settle()
    place = ("dns://:53", "example.org.", "inside")
    success, denial = ("dns://:53", "success", *place[1:]), ("dns://:53", "denial", *place[1:])
    expected = {
        "requests_total": {place: 6}, "misses_total": {place: 3}, "prefetch_total": {place: 1},
        "drops_total": {place: 1}, "served_stale_total": {place: 1}, "hits_total": {success: 2, denial: 1},
        "entries": {success: 1, denial: 1},
    }  # fmt: skip
    for name, numbers in expected.items():
        family: Any = FAMILIES[f"cache_{name}"]
        assert {labels: value for labels, value in family.values.items() if labels[-1] == "inside"} == numbers, name


def test_neither_hit_nor_miss_needs_records(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = answer(make_query("www.example.org"), WWW)
    bench = Bench()
    bench.upstream.says = lambda _query: Reply(reply.wire)

    def fail(*_args: object) -> None:
        raise AssertionError("dnslib was asked")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", fail)
    monkeypatch.setattr(dnslib.DNSRecord, "pack", fail)
    reply.wire  # noqa: B018 - packed above
    assert bench.ask().wire
    assert ttls(bench.ask(edns=1232)) == [300]
    assert bench.upstream.count() == 1


def test_a_reload_keeps_what_is_kept_where_the_block_says_what_it_said() -> None:
    def built(said: str) -> Cache:
        plugin = Cache()
        plugin.configure(Site([], said=said))
        return plugin

    old, same, other = built("cache, forward . a"), built("cache, forward . a"), built("cache, forward . b")
    same.adopt(old)
    other.adopt(old)
    assert same.successes is old.successes
    assert same.denials is old.denials
    assert other.successes is not old.successes
