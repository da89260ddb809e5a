"""What is remembered to be fast is forgotten in time: nobody fills the memory with names that are asked for once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.metrics import FAMILIES
from corepy.plugin import Outcome, Plugin, Query
from corepy.plugins.file import File
from corepy.plugins.prometheus import traffic
from corepy.plugins.template import template
from corepy.testing import Running
from corepy.upstream.targets import read_targets

if TYPE_CHECKING:
    from tests.conftest import Serve


def ask(running: Running, count: int, name: str = "{}.example.org.", qtype: str = "A") -> None:
    """As many different names."""
    with running.client() as client:
        for number in range(count):
            assert client.ask(name.format(number), qtype).rcode == codes.NOERROR


def test_replies_of_a_zone(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.zone.authority._REMEMBERED", 50)
    hosts = "".join(f"{number} MX 1 ns\n" for number in range(200))
    (tmp_path / "zone").write_text(f"$ORIGIN example.org.\n$TTL 60\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\n{hosts}")
    running = serve(f"example.org {{\n file {tmp_path}/zone\n}}\n")
    ask(running, 200, qtype="MX")
    assert running.server.configuration is not None
    [plugin] = [one for one in running.server.configuration.plugins if isinstance(one, File)]
    assert [0 < len(zone._known) <= 50 for zone in plugin._serving.values() if zone] == [True]


def test_records_of_templates(serve: Serve) -> None:
    running = serve('. {\n template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n }\n}\n')
    ask(running, template._MEMORY + 50)
    assert template._parse.cache_info().currsize == template._MEMORY


def test_sizes_of_replies(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "_MOST_SAVED", 20)
    running = serve('. {\n prometheus 127.0.0.1:0\n template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n }\n}\n')
    ask(running, 100, "{}." + "x" * 20)
    ask(running, 60, "x" * 30 + ".{}")
    assert len(traffic._saved) <= 20


def test_metrics_grow_with_nothing_that_a_client_says(serve: Serve) -> None:
    running = serve(". {\n prometheus 127.0.0.1:0\n log\n errors\n acl {\n block type HINFO\n }\n whoami\n}\n")

    def series() -> int:
        return sum(len(vars(family)["values"]) for family in FAMILIES.values())

    with running.client() as client:
        for qtype in (1, 28, 16, 65000):
            client.ask(qtype=f"TYPE{qtype}")
        running.call(traffic.settle)
        before = series()
        for number in range(300, 600):
            client.ask(f"{number}.example.", f"TYPE{number}", edns=number)
        running.call(traffic.settle)
        assert series() - before <= 2


class Buggy(Plugin):
    """Has a bug on every line that it can have one on."""

    before = "whoami"

    def serve(self, query: Query) -> Outcome:
        """Raise, in a place that the name says."""
        number = int(query.name.partition(".")[0])
        exec(compile("\n" * number + "raise ValueError", "buggy", "exec"), {})  # noqa: S102 - 300 places in one line
        return self.next(query)


def test_tracebacks(serve: Serve, directives: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    directives(buggy=Buggy)
    running = serve(". {\n buggy\n}\n")
    with running.client() as client:
        for number in range(300):
            assert client.ask(f"{number}.example.").rcode == codes.SERVFAIL
    running.stop()
    assert capsys.readouterr().out.count("a plugin failed on") == 100


def test_files_without_end(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n" * 200_000)
    assert len(read_targets(str(tmp_path / "resolv.conf"))) <= (1 << 20) // 21 + 1
