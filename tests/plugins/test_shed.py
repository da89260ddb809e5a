"""shed: what its line means, and which queries are dropped."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dnslib
import pytest

from corepy import corefile, registry, site
from corepy.corefile import directives
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError, ConfigErrors
from corepy.metrics import FAMILIES
from corepy.plugins.shed import Shed
from corepy.plugins.shed.shed import EVERY, FULL, PAUSE
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing import Client, FakeClock, make_query, message

if TYPE_CHECKING:
    from tests.conftest import Start


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


def test_queries_are_dropped_while_too_many_wait() -> None:
    bench = Bench()
    waiting = (FULL, 4 * FULL)
    bench.one.waiting = lambda: waiting
    assert not any(bench.drops(bench.one) for _ in range(EVERY))
    waiting = (FULL + 1, 4 * FULL)
    assert all(bench.drops(bench.one) for _ in range(EVERY))
    assert not bench.drops(bench.other)
    waiting = (500, 1000)   # a small buffer: half of it
    assert not any(bench.drops(bench.one) for _ in range(EVERY))
    waiting = (501, 1000)
    assert all(bench.drops(bench.one) for _ in range(EVERY))


BURST = 20_000
"""More plain queries than the largest receive buffer has room for."""
COREFILE = """\
.:{port} {{
    {shed}
    prometheus 127.0.0.1:{metrics}
    template IN A {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.1"
    }}
}}
"""


def answered_in_an_overload(
    corepy_command: Start, free_port: Callable[[], int], path: Path, directive: str
) -> tuple[int, str]:
    """How many of a burst are answered before a query that comes right behind it, and what the metrics say then.

    The burst arrives while the server is stopped, so that all that has room waits at once.
    """
    port, metrics = free_port(), free_port()
    (path / "Corefile").write_text(COREFILE.format(port=port, metrics=metrics, shed=directive))
    running = corepy_command()
    running.until("linux/")
    answered = 0
    with Client("127.0.0.1", port) as burst, Client("127.0.0.1", port) as client:
        assert client.ask("before.example").rcode == 0
        burst.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        running.signal(signal.SIGSTOP)
        os.waitpid(running.process.pid, os.WUNTRACED)
        wire = message("www.example.org")
        for _ in range(BURST):
            burst.send(wire)
        running.signal(signal.SIGCONT)
        while True:   # a query that finds no room is lost, with shed or without
            client.socket.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                client.ask("behind.example")
                break
        burst.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while burst.socket.recv(512):
                answered += 1
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as response:
            return answered, response.read().decode()


def test_a_burst_beyond_the_buffer_of_the_socket(
    corepy_command: Start, free_port: Callable[[], int], tmp_path: Path
) -> None:
    without, metrics = answered_in_an_overload(corepy_command, free_port, tmp_path, "")
    assert "shed_dropped_total{" not in metrics
    served, metrics = answered_in_an_overload(corepy_command, free_port, tmp_path, "shed")
    [dropped] = re.findall(r'\ncoredns_shed_dropped_total\{reason="query",server="dns://:\d+"\} (\d+)', metrics)
    assert int(dropped) > 0
    assert served < without
    assert served <= FULL // 512   # so few have waited in front of any that was answered


def test_no_records_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise AssertionError("dnslib was asked")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", fail)
    bench = Bench()
    assert not bench.drops(bench.one)
