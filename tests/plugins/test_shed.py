"""shed: what its line means, and which queries are dropped."""

from __future__ import annotations

from typing import Any

import dnslib
import pytest

from corepy import corefile, registry, site
from corepy.corefile import directives
from corepy.errors import ConfigError, ConfigErrors
from corepy.metrics import FAMILIES
from corepy.plugins.shed import Shed
from corepy.plugins.shed.shed import PAUSE
from corepy.query import Endpoint, Query, Reply
from corepy.testing import FakeClock, make_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shed", Shed()),
        ("shed 1024", "plugin/shed: Corefile:1:6: unexpected argument '1024', expected no arguments"),
    ],
)
def test_lines(text: str, expected: Shed | str) -> None:
    [line] = directives(text)
    try:
        result: object = Shed.parse(line)
    except ConfigError as error:
        result = str(error)
    assert result == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (". {\nshed {\ndepth 5\n}\n}", "plugin/shed: Corefile:3:1"),
        (". {\nshed\nshed\n}", "plugin/shed: Corefile:3:1"),
        ("tls://. {\nshed\n}", "plugin/shed: Corefile:2:1: cannot shed load of tls://.:853, only of plain DNS"),
    ],
)
def test_blocks(text: str, words: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        site.build(corefile.load(text, "Corefile", known=registry.known()))
    assert any(str(error).startswith(words) for error in caught.value.errors)


class Bench:
    """The plugin with two sockets."""

    def __init__(self) -> None:
        self.clock, self.plugin = FakeClock(), Shed()
        self.plugin.clock, self.plugin.next = self.clock, Reply.refused
        self.plugin.start()
        self.one, self.other = Endpoint("udp", "dns://one:53"), Endpoint("udp", "dns://other:53")
        self.tcp = Endpoint("tcp", "dns://one:53")

    def drops(self, endpoint: Endpoint) -> bool:
        query = make_query()
        outcome = self.plugin.serve(Query(query.wire, endpoint, query.client))
        return outcome is Reply.SILENCE


def test_nothing_is_dropped_while_all_is_sent() -> None:
    bench = Bench()
    bench.one.unsent = 7   # before, and not since
    assert not any(bench.drops(bench.one) for _ in range(2000))


def test_queries_are_dropped_after_replies_were() -> None:
    bench = Bench()
    family: Any = FAMILIES["shed_dropped_total"]
    assert not bench.drops(bench.one)
    bench.one.unsent = 3
    assert [bench.drops(bench.one), bench.drops(bench.one)] == [True, True]
    assert not bench.drops(bench.other)
    assert not bench.drops(bench.tcp)
    bench.clock.advance(PAUSE)
    assert not bench.drops(bench.one)
    counted = {labels: value for labels, value in family.values.items() if labels[0] == "dns://one:53"}
    assert counted == {("dns://one:53", "query"): 2, ("dns://one:53", "response"): 3}
    bench.one.unsent = 4
    assert bench.drops(bench.one)


def test_no_records_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise AssertionError("dnslib was asked")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", fail)
    bench = Bench()
    assert not bench.drops(bench.one)
