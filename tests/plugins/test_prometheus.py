"""prometheus: its lines, what it counts, and a page that Prometheus can read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from corepy import codes, corefile, site, upstream
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.listener import PANICS
from corepy.plugin import Deferred, Failure, Outcome, Plugin, Query, Reply
from corepy.plugins.prometheus import Prometheus, exposition
from corepy.plugins.prometheus.traffic import RESPONSE_SIZE, RESPONSES, _size, traffic
from corepy.source import Source
from corepy.testing import FakeClock, FakeUpstream, Running, make_query
from corepy.testing.web import fetch
from corepy.validate import validate
from corepy.words import NOWHERE, Word

if TYPE_CHECKING:
    from tests.conftest import Serve


def word(text: str) -> Word:
    return Word(text, NOWHERE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prometheus", Prometheus()),
        ("prometheus 192.0.2.1:9", Prometheus("192.0.2.1", 9)),
        ("prometheus :9 {\nruntime_metrics\n}", Prometheus("", 9, runtime=True)),
        ("prometheus x", "1:12: invalid argument 'x', expected HOST:PORT"),
        ("prometheus :9 :10", "1:15: unexpected argument ':10', expected the end of the line"),
        ("prometheus\nprometheus", "2:1: given twice in a server block, first at Corefile:1:1"),
        ("prometheus {\nruntime_metrics x\n}", "2:17: unexpected argument 'x', expected no arguments"),
        ("prometheus {\nother\n}", "2:1: unknown option 'other', expected one of runtime_metrics, tls"),
        ("prometheus {\ntls web.yml\nruntime_metrics\n}", Prometheus(tls=word("web.yml"), runtime=True)),
        ("prometheus {\ntls\n}", "2:1: 'tls' lacks an argument, expected the path of a web configuration"),
        ("prometheus {\ntls a b\n}", "2:7: unexpected argument 'b', expected the end of the line"),
        ("prometheus {\ntls a\ntls b\n}", "3:1: 'tls' given twice, first at Corefile:2:1"),
    ],
)
def test_lines(text: str, expected: Prometheus | str) -> None:
    lines = directives(text)
    result: object
    try:
        [result] = Prometheus.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/prometheus: Corefile:")
    assert result == expected


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("prometheus_client", "prometheus", "Corefile:1:1: needs the library prometheus-client"),
        ("yaml", "prometheus {\ntls web.yml\n}", "Corefile:2:1: needs the library PyYAML"),
        ("bcrypt", "prometheus {\ntls web.yml\n}", "Corefile:2:1: needs the library bcrypt"),
    ],
)
def test_without_a_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, text: str, expected: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as caught:
        Prometheus.parse_all(directives(text))
    assert expected in str(caught.value)
    assert "corepy[prometheus]" in caught.value.explain()


def test_what_tls_needs_is_loaded_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    assert Prometheus.parse_all(directives("prometheus")) == [Prometheus()]


# --- a web configuration ---


USERS = "basic_auth_users:\n  alice: $2y$10$" + "a" * 53 + "\n"


def test_a_web_configuration_stands_in_front_of_the_endpoint(serve: Serve, tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(USERS)
    block = f". {{\nprometheus localhost:0 {{\ntls {web}\n}}\nwhoami\n}}"
    server = serve(block)
    assert fetch(port_of(server), "/metrics")[0] == 401
    web.write_text("")
    assert fetch(port_of(server), "/metrics")[0] == 200


def test_a_reload_with_a_bad_web_configuration_changes_nothing(
    serve: Serve, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    good, bad, port = tmp_path / "good.yml", tmp_path / "bad.yml", free_port()
    good.write_text(USERS)
    bad.write_text("rate_limit:\n  interval: soon\n")

    def block(name: Path) -> str:
        return f". {{\nprometheus localhost:{port} {{\ntls {name}\n}}\nwhoami\n}}"

    server = serve(block(good))
    with pytest.raises(ConfigError, match=r"^plugin/prometheus: .*bad.yml:2:13: invalid value 'soon'"):
        server.load(block(bad))
    assert fetch(port, "/metrics")[0] == 401
    server.load(f". {{\nprometheus localhost:{port}\nwhoami\n}}")
    assert fetch(port, "/metrics")[0] == 200
    server.load(block(good))
    assert fetch(port, "/metrics")[0] == 401


def test_who_shares_an_address_is_behind_its_guard(serve: Serve, tmp_path: Path, free_port: Callable[[], int]) -> None:
    web, port = tmp_path / "web.yml", free_port()
    web.write_text(USERS)
    one = f"a.test {{\nprometheus localhost:{port} {{\ntls {web}\n}}\nhealth localhost:{port}\n}}\n"
    serve(one + f"b.test {{\nprometheus localhost:{port}\n}}\n")
    assert [fetch(port, path)[0] for path in ("/metrics", "/health")] == [401, 401]


def test_two_files_for_one_address_are_one_too_many() -> None:
    text = "a {\nprometheus :9 {\ntls a.yml\n}\n}\nb {\nprometheus :9 {\ntls b.yml\n}\n}\n"
    with pytest.raises(ConfigError) as caught:
        site.build(corefile.load(text, "Corefile", {}))
    where = "plugin/prometheus: Corefile:8:5: this address is secured by 'a.yml' already, at Corefile:3:5"
    assert str(caught.value) == where


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (None, ":1:1: cannot read "),
        ("tls_server_config:\n  cert_file: x\n  key_file: y\n", ":2:3: cannot read "),
        ("other: 1\nmore: 2\n", ":1:1: unknown key 'other'"),
        (USERS, "Corefile:3:5: 'web.yml' has no tls_server_config"),
    ],
)
def test_validate_looks_into_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contents: str | None, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if contents is not None:
        Path("web.yml").write_text(contents)
    Path("Corefile").write_text(". {\nprometheus :9 {\ntls web.yml\n}\nwhoami\n}\n")
    found = [str(error) for error in validate(Source("Corefile", "Corefile")) if "web.yml" in str(error)]
    assert expected in found[0]
    assert len(found) == 1 + bool(contents and "more" in contents)


# --- the page ---


class Page:
    """The metrics as Prometheus reads them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    @classmethod
    def of(cls, server: Running) -> Page:
        status, text = fetch(port_of(server), "/metrics")
        assert status == 200
        return cls(text)

    def get(self, sample: str, **labels: str) -> dict[tuple[str, ...], float]:
        """The samples of a name with these labels: value by the values of all others, in alphabetical order."""
        return {
            tuple(value for name, value in sorted(each.labels.items()) if name not in labels): each.value
            for family in self.families.values()
            for each in family.samples
            if each.name == f"coredns_{sample}" and labels.items() <= each.labels.items()
        }


