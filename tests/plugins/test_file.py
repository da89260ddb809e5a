"""file: what its lines mean, which zone a query is for, and what becomes of files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.fallthrough import Fallthrough
from corepy.plugin import Plugin
from corepy.plugins.file import File, Source
from corepy.query import Query
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query

ORG, NET = w.encode_name("example.org"), w.encode_name("example.net")
EVERY_NAME = Fallthrough([b"\0"])
DURATION = "expected a duration such as 30s or 1h30m"
OPTIONS = "expected one of fallthrough, reload, reload_by_mtime, upstream"
SOA = "@ 300 IN SOA ns root {} 7200 3600 1209600 60\n"


def parse(text: str) -> File:
    lines = directives(text)
    for line in lines:
        line.zones = (ORG,)
    [plugin] = File.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file db", File({ORG: Source(Path("db"))})),
        ("file db Example.net 10.0.0.0/8", File({NET: (s := Source(Path("db"))), b"\x0210\7in-addr\4arpa\0": s})),
        ("file db {\nreload 10s\nreload_by_mtime\n}", File({ORG: Source(Path("db"), 10, by_mtime=True)})),
        ("file db {\nreload 0\nupstream 192.0.2.1\n}", File({ORG: Source(Path("db"), 0)})),
        ("file db {\nfallthrough\n}", File({ORG: Source(Path("db"))}, EVERY_NAME)),
        ("file a\nfile b example.net {\nfallthrough a.\n}", File(
            {ORG: Source(Path("a")), NET: Source(Path("b"))}, Fallthrough([b"\1a\0"]))),
        ("file a\nfile b", File({ORG: Source(Path("b"))})),
        ("file", "1:1: 'file' lacks an argument, expected the name of a zone file"),
        ("file a b..c", "1:8: invalid zone: 'b..c' has an empty label, expected a domain name or a network"),
        ("file a {\nreload\n}", f"2:1: 'reload' lacks an argument, {DURATION}"),
        ("file a {\nreload 1\n}", f"2:8: invalid argument '1', {DURATION}"),
        ("file a {\nreload -1s\n}", f"2:8: invalid argument '-1s', {DURATION} of at least 0s"),
        ("file a {\nreload 1s 2s\n}", "2:11: unexpected argument '2s', expected the end of the line"),
        ("file a {\nreload_by_mtime yes\n}", "2:17: unexpected argument 'yes', expected no arguments"),
        ("file a {\ntransfer to *\n}", f"2:1: unknown option 'transfer', {OPTIONS}"),
    ],
)  # fmt: skip
def test_lines(text: str, expected: File | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/file: Corefile:")
    assert result == expected


class Secondaries(Plugin):
    """Hears of new versions of zones."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def announce(self, origin: bytes) -> None:
        self.heard.append(origin)


def is_next(query: Query) -> Reply:
    return Reply.failed(query, codes.NOTIMP)


@contextmanager
def started(plugin: File, root: Path) -> Iterator[tuple[asyncio.Runner, FakeClock, Secondaries]]:
    """The plugin with its files read; the next plugin would say NOTIMP."""
    clock, secondaries = FakeClock(), Secondaries()
    plugin.name, plugin.clock, plugin.next = "file", clock, is_next
    plugin.configure(Site([], root=str(root), plugins=[secondaries, plugin]))
    with asyncio.Runner() as runner:
        runner.run(plugin.start())
        yield runner, clock, secondaries
        plugin.stop()


def ask(plugin: File, name: str, qtype: str = "A", flags: int = 0) -> str:
    """The rcode and the numbers of records."""
    reply = plugin.serve(make_query(name, qtype, flags=flags))
    assert isinstance(reply, Reply)
    if not reply.wire:
        return "silence"
    return " ".join(map(str, (codes.rcode_name(reply.rcode), *w.HEADER.unpack_from(reply.wire)[3:])))


