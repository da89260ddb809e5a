"""metadata: its lines, who is asked about which queries, and what log and forward make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugin import Outcome, Plugin, Query, Reply
from corepy.plugins.metadata import Metadata
from corepy.site import Site
from corepy.testing import make_query

if TYPE_CHECKING:
    from tests.conftest import Serve


def keys(*names: str) -> tuple[bytes, ...]:
    return tuple(map(w.encode_name, names))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata", Metadata(keys("example.org."))),
        ("metadata A.test b.test.", Metadata(keys("a.test.", "b.test."))),
        ("metadata\nmetadata", "2:1: given twice in a server block, first at Corefile:1:1"),
        ("metadata {\n}", "1:10: unexpected '{', expected no block for metadata"),
        ("metadata a..b", "1:10: "),
    ],
)
def test_lines(text: str, expected: Metadata | str) -> None:
    lines = directives(text)
    result: object
    try:
        for line in lines:
            line.zones = keys("example.org.")
        [result] = Metadata.parse_all(lines)
        for line in lines:
            line.finish()
    except ConfigError as error:
        result = str(error).removeprefix("plugin/metadata: Corefile:")
        if isinstance(expected, str):
            result = result[: len(expected)] if expected.endswith(": ") else result
    assert result == expected


class Knows(Plugin):
    """Tells the client's port beforehand, and counts how often somebody wants to know."""

    calls = 0

    def metadata(self, query: Query) -> Mapping[str, str | Callable[[], str]]:
        def port() -> str:
            self.calls += 1
            return str(query.client.port)

        return {"knows/port": port, "knows/empty": ""}

    def serve(self, query: Query) -> Outcome:
        return Reply.refused(query)


def test_plugins_are_asked_in_the_zones_and_all_may_tell_later() -> None:
    knows, plugin, seen = Knows(), Metadata(keys("a.test.", "b.test.")), list[Query]()
    site = Site([], plugins=[plugin, knows])

    def behind(query: Query) -> Reply:
        seen.append(query)
        return Reply.refused(query)

    plugin.configure(site)
    plugin.start()
    plugin.next = behind
    for name in ("a.test.", "www.B.test.", "c.test.", "xa.test."):
        assert isinstance(plugin.serve(make_query(name)), Reply)
    assert [query.metadata is not None and sorted(query.metadata) for query in seen] == [
        ["knows/empty", "knows/port"], ["knows/empty", "knows/port"], [], [],
    ]  # fmt: skip
    assert make_query().metadata is None
    assert knows.calls == 0


def test_in_the_log(
    serve: Serve, directives: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    directives(knows=Knows)
    line = '"{name} {/knows/port} [{/knows/empty}] {/log/type} {/log/class} {/no/thing} {/odd} {/}"'
    server = serve(f"a.test {{\nmetadata\nlog . {line}\nknows\n}}\nb.test {{\nlog . {line}\nknows\n}}")
    with server.client() as client:
        port = client.socket.getsockname()[1]
        client.ask("a.test.")
        client.ask("b.test.")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"[INFO] a.test. {port} [] OTHERERROR error - - -", "[INFO] b.test. - [-] - - - - -"]


def test_another_message_of_the_same_query_shares_it() -> None:
    query = make_query("a.test.")
    query.metadata = {}
    other = query.with_wire(make_query("b.test.").wire)
    assert other.metadata is query.metadata