def port_of(server: Running) -> int:
    assert server.server.configuration is not None
    plugins = [each for each in server.server.configuration.plugins if isinstance(each, Prometheus)]
    assert plugins[0].endpoint is not None
    return plugins[0].endpoint.port


class Odd(Plugin):
    """Does what the name says."""

    def serve(self, query: Query) -> Outcome:
        match query.name.split(".")[0]:
            case "bug":
                raise RuntimeError("a bug")
            case "failure":
                raise Failure("no luck")
            case "silence":
                return Reply.SILENCE
            case "late":
                deferred = Deferred()
                self.clock.later(0, lambda: deferred.settle(Failure("refused", codes.REFUSED)))
                return deferred
            case "coroutine":
                return self._coroutine(query)
        return Reply.build(query, codes.NXDOMAIN)

    async def _coroutine(self, query: Query) -> Reply:
        return await self.next(query)


def test_queries_and_replies(serve: Serve, directives: Callable[..., None]) -> None:
    directives(odd=Odd)
    server = serve("queries.test {\nprometheus localhost:0\nerrors\nlog\nodd\nwhoami\n}\nother.test {\nwhoami\n}")
    for name in ("failure", "late", "coroutine", "nx"):
        server.ask(f"{name}.queries.test.")
    server.ask("queries.test.", "CAA", "tcp", edns=1232, do=True)
    server.ask("queries.test.", "TYPE65500", host="::1")
    server.ask("other.test.")
    page = Page.of(server)
    place = {"server": "dns://:0", "zone": "queries.test.", "view": ""}
    assert page.get("dns_requests_total", **place) == {
        ("1", "udp", "A"): 4, ("1", "tcp", "other"): 1, ("2", "udp", "other"): 1,
    }  # fmt: skip
    assert page.get("dns_responses_total", **place) == {
        ("", "SERVFAIL"): 1, ("", "REFUSED"): 1, ("whoami", "NOERROR"): 1, ("odd", "NXDOMAIN"): 3,
    }  # fmt: skip
    assert page.get("dns_do_requests_total", **place) == {(): 1}
    assert page.get("dns_request_duration_seconds_count", **place) == {(): 6}
    assert page.get("dns_request_size_bytes_count", **place) == {("tcp",): 1, ("udp",): 5}
    assert page.get("dns_requests_total", zone="other.test.") == {}


def test_zones_that_plugins_find_are_counted_on_their_own(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "db.found.test").write_text("@ 60 SOA ns root 1 2 3 4 5\n")
    server = serve(f".:0 {{\nprometheus localhost:0\nauto {{\ndirectory {tmp_path}\n}}\nwhoami\n}}")
    for name in ("www.found.test.", "found.test.", "other.test."):
        server.ask(name)
    page = Page.of(server)
    found, other = (page.get("dns_requests_total", zone=zone, server="dns://:0") for zone in ("found.test.", "."))
    assert (sum(found.values()), sum(other.values())) == (2, 1)


