"""auto: what its lines mean, and what becomes of the files of a directory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from corepy import codes, expression
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugin import Plugin
from corepy.plugins.auto import Auto
from corepy.plugins.auto.directory import Directory
from corepy.query import Query
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query

ROOT = (b"\0",)
ORG = w.encode_name("example.org")
ZONE = "@ 300 SOA ns root {} 2 3 4 5\nwww A 192.0.2.{}\n"


def parse(text: str) -> Auto:
    lines = directives(text)
    for line in lines:
        line.zones = ROOT
    [plugin] = Auto.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", Auto(ROOT)),
        ("auto {\ndirectory zones\n}", Auto(ROOT, Path("zones"))),
        ("auto Org {\ndirectory zones (.*)_(.*) {2}.{1}\nreload 5s\nupstream\n}",
         Auto((b"\3org\0",), Path("zones"), "(.*)_(.*)", "{2}.{1}", 5)),
        ("auto {\ndirectory a\n}\nauto net {\ndirectory b\nreload 0\n}", Auto((b"\3net\0",), Path("b"), reload=0)),
        ("auto {\ndirectory\n}", "2:1: 'directory' lacks an argument, expected the name of a directory"),
        ("auto {\ndirectory . (.*\n}", "2:13: no regular expression: missing ): (.*"),
        ("auto {\ndirectory . .* x\n}", "2:13: the expression '.*' has no group, expected at least one group ( )"),
        ("auto {\ndirectory . (.*)\n}",
         "2:1: 'directory' lacks an argument, expected a zone's name, with groups of the expression as {1}"),
        ("auto {\ndirectory . (.*) {1} x\n}", "2:22: unexpected argument 'x', expected the end of the line"),
        ("auto {\nreload\n}", "2:1: 'reload' lacks an argument, expected a duration such as 30s or 1h30m"),
        ("auto {\nreload -1s\n}",
         "2:8: invalid argument '-1s', expected a duration such as 30s or 1h30m of at least 0s"),
        ("auto {\nno_reload\n}",
         "2:1: unknown option 'no_reload', expected one of directory, reload, upstream"),
    ],
)  # fmt: skip
def test_lines(text: str, expected: Auto | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/auto: Corefile:")
    assert result == expected


@pytest.mark.parametrize(
    ("pattern", "template", "name", "expected"),
    [
        (r"db\.(.*)", "{1}", "db.Example.org", "example.org."),
        (r"db\.(.*)", "{1}", "a-db.example.org", "example.org."),
        (r"db\.(.*)", "{1}", "example.org", None),
        (r"db\.(.*)", "{1}", "db.", None),
        (r"^([a-z]+)_(?P<top>[a-z]+)$", "{top}.{1}.{9}", "org_example", "example.org."),
        (r"(.*)\.txt", "{1}.net", "half.txt.old", "half.net."),
        (r"db\.(?P<top>.*)", "$1.a.$top", "db.b", "b.a.b."),
        (r"db\.(.*)", "a$$b$-{.$1", "db.b", "a$b$-${.b."),
        (r"db\.(.*)", "$1x", "db.b", None),
    ],
)
def test_names_of_files(pattern: str, template: str, name: str, expected: str | None) -> None:
    origin = Directory(Path(), expression.compile(pattern), template).origin(name)
    assert (None if origin is None else w.decode_name(origin)) == expected


def test_a_look_at_a_directory(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    (top / "db.example.org").write_text(ZONE.format(1, 1))
    (top / "sub" / "db.example.org").write_text(ZONE.format(1, 2))
    (top / "sub" / "db.example.net").write_text(ZONE.format(1, 3))
    (top / "db.broken").write_text("@ A")
    (top / "db.a..b").write_text("")
    (top / "db.inside").symlink_to("sub/db.example.net")
    (tmp_path / "db.secret").write_text(ZONE.format(1, 4))
    (top / "db.outside").symlink_to("../db.secret")
    (top / "db.dangling").symlink_to("nothing")
    (top / "db.linked").symlink_to("sub")
    directory = Directory(top, expression.compile(r"db\.(.*)"), "{1}")
    changed, gone, remarks = directory.look()
    assert sorted(map(w.decode_name, changed)) == ["example.net.", "example.org.", "inside."]
    assert (gone, len(remarks)) == (set(), 5)
    assert directory.look() == ({}, set(), [])
    (top / "db.example.org").unlink()
    (top / "db.inside").unlink()
    (top / "sub" / "db.example.net").write_text(ZONE.format(1, 5))
    (top / "sub" / "db.example.org").write_text(ZONE.format(2, 6))
    changed, gone, remarks = directory.look()
    assert (list(changed), gone, remarks) == ([ORG], {w.encode_name("inside")}, [])


def test_a_new_version_knows_the_differences(tmp_path: Path) -> None:
    directory = Directory(tmp_path, expression.compile(r"db\.(.*)"), "{1}")
    for serial in (1, 2):
        names = "".join(f"h{number} 60 A 192.0.2.{serial if number == 7 else 9}\n" for number in range(100))
        (tmp_path / "db.example.org").write_text(f"@ 60 SOA ns root {serial} 2 3 4 5\n{names}")
        zone = directory.look().changed[ORG]
    [step] = zone.history
    assert [record.rdata[-1] for record in (*step.removed, *step.added)] == [1, 2]


class Secondaries(Plugin):
    """Hears of new versions of zones."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def announce(self, origin: bytes) -> None:
        self.heard.append(origin)


