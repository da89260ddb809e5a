"""hosts: what its lines mean, what a hosts file says, and what becomes of queries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.address import MAPPED
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.fallthrough import Fallthrough
from corepy.metrics import FAMILIES
from corepy.plugins.hosts import Hosts
from corepy.plugins.hosts import table as hosts_table
from corepy.query import Query
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query

ROOT = (b"\0",)
EVERY_NAME = Fallthrough(ROOT)
DURATION = "expected a duration such as 30s or 1h30m"
OPTIONS = "expected one of fallthrough, fallthrough_unsupported, no_reverse, reload, ttl"


def parse(text: str) -> Hosts:
    lines = directives(text)
    for line in lines:
        line.zones = ROOT
    [plugin] = Hosts.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hosts", Hosts(ROOT)),
        ("hosts {\n}", Hosts(ROOT)),
        ("hosts names", Hosts(ROOT, Path("names"))),
        ("hosts names Example.org", Hosts((w.encode_name("example.org"),), Path("names"))),
        ("hosts {\n192.0.2.1 a b.c # x\n::1 six\n}", Hosts(ROOT, inline=b"192.0.2.1 a b.c\n::1 six")),
        ("hosts {\nttl 60\n}", Hosts(ROOT, ttl=60)),
        ("hosts {\nttl 65535\nno_reverse\n}", Hosts(ROOT, ttl=65535, reverse=False)),
        ("hosts {\nreload 0\n}", Hosts(ROOT, reload=0)),
        ("hosts {\nreload 1m\n}", Hosts(ROOT, reload=60)),
        ("hosts {\nfallthrough\n}", Hosts(ROOT, fallthrough=EVERY_NAME)),
        ("hosts {\nfallthrough a.\n}", Hosts(ROOT, fallthrough=Fallthrough([b"\1a\0"]))),
        (
            "hosts {\nfallthrough_unsupported\nfallthrough\n}",
            Hosts(ROOT, fallthrough=EVERY_NAME, unsupported=True),
        ),
        ("hosts {\nfallthrough\nttl 1\n}", Hosts(ROOT, fallthrough=EVERY_NAME, ttl=1)),
        ("hosts\nhosts", "2:1: given twice in a server block, first at Corefile:1:1"),
        ("hosts a b..c", "1:9: invalid zone: 'b..c' has an empty label, expected a domain name or a network"),
        ("hosts {\nttl\n}", "2:1: 'ttl' lacks an argument, expected a number of seconds from 1 to 65535"),
        ("hosts {\nttl 0\n}", "2:5: invalid argument '0', expected a number of seconds from 1 to 65535"),
        ("hosts {\nttl 65536\n}", "2:5: invalid argument '65536', expected a number of seconds from 1 to 65535"),
        ("hosts {\nttl 1m\n}", "2:5: invalid argument '1m', expected a number of seconds from 1 to 65535"),
        ("hosts {\nttl 1 2\n}", "2:7: unexpected argument '2', expected the end of the line"),
        ("hosts {\nreload\n}", f"2:1: 'reload' lacks an argument, {DURATION}"),
        ("hosts {\nreload 15\n}", f"2:8: invalid argument '15', {DURATION}"),
        ("hosts {\nreload -1s\n}", f"2:8: invalid argument '-1s', {DURATION} of at least 0s"),
        ("hosts {\nno_reverse yes\n}", "2:12: unexpected argument 'yes', expected no arguments"),
        (
            "hosts {\nfallthrough\n192.0.2.2 late\n}",
            f"3:1: unknown option '192.0.2.2' behind fallthrough, {OPTIONS}",
        ),
        (
            "hosts {\nfallthrough_unsupported\n}",
            "3:1: fallthrough_unsupported stands without fallthrough, expected fallthrough before the end of the block",
        ),
        ("hosts {\n192.0.2.1 a {\n}\n}", "2:13: unexpected '{', expected no block for 192.0.2.1"),
    ],
)
def test_lines(text: str, expected: Hosts | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/hosts: Corefile:")
    assert result == expected


# --- answers ---


@contextmanager
def started(plugin: Hosts, file: Path = Path("/missing/hosts")) -> Iterator[Hosts]:
    """The plugin with its file read; the next plugin would say NOTIMP."""
    plugin.path = file
    plugin.next = lambda query: Reply.failed(query, codes.NOTIMP)

    async def start() -> None:
        await plugin.start()
        plugin.stop()

    asyncio.run(start())
    yield plugin


def serve(plugin: Hosts, query: Query) -> Reply:
    reply = plugin.serve(query)
    assert isinstance(reply, Reply)
    return reply


def ask(plugin: Hosts, name: str, qtype: str = "A") -> str:
    """The rcode, and the data of the answer's records, whose owner, class and TTL are as they should be."""
    reply = serve(plugin, make_query(name, qtype))
    words = [codes.rcode_name(reply.rcode)]
    for record in reply.record.rr:
        assert str(record.rname) == name.lower().rstrip(".") + "."
        assert (record.rclass, record.ttl) == (codes.IN, plugin.ttl)
        words.append(str(record.rdata))
    assert bool(reply.flags & w.AA) is (reply.rcode == codes.NOERROR)
    return " ".join(words)