def test_a_query_without_reply_and_a_bug(serve: Serve, directives: Callable[..., None]) -> None:
    directives(odd=Odd)
    server = serve("silence.test {\nprometheus localhost:0\nodd\n}")
    panics, dropped = PANICS.values[()], Page.of(server).get("dns_responses_total", zone="dropped")
    with server.client() as client:
        client.send(make_query("silence.silence.test.").wire)
        assert client.ask("bug.silence.test.").rcode == codes.SERVFAIL
        assert client.ask("elsewhere.test.").rcode == codes.REFUSED
        assert client.ask("silence.test.", qclass=codes.CH).rcode == codes.REFUSED
    page = Page.of(server)
    assert page.get("dns_responses_total", zone="silence.test.") == {("", "NOERROR", "dns://:0", ""): 1}
    assert page.get("dns_response_size_bytes_sum", zone="silence.test.") == {("udp", "dns://:0", ""): 0}
    assert page.get("panics_total") == {(): panics + 1}
    now = page.get("dns_responses_total", zone="dropped")
    for rcode, count in (("REFUSED", 2), ("SERVFAIL", 1)):
        key = ("", rcode, "dns://:0", "")
        assert now[key] - dropped.get(key, 0) == count


def test_numbers_live_through_a_reload_and_the_list_of_plugins_does_not(
    serve: Serve, free_port: Callable[[], int]
) -> None:
    one, two = free_port(), free_port()
    text = "reload.test sub.reload.test {{\nprometheus 127.0.0.1:{}\n{}\n}}"
    server = serve(text.format(one, "whoami"))
    server.ask("www.sub.reload.test.")
    server.load(text.format(one, "erratic {\ndrop 0\n}"))
    server.ask("reload.test.")
    page = Page.of(server)
    for zone, plugin in (("sub.reload.test.", "whoami"), ("reload.test.", "erratic")):
        assert page.get("dns_responses_total", zone=zone) == {(plugin, "NOERROR", "dns://:0", ""): 1}
    assert set(page.get("plugin_enabled", zone="reload.test.")) == {
        (name, "dns://:0", "") for name in ("prometheus", "erratic")
    }
    with pytest.raises(ConfigError):
        server.load(text.format(one, "health 192.0.2.1:0"))
    assert fetch(one, "/metrics")[0] == 200
    server.load(text.format(two, "whoami"))
    assert fetch(two, "/metrics")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        fetch(one, "/metrics")


def test_an_address_that_cannot_be_had_names_the_plugin(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"^plugin/prometheus: cannot start: "):
        serve(". {\nprometheus 192.0.2.1:0\n}")
    assert capsys.readouterr().out == ""


def test_blocks_share_an_address(serve: Serve, free_port: Callable[[], int]) -> None:
    port = free_port()
    server = serve("".join(f"{zone}.share.test {{\nprometheus localhost:{port}\nwhoami\n}}\n" for zone in "ab"))
    for zone in "aab":
        server.ask(f"{zone}.share.test.")
    page = Page.of(server)
    assert [sum(page.get("dns_requests_total", zone=f"{zone}.share.test.").values()) for zone in "ab"] == [2, 1]
    assert page.get("plugin_enabled", zone="b.share.test.", name="whoami") == {("dns://:0", ""): 1}
    assert page.families["python_info"].type == "gauge"
    assert "process_open_fds" in page.families
    assert "python_threads" not in page.families
    assert "coredns_build_info" in page.families


def test_what_forward_counts(serve: Serve) -> None:
    fake = FakeUpstream().fail(once=True).answer("www.forward.test. 60 IN A 192.0.2.1")
    with upstream.replaced(fake.connect):
        server = serve("forward.test {\nprometheus localhost:0\nforward . 192.0.2.77\n}")
        before = Page.of(server).get("forward_healthcheck_broken_total")  # of the process: other tests count, too
        assert server.ask("www.forward.test.").rcode == codes.NOERROR
        page = Page.of(server)
        server.stop()
    to = {"proxy_name": "forward", "to": "192.0.2.77:53"}
    assert page.get("proxy_request_duration_seconds_count", **to) == {("NOERROR",): 1}
    assert page.get("dns_responses_total", zone="forward.test.") == {("forward", "NOERROR", "dns://:0", ""): 1}
    assert page.get("forward_healthcheck_broken_total") == before != {}


def test_more_about_the_runtime(serve: Serve) -> None:
    server = serve("a.test {\nprometheus localhost:0\n}\nb.test {\nprometheus localhost:0 {\nruntime_metrics\n}\n}")
    assert Page.of(server).families["python_threads"].samples[0].value >= 1