def test_the_longest_zone_answers(tmp_path: Path) -> None:
    (tmp_path / "db").write_text(SOA.format(1) + "www A 192.0.2.1\n")
    (tmp_path / "sub").write_text(SOA.format(1) + "www A 192.0.2.1\nwww A 192.0.2.2\n")
    plugin = parse("file db\nfile sub sub.example.org")
    with started(plugin, tmp_path) as (_, _, secondaries):
        assert ask(plugin, "www.example.org") == "NOERROR 1 0 0"
        assert ask(plugin, "www.sub.example.org") == "NOERROR 2 0 0"
        assert ask(plugin, "gone.sub.example.org") == "NXDOMAIN 0 1 0"
        assert ask(plugin, "www.example.net") == "NOTIMP 0 0 0"
        assert ask(plugin, "www.xexample.org") == "NOTIMP 0 0 0"
        assert ask(plugin, "example.org", "AXFR") == ask(plugin, "example.org", "IXFR") == "REFUSED 0 0 0"
        assert ask(plugin, "example.org", "SOA", codes.NOTIFY << 11) == "silence"
        assert [len(secondaries.heard), plugin.zone_of(NET)] == [2, None]
        zone = plugin.zone_of(ORG)
        assert zone is not None
        assert (zone.origin, len(zone)) == (ORG, 1)


def test_names_that_a_zone_does_not_have_fall_through(tmp_path: Path) -> None:
    (tmp_path / "db").write_text(SOA.format(1) + "www A 192.0.2.1\na.ent A 192.0.2.1\n")
    plugin = parse("file db {\nfallthrough\n}")
    with started(plugin, tmp_path):
        for _ in range(2):
            assert ask(plugin, "gone.example.org") == "NOTIMP 0 0 0"
            assert ask(plugin, "ent.example.org") == "NOTIMP 0 0 0"
            assert ask(plugin, "www.example.org", "TXT") == "NOERROR 0 1 0"
    plugin = parse("file db {\nfallthrough ent.example.org\n}")
    with started(plugin, tmp_path):
        assert ask(plugin, "gone.example.org") == "NXDOMAIN 0 1 0"
        assert ask(plugin, "x.ent.example.org") == "NOTIMP 0 0 0"


def test_a_file_is_waited_for_and_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = parse("file db {\nreload 10s\n}")
    with started(plugin, tmp_path) as (runner, clock, secondaries):

        def after(text: str | None) -> str:
            """What is said when the file has become this, and time has passed."""
            if text is None:
                (tmp_path / "db").unlink()
            else:
                (tmp_path / "db").write_text(text)

            async def pass_time() -> None:
                clock.advance(10)
                reading = plugin._files[0].reading
                assert reading is not None
                await reading

            runner.run(pass_time())
            return capsys.readouterr().out.partition(" ")[0]

        assert ask(plugin, "www.example.org") == "SERVFAIL 0 0 0"
        assert "[WARNING]" in capsys.readouterr().out
        assert after(SOA.format(1) + "www A 192.0.2.1\n") == "[INFO]"
        assert ask(plugin, "www.example.org") == "NOERROR 1 0 0"
        assert after(SOA.format(1)) == ""
        assert ask(plugin, "www.example.org") == "NOERROR 1 0 0"
        assert after(SOA.format(2) + "rubbish\n") == "[ERROR]"
        assert after(None) == "[ERROR]"
        assert ask(plugin, "www.example.org") == "NOERROR 1 0 0"
        assert after(SOA.format(0) + "new A 192.0.2.1\n") == "[INFO]"
        assert ask(plugin, "www.example.org") == "NXDOMAIN 0 1 0"
        assert secondaries.heard == [ORG, ORG]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", "", "plugin/file: {}/db:1:1: no SOA record for example.org."),
        ("a..b A", "", "plugin/file: {}/db:1:1: 'a..b' has a label of 0 octets"),
        (None, " {\nreload 0\n}",
         "plugin/file: Corefile:1:6: cannot read zone file '{}/db': No such file or directory"),
    ],
)
def test_what_cannot_be_served_keeps_the_server_from_starting(
    tmp_path: Path, text: str | None, options: str, expected: str
) -> None:
    if text is not None:
        (tmp_path / "db").write_text(text)
    with pytest.raises(ConfigError) as error, started(parse(f"file db{options}"), tmp_path):
        pass
    assert str(error.value) == expected.format(tmp_path)


def test_a_directory_will_never_be_a_zone_file(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    with pytest.raises(ConfigError) as error, started(parse("file db"), tmp_path):
        pass
    assert str(error.value) == f"plugin/file: Corefile:1:6: cannot read zone file '{tmp_path}/db': Is a directory"
