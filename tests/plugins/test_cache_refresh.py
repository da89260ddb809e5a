"""cache: what is fetched before its time is over, and what is served afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure
from corepy.log import Log
from corepy.reply import Reply
from corepy.testing import make_query
from tests.plugins.cachebench import SOA, WWW, Bench, ttls

# --- prefetch ---


def test_what_is_popular_is_fetched_before_it_expires() -> None:
    bench = Bench("cache 100 {\nprefetch 2 1m 10%\n}")
    bench.ask()
    bench.clock.advance(80)
    bench.ask()   # the first hit of a popular entry
    bench.clock.advance(9)
    bench.ask()   # the second, but there is time
    assert bench.upstream.count() == 1
    bench.clock.advance(1)
    bench.upstream.hold = True
    assert ttls(bench.ask()) == [10]
    assert ttls(bench.ask()) == [10]   # it is being fetched
    [asked] = bench.upstream.heard
    assert (asked.endpoint.transport, asked.flags) == ("tcp", w.RD | w.AD)
    bench.upstream.release()
    bench.clock.advance(20)
    assert ttls(bench.ask()) == [80]
    bench.upstream.hold = False
    bench.clock.advance(70)   # longer than a minute: a popular entry no more
    bench.ask()
    assert bench.upstream.count() == 1


def test_popularity_survives_the_fetch() -> None:
    bench = Bench("cache 100 {\nprefetch 3 1m 90%\n}")
    bench.ask()
    bench.clock.advance(20)
    for _ in range(3):
        bench.ask()
    assert bench.upstream.count() == 2
    bench.clock.advance(20)
    bench.ask()
    assert bench.upstream.count() == 1


@pytest.mark.parametrize("error", [Failure("no upstream"), RuntimeError("a bug")])
def test_a_fetch_that_fails_is_for_those_who_debug(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench("cache 100 {\nprefetch 1 1m 90%\n}")
    bench.ask()
    bench.upstream.error = error
    bench.clock.advance(20)
    assert ttls(bench.ask()) == [80]
    assert not capsys.readouterr().out
    monkeypatch.setattr(Log, "debugging", True)
    bench.ask()
    assert capsys.readouterr().out == f"[DEBUG] plugin/cache: cannot refresh www.example.org. A: {error}\n"


# --- serve_stale ---


def stale(how: str = "", more: str = "") -> Bench:
    """A bench with an entry whose time is over, and an upstream that has other things to say."""
    bench = Bench(f"cache 60 {{\nserve_stale {how}\n{more}\n}}")
    bench.ask()
    bench.clock.advance(70)
    bench.upstream.count()
    bench.says("www.example.org. 300 IN A 192.0.2.9")
    return bench


def is_new(reply: Reply) -> bool:
    return reply.wire.endswith(bytes((192, 0, 2, 9)))


def test_stale_at_once_and_new_behind() -> None:
    bench = stale()
    bench.upstream.hold = True
    old = bench.ask()
    assert (is_new(old), ttls(old)) == (False, [0])
    bench.ask()
    assert bench.upstream.count() == 1
    bench.upstream.release()
    assert is_new(bench.ask())


def test_stale_for_an_hour() -> None:
    bench = stale("1h")
    bench.upstream.error = Failure("no upstream")
    bench.clock.advance(3600 - 11)
    assert ttls(bench.ask()) == [0]
    bench.clock.advance(1)
    with pytest.raises(Failure):
        bench.ask()


def test_stale_with_a_ttl_and_a_pause_after_a_failure() -> None:
    bench = stale("1h immediate 30s 10s")
    bench.upstream.error = Failure("no upstream")
    assert ttls(bench.ask()) == [30]
    bench.clock.advance(9.9)
    bench.ask()
    assert bench.upstream.count() == 1
    bench.clock.advance(0.1)
    bench.ask()
    assert bench.upstream.count() == 1


@pytest.mark.parametrize("how", [{"rcode": codes.SERVFAIL}, {"rcode": codes.REFUSED}, {"flags": w.TC}])
@pytest.mark.parametrize("mode", ["1h", "1h verify"])
def test_what_is_no_news_takes_no_place(how: dict[str, Any], mode: str) -> None:
    bench = stale(mode)
    bench.says(**how)
    for _ in range(2):
        assert (bench.ask().rcode, bench.upstream.count()) == (codes.NOERROR, 1)
    bench.upstream.says = lambda _query: Reply(b"\0\0")
    assert bench.ask().rcode == codes.NOERROR


def test_a_denial_is_news() -> None:
    bench = stale()
    bench.says(rcode=codes.NXDOMAIN, authority=[SOA])
    bench.ask()
    assert bench.ask().rcode == codes.NXDOMAIN


def test_keepttl_keeps_that_of_stale_replies() -> None:
    assert ttls(stale(more="keepttl").ask()) == [60]


def test_verify_asks_first() -> None:
    bench = stale("1h verify")
    assert is_new(bench.ask())
    bench.clock.advance(70)
    bench.upstream.error = Failure("no upstream")
    assert ttls(bench.ask()) == [0]
    bench.upstream.error, bench.upstream.hold = None, True
    waiting = bench.wait()
    bench.upstream.release(Failure("late"))
    assert isinstance(waiting.result, Reply)
    assert ttls(waiting.result) == [0]


def test_verify_after_a_denial() -> None:
    bench = Bench("cache {\nserve_stale 1h verify\n}")
    bench.says(rcode=codes.NXDOMAIN, authority=[SOA])
    bench.ask()
    bench.clock.advance(70)
    bench.says(WWW)
    assert bench.ask().rcode == codes.NOERROR
    bench.upstream.count()
    assert bench.ask().rcode == codes.NOERROR
    assert bench.upstream.count() == 0


def test_verify_for_so_long() -> None:
    bench = stale("1h verify 100ms 30s")
    bench.upstream.hold = True
    waiting = bench.wait()
    bench.clock.advance(0.09)
    assert waiting.result is None
    bench.clock.advance(0.01)
    assert isinstance(waiting.result, Reply)
    assert ttls(waiting.result) == [30]
    bench.upstream.release()   # late, but it is kept
    assert is_new(bench.ask())
    bench.clock.advance(70)
    soon = bench.wait()
    bench.upstream.release()
    assert isinstance(soon.result, Reply)
    assert (is_new(soon.result), ttls(soon.result), soon.result.flags & w.AA) == (True, [60], w.AA)


def test_verify_with_a_pause() -> None:
    bench = stale("1h verify 0 30s 10s")
    bench.upstream.error = Failure("no upstream")
    bench.ask()
    bench.ask()
    assert bench.upstream.count() == 1
    bench.clock.advance(10)
    bench.says(rcode=codes.SERVFAIL)
    bench.upstream.error = None
    bench.ask()
    bench.ask()
    assert bench.upstream.count() == 1
    bench.clock.advance(10)
    bench.says("www.example.org. 300 IN A 192.0.2.9")
    assert is_new(bench.ask())


@pytest.mark.parametrize("mode", ["1h", "1h verify"])
def test_prefer_positive(mode: str) -> None:
    bench = stale(mode, "serve_stale_policy prefer_positive")
    for no_answer in ({"rcode": codes.NXDOMAIN, "authority": [SOA]}, {}, {"rcode": codes.SERVFAIL}):
        bench.says(**no_answer)
        assert ttls(bench.ask()) == [0]
        assert ttls(bench.ask()) == [0]
    bench.says("www.example.org. 300 IN A 192.0.2.9")
    bench.ask()
    assert is_new(bench.ask())
    assert not bench.cache.denials.entries


# --- what both do ---


@pytest.mark.parametrize("text", ["cache 100 {\nprefetch 1 1m 90%\n}", "cache 10 {\nserve_stale\n}"])
def test_a_refresh_goes_down_the_chain_as_the_query_would_and_tells_nobody(text: str) -> None:
    bench = Bench(text)
    bench.ask()
    bench.clock.advance(20)
    query = make_query("www.example.org", edns=1232)
    query.metadata, query.reached = {"geoip/city": "Bern"}, [""]
    bench.upstream.count()
    bench.cache.serve(query)
    [asked] = bench.upstream.heard
    assert (asked.client, asked.local, asked.edns) == (query.client, query.local, query.edns)
    assert asked.metadata == {"geoip/city": "Bern"}
    asked.metadata["forward/upstream"] = "192.0.2.1:53"
    asked.reached[0] = "forward"
    assert (query.metadata, query.reached) == ({"geoip/city": "Bern"}, [""])
