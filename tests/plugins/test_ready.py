"""ready: its lines, who is asked and how often, over blocks and reloads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import pytest

from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugin import Outcome, Plugin, Query, Reply
from corepy.plugins.ready import Ready
from corepy.testing import Running
from corepy.testing.web import fetch

if TYPE_CHECKING:
    from tests.conftest import Serve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ready", Ready()),
        ("ready 192.0.2.1:80", Ready("192.0.2.1", 80)),
        ("ready {\nmonitor until-ready\n}", Ready()),
        ("ready :1 {\nmonitor continuously\n}", Ready("", 1, continuously=True)),
        ("ready x", "1:7: invalid argument 'x', expected HOST:PORT"),
        ("ready :1 :2", "1:10: unexpected argument ':2', expected the end of the line"),
        ("ready\nready", "2:1: given twice in a server block, first at Corefile:1:1"),
        ("ready {\nmonitor\n}", "2:1: 'monitor' lacks an argument, expected one of until-ready, continuously"),
        ("ready {\nmonitor x\n}", "2:9: invalid argument 'x', expected one of until-ready, continuously"),
        ("ready {\nmonitor until-ready x\n}", "2:21: unexpected argument 'x', expected the end of the line"),
        ("ready {\nx\n}", "2:1: unknown option 'x', expected monitor"),
    ],
)
def test_lines(text: str, expected: Ready | str) -> None:
    lines = directives(text)
    result: object
    try:
        [result] = Ready.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/ready: Corefile:")
    assert result == expected


class Slow(Plugin):
    """Ready when a test says so."""

    is_ready: ClassVar[bool] = False
    asked: ClassVar[int] = 0

    def serve(self, query: Query) -> Outcome:
        return Reply.refused(query)

    def ready(self) -> bool:
        type(self).asked += 1
        return self.is_ready


@pytest.fixture
def slow(directives: Callable[..., None]) -> tuple[type[Slow], type[Slow]]:
    """The classes behind the directives `one` and `two`."""
    one, two = type("One", (Slow,), {}), type("Two", (Slow,), {})
    directives(one=one, two=two)
    return one, two


def ports(server: Running) -> list[int]:
    assert server.server.configuration is not None
    plugins = [each for each in server.server.configuration.plugins if isinstance(each, Ready)]
    return [each.endpoint.port for each in plugins if each.endpoint is not None]


def test_until_ready_asks_until_each_was_seen_ready(
    serve: Serve, slow: tuple[type[Slow], type[Slow]], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = slow
    server = serve(". {\nready 127.0.0.1:0\none\ntwo\n}")
    [port] = ports(server)
    assert fetch(port, "/ready") == (503, "one,two")
    assert capsys.readouterr().out == '[INFO] plugin/ready: Plugins not ready: "one,two"\n'
    two.is_ready = True
    assert fetch(port, "/ready") == (503, "one")
    two.is_ready, one.is_ready = False, True
    assert fetch(port, "/ready", method="POST") == (200, "OK")
    one.is_ready, asked = False, one.asked
    assert fetch(port, "/ready") == (200, "OK")
    assert one.asked == asked
    for path in ("/", "/ready/", "/health"):
        assert fetch(port, path)[0] == 404


def test_continuously_asks_each_time(serve: Serve, slow: tuple[type[Slow], type[Slow]]) -> None:
    one, two = slow
    server = serve(". {\nready 127.0.0.1:0 {\nmonitor continuously\n}\none\ntwo\n}")
    one.is_ready = two.is_ready = True
    assert fetch(ports(server)[0], "/ready") == (200, "OK")
    one.is_ready = False
    assert fetch(ports(server)[0], "/ready") == (503, "one")


def test_each_endpoint_speaks_for_all_blocks_that_have_one(
    serve: Serve, slow: tuple[type[Slow], type[Slow]], free_port: Callable[[], int]
) -> None:
    one, two = slow
    first, second = free_port(), free_port()
    blocks = [("a.test", first, "one"), ("b.test", first, "whoami"), ("c.test", second, "one"), ("d.test", 0, "two")]
    server = serve("\n".join(
        f"{zone} {{\n{f'ready 127.0.0.1:{port}' if port else ''}\n{name}\n}}" for zone, port, name in blocks
    ))  # fmt: skip
    assert [fetch(port, "/ready") for port in (first, second)] == [(503, "one")] * 2
    one.is_ready = True
    assert [fetch(port, "/ready") for port in (first, second)] == [(200, "OK")] * 2
    assert two.asked == 0
    server.load(f"a.test {{\nready 127.0.0.1:{first}\ntwo\n}}")
    assert fetch(first, "/ready") == (503, "two")
    with pytest.raises(ConfigError):
        server.load(f"a.test {{\nready 127.0.0.1:{first}\nwhoami\nhealth 192.0.2.1:0\n}}")
    assert fetch(first, "/ready") == (503, "two")


def test_it_closes_when_the_process_is_told_to_end(serve: Serve) -> None:
    server = serve(". {\nready 127.0.0.1:0\nwhoami\n}")
    [port] = ports(server)
    assert server.server.configuration is not None
    for plugin in server.server.configuration.plugins:
        server.call(plugin.leave)
    with pytest.raises(ConnectionRefusedError):
        fetch(port, "/ready")
    assert server.ask().rcode == 0
