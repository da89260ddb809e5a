"""pprof: its lines, and its pages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from corepy import profiles
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.pprof import Pprof
from corepy.testing import Running
from corepy.testing.web import fetch

if TYPE_CHECKING:
    from tests.conftest import Serve

ROOT = "/debug/pprof"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pprof", Pprof()),
        ("pprof :6060", Pprof("", 6060)),
        ("pprof {\n}", Pprof()),
        ("pprof {\nblock\n}", Pprof(block=1)),
        ("pprof [::1]:1 {\nblock 50000000\n}", Pprof("::1", 1, 50_000_000)),
        ("pprof {\nblock -1\n}", Pprof(block=-1)),
        ("pprof localhost", "1:7: invalid argument 'localhost', expected HOST:PORT"),
        ("pprof :1 :2", "1:10: unexpected argument ':2', expected the end of the line"),
        ("pprof\npprof", "2:1: given twice in a server block, first at Corefile:1:1"),
        ("pprof {\nblock x\n}", "2:7: block with a rate of 'x', expected a whole number of nanoseconds"),
        ("pprof {\nblock 1 2\n}", "2:9: unexpected argument '2', expected the end of the line"),
        ("pprof {\nmutex\n}", "2:1: unknown option 'mutex', expected block"),
    ],
)
def test_lines(text: str, expected: Pprof | str) -> None:
    lines = directives(text)
    result: object
    try:
        [result] = Pprof.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/pprof: Corefile:")
    assert result == expected


def port_of(server: Running) -> int:
    assert server.server.configuration is not None
    [plugin] = [each for each in server.server.configuration.plugins if isinstance(each, Pprof)]
    assert plugin.endpoint is not None
    return plugin.endpoint.port


def test_pages(serve: Serve) -> None:
    server = serve(". {\npprof localhost:0\nwhoami\n}")
    port = port_of(server)
    assert fetch(port, ROOT) == (302, "")
    status, index = fetch(port, f"{ROOT}/")
    assert status == 200
    for name, content in {
        "allocs?seconds=0.01": "octets", "block": "nothing is noted", "cmdline": sys.orig_argv[0], "goroutine": "tasks",
        "heap": "objects", "mutex": "threads", "profile?seconds=0.01&debug=1": "function calls",
        "symbol": "num_symbols: 1", "threadcreate": "corepy", "trace?seconds=0.01": " call ",
    }.items():  # fmt: skip
        status, page = fetch(port, f"{ROOT}/{name}")
        assert (status, content in page) == (200, True), name
        assert f'href="{name.partition("?")[0]}"' in index
    for path in ("/", "/debug", f"{ROOT}/other", f"{ROOT}//"):
        assert fetch(port, path)[0] == 404
    assert server.ask().rcode == 0


def test_one_profile_at_a_time(serve: Serve) -> None:
    port = port_of(serve(". {\npprof localhost:0\n}"))
    with profiles._alone():
        assert fetch(port, f"{ROOT}/profile?seconds=1") == (503, "another profile is being made\n")


def test_stalls_are_noted_where_the_corefile_says_so(serve: Serve) -> None:
    server = serve(". {\npprof localhost:0 {\nblock 20000000\n}\n}")
    assert fetch(port_of(server), f"{ROOT}/block")[1].startswith("stalls of 0.02s and more")


def test_a_reload_goes_on_with_the_address(serve: Serve) -> None:
    text = ". {\npprof 127.0.0.1:0\n%s\n}"
    server = serve(text % "whoami")
    port = port_of(server)
    server.load(text % "erratic")
    assert port_of(server) == port
    assert fetch(port, f"{ROOT}/cmdline")[0] == 200