FILE = b"""# a comment
192.0.2.1\talpha.test alpha  # comment.test
  192.0.2.7   Gamma.TEST.\r
2001:DB8::7 gamma.test
192.0.2.10 multi.test
192.0.2.11 multi.test
fe80::1%eth0 scoped.test
::ffff:192.0.2.12 mapped.test
192.0.2.300 bad.test
192.0.2.08 bad.test
not-an-address bad.test
192.0.2.13
192.0.2.14 a..b good.test
192.0.2.15 *.wild.test *
192.0.2.16 own.wild.test
2001:db8::17 six.wild.test"""


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("alpha.test", "A", "NOERROR 192.0.2.1"),
        ("alpha", "A", "NOERROR 192.0.2.1"),
        ("ALPHA.test", "A", "NOERROR 192.0.2.1"),
        ("alpha.test", "AAAA", "NOERROR"),
        ("alpha.test", "MX", "NOERROR"),
        ("alpha.test", "ANY", "NOERROR"),
        ("gamma.test", "A", "NOERROR 192.0.2.7"),
        ("gamma.test", "AAAA", "NOERROR 2001:db8::7"),
        ("multi.test", "A", "NOERROR 192.0.2.10 192.0.2.11"),
        ("MULTI.Test", "A", "NOERROR 192.0.2.10 192.0.2.11"),
        ("scoped.test", "AAAA", "NOERROR fe80::1"),
        ("mapped.test", "A", "NOERROR 192.0.2.12"),
        ("good.test", "A", "NOERROR 192.0.2.14"),
        ("comment.test", "A", "SERVFAIL"),
        ("bad.test", "A", "SERVFAIL"),
        ("sub.alpha.test", "A", "SERVFAIL"),
        ("test", "A", "SERVFAIL"),
        (".", "A", "SERVFAIL"),
        ("x.wild.test", "A", "NOERROR 192.0.2.15"),
        ("X.wild.test", "AAAA", "NOERROR"),
        ("own.wild.test", "A", "NOERROR 192.0.2.16"),
        ("six.wild.test", "A", "NOERROR 192.0.2.15"),
        ("*.wild.test", "A", "NOERROR 192.0.2.15"),
        ("wild.test", "A", "SERVFAIL"),
        ("x.y.wild.test", "A", "SERVFAIL"),
        ("single", "A", "SERVFAIL"),
        ("*", "A", "SERVFAIL"),
        ("1.2.0.192.in-addr.arpa", "PTR", "NOERROR alpha.test. alpha."),
        ("7.2.0.192.IN-ADDR.arpa", "PTR", "NOERROR gamma.test."),
        ("15.2.0.192.in-addr.arpa", "PTR", "NOTIMP"),
        ("99.2.0.192.in-addr.arpa", "PTR", "NOTIMP"),
        ("2.0.192.in-addr.arpa", "PTR", "NOTIMP"),
        ("01.2.0.192.in-addr.arpa", "PTR", "NOTIMP"),
        ("x.1.2.0.192.in-addr.arpa", "PTR", "NOTIMP"),
        (f"7{'.0' * 23}.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "NOERROR gamma.test."),
        (f"7{'.0' * 22}.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "NOTIMP"),
        (f"x{'.0' * 23}.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "NOTIMP"),
        ("alpha.test", "PTR", "NOTIMP"),
        ("1.2.0.192.in-addr.arpa", "A", "SERVFAIL"),
    ],
)
def test_a_file(name: str, qtype: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_bytes(FILE)
    with started(Hosts(ROOT, ttl=77), tmp_path / "hosts") as plugin:
        assert ask(plugin, name, qtype) == expected


def test_the_corefile_comes_after_the_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.1 both file\n192.0.2.2 *.wild")
    with started(Hosts(ROOT, inline=b"192.0.2.3 both inline\n192.0.2.4 *.wild"), tmp_path / "hosts") as plugin:
        assert ask(plugin, "both") == "NOERROR 192.0.2.1 192.0.2.3"
        assert ask(plugin, "file") == "NOERROR 192.0.2.1"
        assert ask(plugin, "inline") == "NOERROR 192.0.2.3"
        assert ask(plugin, "x.wild") == "NOERROR 192.0.2.2 192.0.2.4"


def test_nothing_at_all() -> None:
    with started(Hosts(ROOT)) as plugin:
        assert ask(plugin, "example") == "SERVFAIL"
        assert ask(plugin, "1.0.0.127.in-addr.arpa", "PTR") == "NOTIMP"


def test_zones_and_fallthrough() -> None:
    zones = w.encode_name("example.org"), w.encode_name("example.net")
    inline = b"192.0.2.1 www.example.org www.example.com"
    with started(Hosts(zones, inline=inline, fallthrough=Fallthrough(zones[1:]))) as plugin:
        assert ask(plugin, "www.example.org") == "NOERROR 192.0.2.1"
        assert ask(plugin, "www.example.com") == "NOTIMP"
        assert ask(plugin, "gone.example.org") == "SERVFAIL"
        assert ask(plugin, "gone.example.net") == "NOTIMP"
        assert ask(plugin, "gone.example.net", "TXT") == "NOTIMP"
        assert ask(plugin, "1.2.0.192.in-addr.arpa", "PTR") == "NOERROR www.example.org."


def test_unsupported_types_fall_through() -> None:
    zones = w.encode_name("example.org"), w.encode_name("example.net")
    inline = b"192.0.2.1 www.example.org www.example.net"
    with started(Hosts(zones, inline=inline, fallthrough=Fallthrough(zones[1:]), unsupported=True)) as plugin:
        assert ask(plugin, "www.example.net", "TXT") == "NOTIMP"
        assert ask(plugin, "www.example.net", "AAAA") == "NOERROR"
        assert ask(plugin, "www.example.org", "TXT") == "NOERROR"


def test_no_reverse() -> None:
    with started(Hosts(ROOT, inline=b"192.0.2.1 www", reverse=False)) as plugin:
        assert ask(plugin, "www") == "NOERROR 192.0.2.1"
        assert ask(plugin, "1.2.0.192.in-addr.arpa", "PTR") == "NOTIMP"


def test_many_names_of_one_address() -> None:
    inline = b"".join(b"0.0.0.0 ad%d.example\n" % number for number in range(5000))
    with started(Hosts(ROOT, inline=inline)) as plugin:
        reply = serve(plugin, make_query("0.0.0.0.in-addr.arpa", "PTR"))
        assert w.MAX_MESSAGE < len(reply.wire) < 2 * w.MAX_MESSAGE
        assert len(list(w.records(reply.wire))) == w.HEADER.unpack_from(reply.wire)[3]


# --- the file ---


async def looked(plugin: Hosts) -> None:
    assert plugin._file.reading is not None
    await plugin._file.reading


def test_the_file_is_read_again(tmp_path: Path) -> None:
    async def dialogue() -> None:
        file, plugin = tmp_path / "names", Hosts(ROOT, Path("names"), inline=b"192.0.2.1 inline")
        plugin.clock = clock = FakeClock()
        plugin.configure(Site([], root=str(tmp_path)))
        await plugin.start()
        assert ask(plugin, "www") == "SERVFAIL"
        for content, expected in (
            (b"192.0.2.2 www", "NOERROR 192.0.2.2"),
            (b"192.0.2.333 www", "SERVFAIL"),
            (b"192.0.2.3 www", "NOERROR 192.0.2.3"),
        ):
            file.write_bytes(content)
            clock.advance(5)
            await looked(plugin)
            assert ask(plugin, "www") == expected
            assert ask(plugin, "inline") == "NOERROR 192.0.2.1"
            entries = 4 if expected.startswith("NOERROR") else 2
            assert FAMILIES["hosts_entries"].values[(str(file),)] == entries  # type: ignore[attr-defined]
            assert FAMILIES["hosts_reload_timestamp_seconds"].values[()] == file.stat().st_mtime  # type: ignore[attr-defined]
        file.rename(tmp_path / "gone")
        clock.advance(5)
        await looked(plugin)
        assert ask(plugin, "www") == "NOERROR 192.0.2.3"
        plugin.stop()

    asyncio.run(dialogue())


def test_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, warning in (
        (f"hosts {tmp_path}/missing", f"'{tmp_path}/missing' does not exist"),
        (f"hosts {tmp_path}", f"'{tmp_path}' is a directory"),
        ("hosts {\nfallthru\n}", "'fallthru' is neither an address nor an option: the line is left out"),
    ):
        plugin = parse(text)
        with started(plugin, plugin.path):
            assert capsys.readouterr().out == f"[WARNING] {warning}\n"
    with started(Hosts(ROOT)):
        assert not capsys.readouterr().out


def test_a_file_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plugin = parse(f"hosts {tmp_path}/file/hosts")
    with (
        pytest.raises(ConfigError, match=r"Corefile:1:7: cannot read '.*/file/hosts': Not a directory"),
        started(plugin, plugin.path),
    ):
        pass


# --- any octets ---


WORDS = [*FILE.split(), b" ", b"\n", b"*.", b"\\"]


@given(st.binary(max_size=200) | st.lists(st.sampled_from(WORDS)).map(b" ".join))
def test_any_octets_are_a_hosts_file(text: bytes) -> None:
    table = hosts_table.parse(text, ROOT, ttl=60)
    assert table.entries >= len(table._ptr)
    for key, records in [*table._names[codes.A].items(), *table._names[codes.AAAA].items(), *table._ptr.items()]:
        assert hosts_table.count(records) >= 1
        assert len(hosts_table.under_name(records, key, 30)) >= len(key)


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_reverse_names(packed: bytes) -> None:
    if len(packed) == 4:
        name = ".".join(str(octet) for octet in reversed(packed)) + ".in-addr.arpa"
    else:
        name = ".".join(reversed(packed.hex())) + ".ip6.arpa"
    assert hosts_table.parse_reverse(w.encode_name(name)) == packed.removeprefix(MAPPED)


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=33), st.sampled_from(["in-addr.arpa", "ip6.arpa", "arpa"]))
def test_any_name_is_an_address_or_none(labels: list[bytes], zone: str) -> None:
    name = b"".join(bytes((len(label),)) + label for label in labels) + w.encode_name(zone)
    packed = hosts_table.parse_reverse(name.lower())
    assert packed is None or len(packed) in (4, 16)
