"""health: its lines, its endpoint over reloads, what it asks itself, and the time before the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from corepy import http
from corepy.clock import _Begun
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.health import Health
from corepy.plugins.health.health import DURATION, FAILURES
from corepy.testing import FakeClock, Running
from corepy.testing.web import fetch

if TYPE_CHECKING:
    from tests.conftest import Serve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("health", Health()),
        ("health :8081", Health("", 8081)),
        ("health [::1]:8081", Health("::1", 8081)),
        ("health localhost:0 {\nlameduck 1m1s\n}", Health("localhost", 0, 61.0)),
        ("health {\nlameduck 2s\nlameduck 0\n}", Health()),
        ("health :1 {\nlameduck 2s\n}\nhealth :2", Health("", 2, 2.0)),
        ("health localhost", "1:8: invalid argument 'localhost', expected HOST:PORT"),
        ("health :a", "1:8: invalid argument ':a', expected HOST:PORT"),
        ("health :1 :2", "1:11: unexpected argument ':2', expected the end of the line"),
        ("health {\nlameduck\n}", "2:1: 'lameduck' lacks an argument, expected a duration such as 30s or 1h30m"),
        ("health {\nlameduck 4\n}", "2:10: invalid argument '4', expected a duration such as 30s or 1h30m"),
        ("health {\nlameduck 4s 5s\n}", "2:13: unexpected argument '5s', expected the end of the line"),
        ("health {\nlamedudk 4s\n}", "2:1: unknown option 'lamedudk', expected lameduck"),
    ],
)
def test_lines(text: str, expected: Health | str) -> None:
    lines = directives(text)
    result: object
    try:
        [result] = Health.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/health: Corefile:")
    assert result == expected


def health_of(server: Running) -> Health:
    assert server.server.configuration is not None
    [plugin] = [each for each in server.server.configuration.plugins if isinstance(each, Health)]
    return plugin


def test_the_endpoint(serve: Serve) -> None:
    server = serve(". {\nhealth 127.0.0.1:0\n}\nexample.org {\nwhoami\n}")
    port = health_of(server).endpoint.port
    for method in ("GET", "POST", "PUT"):
        assert fetch(port, "/health", method=method) == (200, "OK")
    assert fetch(port, "/health?verbose=1") == (200, "OK")
    assert fetch(port, "/health", method="HEAD") == (200, "")
    for path in ("/", "/health/", "/ready"):
        assert fetch(port, path)[0] == 404


def test_reloads_keep_it_move_it_and_take_it_away(serve: Serve, free_port: Callable[[], int]) -> None:
    one, two = free_port(), free_port()
    server = serve(f". {{\nhealth 127.0.0.1:{one}\n}}")
    server.load(f". {{\nhealth 127.0.0.1:{one}\nwhoami\n}}")
    assert fetch(one, "/health") == (200, "OK")
    with pytest.raises(ConfigError):
        server.load(f". {{\nhealth 127.0.0.1:{two}\nhealth 192.0.2.1:{two}\nwhoami\n}}")
    assert fetch(one, "/health") == (200, "OK")
    server.load(f". {{\nhealth 127.0.0.1:{two}\nwhoami\n}}")
    assert fetch(two, "/health") == (200, "OK")
    with pytest.raises(ConnectionRefusedError):
        fetch(one, "/health")
    server.load(". {\nwhoami\n}")
    with pytest.raises(ConnectionRefusedError):
        fetch(two, "/health")


def test_an_address_that_cannot_be_had_names_the_plugin(serve: Serve) -> None:
    with pytest.raises(ConfigError, match=r"^plugin/health: cannot start: "):
        serve(". {\nhealth 192.0.2.1:0\n}")


def checked(server: Running, clock: FakeClock, *steps: float) -> None:
    """Let time pass step by step, and what is asked then be answered."""

    async def pass_time() -> None:
        for seconds in steps:
            clock.advance(seconds)
        await asyncio.gather(*_Begun.running)

    server.wait(pass_time())


def counted() -> tuple[list[int], int]:
    return list(DURATION.values[()].counts), FAILURES.values[()]


def test_it_asks_itself_each_second(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    server = serve(". {\nhealth :0\n}", clock=clock)
    before, failed = counted()
    checked(server, clock, 0.9)
    assert counted() == (before, failed)
    checked(server, clock, 0.1)
    checked(server, clock, 1.0)
    before[0] += 2
    assert counted() == (before, failed)
    checked(server, clock, 1.0, 2.0)   # one answer that takes 2 s, and no second question meanwhile
    before[4] += 1
    assert counted() == (before, failed)
    assert capsys.readouterr().out == "[WARNING] plugin/health: our own health check took 2.0s\n"


def test_a_check_that_fails(serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    server = serve(". {\nhealth 127.0.0.1:0\n}", clock=clock)

    async def refuse(_lease: http.Lease, _path: str) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(http.Lease, "reach", refuse)
    before, failed = counted()
    checked(server, clock, 1.0)
    before[0] += 1
    assert counted() == (before, failed + 1)
    assert capsys.readouterr().out == "[WARNING] plugin/health: our own health check failed: refused\n"


def test_lameduck_delays_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        plugin = Health(lameduck=1.5)
        plugin.clock = clock
        leaving = plugin.leave()
        assert leaving is not None
        task = asyncio.ensure_future(leaving)
        await asyncio.sleep(0)
        clock.advance(1.4)
        await asyncio.sleep(0)
        assert not task.done()
        clock.advance(0.1)
        await task

    asyncio.run(scenario())
    assert capsys.readouterr().out == "[INFO] Going into lameduck mode for 1.5s\n"
    for seconds in (0.0, -1.0):
        assert Health(lameduck=seconds).leave() is None