def test_the_form_of_the_page(serve: Serve) -> None:
    server = serve("form.test {\nprometheus localhost:0\nwhoami\n}")
    server.ask("form.test.")
    lines = Page.of(server).text.splitlines()
    name, place = "coredns_dns_request_size_bytes", 'proto="udp",server="dns://:0",view="",zone="form.test."'
    typed = place.replace(",view", ',type="A",view')
    assert f'coredns_dns_requests_total{{family="1",{typed}}} 1' in lines
    assert f'{name}_bucket{{{place},le="100"}} 1' in lines
    assert f'{name}_bucket{{{place},le="+Inf"}} 1' in lines
    assert lines[lines.index(f"# TYPE {name} histogram") - 1].startswith(f"# HELP {name} ")
    sizes = [line.split("{")[0] for line in lines if line.startswith(name) and place in line]
    assert sizes[-2:] == [f"{name}_sum", f"{name}_count"]


@given(st.text(), st.text(), st.floats(allow_nan=False) | st.integers(0, 1 << 60))
def test_any_text_and_number_can_be_read_back(text: str, label: str, value: float) -> None:
    metric = GaugeMetricFamily("x", text, labels=["label"])
    metric.add_metric([label], value)
    page = "".join(exposition._lines(metric))
    [family] = text_string_to_metric_families(page)
    assert family.samples[0].labels == {"label": label}
    assert family.samples[0].value == float(value)


# --- counting ---


def test_durations_are_those_of_the_clock() -> None:
    clock, plugin, inner = FakeClock(), Prometheus(), Deferred()
    plugin.clock, plugin.next = clock, lambda _: inner
    plugin.configure(SimpleNamespace(keys=[SimpleNamespace(zone=b"\x05clock\0")], view="inside"))  # type: ignore[arg-type]
    query = make_query("www.clock.", transport="tls")
    plugin.serve(query)
    clock.advance(0.3)
    inner.settle(Reply.refused(query))
    seen = traffic("dns://:53", "clock.", "inside", "tcp")
    assert seen._seconds.counts == [0] * 11 + [1] + [0] * 5
    assert seen._seconds.sum == pytest.approx(0.3)
    assert seen.kinds == {(codes.A, False, False, codes.REFUSED, ""): 1}


def test_what_is_left_to_the_server_is_nobodys_and_of_no_size() -> None:
    each: Any = traffic("dns://:53", "left.", "", "udp")
    query = make_query("left.")
    for reply in (Reply.failed(query), Reply.failed(query, codes.REFUSED), Reply.refused(query)):
        each.reply(query, reply, "x", 0.0)
    assert {kind[-2:]: count for kind, count in each.kinds.items()} == {
        (codes.SERVFAIL, ""): 1, (codes.REFUSED, ""): 1, (codes.REFUSED, "x"): 1,
    }  # fmt: skip
    assert RESPONSE_SIZE.of("dns://:53", "left.", "", "udp").sum == len(query.wire)
    each.reply(query, Reply(w.with_additional(Reply.build(query).wire, w.opt_record(0, codes.BADVERS >> 4))), "x", 0.0)
    each.settle()
    assert RESPONSES.values["dns://:53", "left.", "", "BADSIG", "x"] == 1


@given(st.integers(0, 1 << 16), st.integers(0, 1 << 16))
def test_clients_cannot_make_series_without_end(first: int, second: int) -> None:
    each: Any = traffic("dns://:53", "series.", "", "udp")
    for qtype in (first % 65536, second % 65536):
        query = make_query("series.", f"TYPE{qtype}")
        each.reply(query, Reply.refused(query), "x", 0.0)
    assert len(each.kinds) <= 20


def test_the_size_of_a_reply_is_that_before_compression() -> None:
    for name in ("www.example.org.", "ftp.example.org.", "a.b.c.", "xyz.example.org."):
        query = make_query(name)
        answer = Reply.answer(query, f"{name} 60 IN CNAME other.{name}", f"{name} 1 IN A 192.0.2.1")
        for reply in (Reply.refused(query), answer):
            assert _size(reply.wire, query.qend) == w.size_uncompressed(reply.wire)
            assert _size(reply.wire, query.qend) == w.size_uncompressed(reply.wire)   # from memory
    query = make_query("www.example.org.")
    big = Reply.answer(query, *[f"www.example.org. 60 IN TXT {'x' * 200}"] * 5)
    assert _size(big.wire, query.qend) == w.size_uncompressed(big.wire)
    broken = Reply.refused(query).wire[:6] + b"\0\1" + Reply.refused(query).wire[8:] + b"\xc0"
    assert _size(broken, query.qend) == len(broken)
