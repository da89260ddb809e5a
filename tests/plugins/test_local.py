"""local: the names that mean the own machine."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.log import Log
from corepy.metrics import FAMILIES, Counter
from corepy.plugins.local import Local
from corepy.reply import Reply
from corepy.testing import make_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local", Local()),
        ("local {\n}", Local()),
        ("local {\nlocalhost_prefix on\n}", Local(prefix=True)),
        ("local {\nlocalhost_prefix off\n}", Local(prefix=False)),
        ("local {\nlocalhost_prefix off\n}\nlocal", Local(prefix=False)),
        ("local yes", "1:7: unexpected argument 'yes', expected no arguments"),
        ("local {\nprefix on\n}", "2:1: unknown option 'prefix', expected localhost_prefix"),
        ("local {\nlocalhost_prefix\n}", "2:1: 'localhost_prefix' lacks an argument, expected one of on, off"),
        ("local {\nlocalhost_prefix no\n}", "2:18: invalid argument 'no', expected one of on, off"),
        ("local {\nlocalhost_prefix on off\n}", "2:21: unexpected argument 'off', expected the end of the line"),
    ],
)
def test_lines(text: str, expected: Local | str) -> None:
    try:
        result: object = Local.parse_all(directives(text))[0]
    except ConfigError as error:
        result = str(error).removeprefix("plugin/local: Corefile:")
    assert result == expected


SOA = "SOA localhost. root.localhost. 1 0 0 0 604800"


def ask(name: str, qtype: str, plugin: Local | None = None) -> str:
    plugin = plugin or Local()
    passed = Reply.refused(make_query())
    plugin.next = lambda _: passed
    reply = plugin.serve(make_query(name, qtype))
    assert isinstance(reply, Reply)
    if reply is passed:
        return "passed"
    [record] = reply.record.rr + reply.record.auth
    assert record.ttl == 604800
    assert reply.flags & 0xFFF0 == 0x8100
    what = f"{codes.rcode_name(reply.rcode)} {record.rname} {codes.type_name(record.rtype)} {record.rdata}"
    return what if reply.record.rr else f"no {what}"


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("localhost", "A", "NOERROR localhost. A 127.0.0.1"),
        ("LocalHost", "AAAA", "NOERROR LocalHost. AAAA ::1"),
        ("localhost", "SOA", f"NOERROR localhost. {SOA}"),
        ("localhost", "NS", "NOERROR localhost. NS localhost."),
        ("localhost", "MX", f"no NOERROR localhost. {SOA}"),
        ("www.LOCALHOST", "A", "NOERROR www.LOCALHOST. A 127.0.0.1"),
        ("a.b.localhost", "AAAA", "NOERROR a.b.localhost. AAAA ::1"),
        ("www.localhost", "TXT", f"no NOERROR www.localhost. {SOA}"),
        ("localhost.example.org", "A", "NOERROR localhost.example.org. A 127.0.0.1"),
        ("localhost.127.in-addr.arpa", "A", "NOERROR localhost.127.in-addr.arpa. A 127.0.0.1"),
        ("mylocalhost", "A", "passed"),
        ("localhosts", "A", "passed"),
        ("www.localhost.example.org", "A", "passed"),
        ("1.0.0.127.in-addr.arpa", "PTR", "NOERROR 1.0.0.127.in-addr.arpa. PTR localhost."),
        ("1.0.0.127.in-addr.arpa", "A", f"no NOERROR 127.in-addr.arpa. {SOA}"),
        ("2.0.0.127.IN-ADDR.arpa", "PTR", f"no NXDOMAIN 127.IN-ADDR.arpa. {SOA}"),
        ("127.in-addr.arpa", "SOA", f"NOERROR 127.in-addr.arpa. {SOA}"),
        ("127.in-addr.arpa", "NS", "NOERROR 127.in-addr.arpa. NS localhost."),
        ("0.in-addr.arpa", "AAAA", f"no NOERROR 0.in-addr.arpa. {SOA}"),
        ("255.255.255.255.in-addr.arpa", "PTR", f"no NXDOMAIN 255.in-addr.arpa. {SOA}"),
        ("1.2.0.192.in-addr.arpa", "PTR", "passed"),
        ("1127.in-addr.arpa", "PTR", "passed"),
        (".", "A", "passed"),
    ],
)
def test_names(name: str, qtype: str, expected: str) -> None:
    assert ask(name, qtype) == expected


def test_without_the_prefix() -> None:
    plugin = Local(prefix=False)
    assert ask("localhost.example.org", "A", plugin) == "passed"
    assert ask("localhost.127.in-addr.arpa", "A", plugin) == f"no NXDOMAIN 127.in-addr.arpa. {SOA}"
    assert ask("www.localhost", "A", plugin) == "NOERROR www.localhost. A 127.0.0.1"


def test_names_below_and_beginning_with_localhost_are_counted() -> None:
    total = FAMILIES["local_localhost_requests_total"]
    assert isinstance(total, Counter)
    before = total.values[()]
    for name in ("localhost", "www.localhost", "localhost.example.org", "1.0.0.127.in-addr.arpa", "example.org"):
        ask(name, "A")
    assert total.values[()] - before == 2


def test_a_debug_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Log, "debugging", True)
    ask("localhost.example.org", "A")
    said = "[DEBUG] localhost.example.org. A from 192.0.2.1:4242 is taken for this machine\n"
    assert capsys.readouterr().out == said