class Observer(Plugin):
    """Knows which zones there are."""

    def __init__(self) -> None:
        self.zones: set[bytes] = set()

    def zone_added(self, origin: bytes) -> None:
        self.zones.add(origin)

    def zone_removed(self, origin: bytes) -> None:
        self.zones.remove(origin)


def test_zones_that_come_and_go_are_told(tmp_path: Path) -> None:
    plugin, observer = parse("auto {\ndirectory .\nreload 5s\n}"), Observer()
    (tmp_path / "db.example.org").write_text(ZONE.format(1, 1))
    with started(plugin, tmp_path, observer) as (runner, clock, _):
        assert observer.zones == {ORG}
        (tmp_path / "db.example.org").unlink()
        runner.run(passed(plugin, clock))
        assert observer.zones == set()


async def passed(plugin: Auto, clock: FakeClock) -> None:
    """Until the next look is over."""
    clock.advance(5)
    assert plugin._watched is not None
    assert plugin._watched.reading is not None
    await plugin._watched.reading


@contextmanager
def started(
    plugin: Auto, root: Path, *others: Plugin
) -> Iterator[tuple[asyncio.Runner, FakeClock, Secondaries]]:
    """The plugin with its files read; the next plugin would say NOTIMP."""
    clock, secondaries = FakeClock(), Secondaries()

    def is_next(query: Query) -> Reply:
        return Reply.failed(query, codes.NOTIMP)

    plugin.name, plugin.clock, plugin.next = "auto", clock, is_next
    plugin.configure(Site([], root=str(root), plugins=[secondaries, *others, plugin]))
    with asyncio.Runner() as runner:
        runner.run(plugin.start())
        yield runner, clock, secondaries
        plugin.stop()


def ask(plugin: Auto, name: str, qtype: str = "A") -> str:
    reply = plugin.serve(make_query(name, qtype))
    assert isinstance(reply, Reply)
    return codes.rcode_name(reply.rcode)


def test_files_come_and_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = parse("auto org {\ndirectory zones\nreload 5s\n}")
    with started(plugin, tmp_path) as (runner, clock, secondaries):

        def pass_time() -> None:
            runner.run(passed(plugin, clock))

        assert capsys.readouterr().out.startswith("[WARNING] cannot look into")
        assert ask(plugin, "www.example.org") == "NOTIMP"
        (tmp_path / "zones").mkdir()
        for name in ("db.example.org", "db.example.net"):
            (tmp_path / "zones" / name).write_text(ZONE.format(1, 1))
        pass_time()
        assert ask(plugin, "www.example.org") == "NOERROR"
        assert ask(plugin, "gone.example.org") == "NXDOMAIN"
        assert ask(plugin, "example.org", "AXFR") == "REFUSED"
        assert ask(plugin, "www.example.net") == "NOTIMP"
        assert (plugin.zone_of(ORG) is None, plugin.zone_of(b"\3org\0")) == (False, None)
        (tmp_path / "zones" / "db.example.org").unlink()
        pass_time()
        assert ask(plugin, "www.example.org") == "NOTIMP"
        assert secondaries.heard == [w.encode_name("example.net"), ORG]


def test_without_a_directory_there_are_no_zones(tmp_path: Path) -> None:
    plugin = parse("auto")
    with started(plugin, tmp_path):
        assert ask(plugin, "www.example.org") == "NOTIMP"


def test_a_directory_that_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plugin = parse("auto {\ndirectory file/zones\n}")
    with pytest.raises(ConfigError, match="Corefile:2:11: cannot access directory"), started(plugin, tmp_path):
        pass
