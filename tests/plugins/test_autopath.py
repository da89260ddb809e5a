"""autopath: what its lines mean, and how names are completed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dnslib
import pytest

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError, Failure
from corepy.metrics import FAMILIES
from corepy.plugin import Plugin
from corepy.plugins.autopath import Autopath
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.site import Site
from corepy.testing import make_query

ROOT = (b"\0",)
SOURCE = "expected a file such as resolv.conf, or @PLUGIN"


def key(name: str) -> bytes:
    return w.key(w.encode_name(name))


SEARCH = (key("dev.example.org"), key("example.org"))


def parse(text: str) -> Autopath:
    [line] = directives(text)
    line.zones = ROOT
    plugin = Autopath.parse(line)
    line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("autopath FILE", Autopath(ROOT, SEARCH)),
        ("autopath example.org 192.0.2.0/24 FILE", Autopath((key("example.org"), key("2.0.192.in-addr.arpa")), SEARCH)),
        ("autopath example.org @kubernetes", Autopath((key("example.org"),), source="kubernetes")),
        (
            "autopath",
            f"plugin/autopath: Corefile:1:1: 'autopath' lacks an argument, {SOURCE}",
        ),
        ("autopath missing", "plugin/autopath: Corefile:1:10: cannot read 'missing': No such file or directory"),
        ("autopath .", "plugin/autopath: Corefile:1:10: cannot read '.': Is a directory"),
        ("autopath BAD", "plugin/autopath: Corefile:1:10: 'BAD' has a bad search domain: 'a..b' has an empty label"),
    ],
)
def test_lines(text: str, expected: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("nameserver 192.0.2.53\nsearch a b\n\n# x\nsearch Dev.example.org example.org.\n")
    Path("BAD").write_text("search c\ndomain a..b d\n")
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error)
    assert result == expected


class Bench:
    """The plugin in front of one that knows a few names."""

    def __init__(self, *records: str, search: tuple[bytes, ...] = SEARCH, zones: tuple[bytes, ...] = ROOT) -> None:
        self.heard: list[str] = []
        self.records = records
        self.plugin = Autopath(zones, search)
        self.plugin.configure(Site([]))
        self.plugin.start()
        self.plugin.next = self.serve

    def serve(self, query: Query) -> Outcome:
        self.heard.append(str(query.record.q.qname))
        found = [record for record in self.records if record.lower().startswith(query.name)]
        return Reply.answer(query, *found, rcode=codes.NOERROR if found else codes.NXDOMAIN)

    def ask(self, name: str) -> Any:
        async def wait() -> Reply:
            return await self.plugin.serve(make_query(name))

        return asyncio.run(wait()).record


def shown(record: Any) -> list[str]:
    return [" ".join(str(each).split()) for each in record.rr]


def test_the_search_path_is_gone_through() -> None:
    bench = Bench("www.example.org. 60 IN A 192.0.2.1", "host.test. 30 IN A 192.0.2.2")
    reply = bench.ask("Www.Dev.example.org")
    assert str(reply.q.qname) == "Www.Dev.example.org."
    assert shown(reply) == ["Www.Dev.example.org. 60 IN CNAME www.example.org.", "www.example.org. 60 IN A 192.0.2.1"]
    assert bench.heard == ["Www.Dev.example.org.", "Www.example.org."]
    assert shown(bench.ask("host.test.dev.example.org"))[0] == "host.test.dev.example.org. 30 IN CNAME host.test."


def test_what_is_there_is_not_completed() -> None:
    bench = Bench("www.dev.example.org. 60 IN CNAME example.net.")
    assert shown(bench.ask("www.dev.example.org")) == ["www.dev.example.org. 60 IN CNAME example.net."]
    assert len(bench.heard) == 1


def test_nothing_is_found() -> None:
    bench = Bench()
    reply = bench.ask("gone.dev.example.org")
    assert (reply.header.rcode, str(reply.q.qname)) == (codes.NXDOMAIN, "gone.dev.example.org.")
    assert bench.heard == ["gone.dev.example.org.", "gone.example.org.", "gone."]


def test_names_that_nobody_serves_are_passed_over() -> None:
    bench = Bench()
    found = Bench("www. 30 IN A 192.0.2.2")
    served = {"www.dev.example.org.": codes.NXDOMAIN, "www.example.org.": codes.REFUSED}

    def serve(query: Query) -> Outcome:
        rcode = served.get(query.name)
        return found.serve(query) if rcode is None else Reply.failed(query, rcode)

    bench.plugin.next = serve
    assert shown(bench.ask("www.dev.example.org"))[1] == "www. 30 IN A 192.0.2.2"
    served["www."] = codes.SERVFAIL
    assert bench.ask("www.dev.example.org").header.rcode == codes.NXDOMAIN


def test_an_empty_answer_under_another_name() -> None:
    bench = Bench()
    bench.plugin.next = lambda query: Reply.build(query, codes.NXDOMAIN if "dev" in query.name else codes.NOERROR)
    reply = bench.ask("www.dev.example.org")
    assert (reply.header.rcode, str(reply.q.qname), reply.rr) == (codes.NOERROR, "www.dev.example.org.", [])


@pytest.mark.parametrize(
    ("name", "search", "zones"),
    [
        ("www.example.org", SEARCH, ROOT),
        ("www.dev.example.org", SEARCH, (key("example.net"),)),
        ("www.dev.example.org", (), ROOT),
        ("www.dev.example.org", (b"\0",), ROOT),
    ],
)
def test_what_is_passed_on(name: str, search: tuple[bytes, ...], zones: tuple[bytes, ...]) -> None:
    bench = Bench(search=search, zones=zones)
    bench.ask(name)
    assert bench.heard == [f"{name}."]


def test_the_search_domain_itself() -> None:
    with pytest.raises(Failure):
        Bench().ask("dev.example.org")


def test_a_name_that_would_be_too_long_is_left_out() -> None:
    long = ".".join(["a" * 60] * 3)
    bench = Bench(search=(key("x"), key("b" * 60 + "." + "c" * 60)))
    bench.ask(f"{long}.x")
    assert bench.heard == [f"{long}.x.", f"{long}."]


def test_failures_and_replies_that_cannot_be_read() -> None:
    bench = Bench()
    bench.plugin.next = lambda query: (
        Reply.build(query, codes.NXDOMAIN) if "dev" in query.name else Reply(query.wire[:6] + b"\0\1" + query.wire[8:])
    )
    with pytest.raises(Failure):
        bench.ask("www.dev.example.org")


def test_a_plugin_that_knows_search_paths() -> None:
    class Knows(Plugin):
        name = "knows"

        def search_path(self, _query: Query) -> list[bytes]:
            return list(SEARCH)

    class Other(Plugin):
        name = "other"

    plugin = Autopath(ROOT, source="knows")
    plugin.name = "autopath"
    block = Site([])
    plugin.configure(block)
    bench = Bench("www.example.org. 60 IN A 192.0.2.1")
    plugin.next = bench.serve
    bench.plugin = plugin
    plugin.start()
    assert bench.ask("www.dev.example.org").header.rcode == codes.NXDOMAIN   # it is not there
    block.plugins = [Other(), Knows()]
    plugin.start()
    assert shown(bench.ask("www.dev.example.org"))
    plugin.source = "other"
    with pytest.raises(ConfigError, match="plugin/autopath: the plugin other knows no search paths"):
        plugin.start()


def test_successes_are_counted() -> None:
    family: Any = FAMILIES["autopath_success_total"]
    before = family.values.get(("dns://:53",), 0)
    Bench("www.example.org. 60 IN A 192.0.2.1").ask("www.dev.example.org")
    assert family.values["dns://:53",] == before + 1


def test_no_records_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise AssertionError("dnslib was asked")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", fail)
    bench = Bench()
    bench.plugin.next = Reply.refused
    assert isinstance(bench.plugin.serve(make_query("example.net")), Reply)
