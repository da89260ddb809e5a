"""view: what its lines mean, what expressions see of a query, and who gets it."""

from __future__ import annotations

from typing import Any

import dnslib
import pytest

from corepy import codes, corefile, registry, site
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError, ConfigErrors
from corepy.plugins.view import View
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query


def parse(text: str) -> View:
    lines = directives(text)
    plugin = View.parse(lines[0])
    lines[0].finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("view a", ("a", [])),
        ("view a {\n}", ("a", [])),
        (
            "view a {\nexpr type() == 'A'\nexpr true\n}",
            ("a", ["type() == 'A'", "true"]),
        ),
        ("view", "plugin/view: Corefile:1:1: 'view' lacks an argument, expected the name of the view"),
        ("view a b", "plugin/view: Corefile:1:8: unexpected argument 'b', expected the end of the line"),
        ("view a {\nwhen true\n}", "plugin/view: Corefile:2:1: unknown option 'when', expected expr"),
        ("view a {\nexpr\n}", "plugin/view: Corefile:2:1: 'expr' lacks an argument, expected an expression"),
        ("view a {\nexpr type() ==\n}", "plugin/view: Corefile:2:15: unexpected the end"),
        ("view a {\nexpr type() == 1\n}", "plugin/view: Corefile:2:13: '==' does not take a string and a int"),
        ("view a {\nexpr no_such()\n}", "plugin/view: Corefile:2:6: unknown function 'no_such'"),
        (
            "view a {\nexpr do() and name() matches 'a('\n}",
            "plugin/view: Corefile:2:30: no regular expression: missing ): a(",
        ),
    ],
)
def test_lines(text: str, expected: object) -> None:
    try:
        plugin = parse(text)
        result: object = (plugin.label, [program.source for program in plugin.programs])
    except ConfigError as error:
        result = str(error)
    assert result == expected


def takes(expression: str, **how: Any) -> bool:
    plugin = parse(f"view a {{\nexpr {expression}\n}}")
    plugin.configure(Site([]))
    query = make_query("Www.Example.org", **how)
    query.metadata = {"a/b": "text", "a/c": lambda: "late"}
    return plugin.takes(query)


@pytest.mark.parametrize(
    ("expression", "how"),
    [
        ("type() == 'AAAA' && class() == 'CH'", {"qtype": "AAAA", "qclass": codes.CH}),
        ("type() == 'TYPE65280'", {"qtype": "TYPE65280"}),
        ("type() == 'Reserved'", {"qtype": "TYPE65535"}),
        ("type() == 'None'", {"qtype": "TYPE0"}),
        ("name() == 'www.example.org.'", {}),
        ("client_ip() == '192.0.2.7' and port() == '4242'", {"client": "192.0.2.7"}),
        ("client_ip() == '2001:db8::7'", {"client": "2001:db8::7"}),
        ("server_ip() == '192.0.2.53' and server_port() == '53'", {}),
        ("proto() == 'udp' and bufsize() == 512 and not do()", {}),
        ("proto() == 'tcp' and bufsize() == 65535", {"transport": "tls"}),
        ("bufsize() == 1232 and do()", {"edns": 1232, "do": True}),
        ("id() == 4660 and opcode() == 0 and size() == 33", {}),
        ("incidr(client_ip(), '192.0.2.1/24')", {}),
        ("incidr(client_ip(), '2001:db8::/32')", {"client": "2001:db8::7"}),
        ("not incidr(client_ip(), '::/0')", {}),
        ("metadata('a/b') + metadata('a/c') + metadata('a/d') == 'textlate'", {}),
    ],
)
def test_what_an_expression_sees(expression: str, how: dict[str, Any]) -> None:
    assert takes(expression, **how)


@pytest.mark.parametrize(
    "expression",
    ["false", "name()", "1", "nil", "incidr(name(), '127.0.0.0/8')", "incidr(client_ip(), '127.0.0.0/99')",
     "incidr(client_ip(), '127.0.0.1')", "[true][1]"],
)  # fmt: skip
def test_what_is_not_true_is_false(expression: str) -> None:
    assert not takes(expression)


def build(text: str) -> site.Configuration:
    return site.build(corefile.load(text, "Corefile", known=registry.known()))


BLOCK = "example.org {{\n{0}\nlocal\nwhoami\n}}\n"
VIEW = "view {0} {{\nexpr {1}\n}}"


def test_blocks_share_a_zone() -> None:
    blocks = (VIEW.format("a", "type() == 'A'"), VIEW.format("b", "true"), "", VIEW.format("late", "true"))
    made = build("".join(map(BLOCK.format, blocks)))
    [listener] = made.listeners.values()
    assert made.describe() == ["example.org.:53"]
    first, second = (each.plugins[-1] for each in made.sites[:2])
    for each, name in ((first, "a"), (second, "b")):
        assert each.metadata is not None
        assert each.metadata(make_query()) == {"view/name": name}
    assert isinstance(listener.answer(make_query()), Reply)


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (["", ""], "it is already defined"),
        (["bind 127.0.0.1", VIEW.format("a", "true")], "it overlaps with"),
    ],
)
def test_blocks_that_cannot_share_a_zone(blocks: list[str], words: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        build("".join(map(BLOCK.format, blocks)))
    assert words in str(caught.value.errors[0])


def test_metadata_is_there_before_the_block_is_chosen() -> None:
    plugin = parse("view a {\nexpr metadata('view/name') == 'a'\n}")
    block = Site([])
    plugin.configure(block)
    query = make_query()
    assert not plugin.takes(query)

    def collect(query: Any) -> None:
        query.metadata = dict(plugin.metadata(query))

    block.collect = collect
    assert plugin.takes(query)


def test_the_time_is_that_of_the_clock() -> None:
    plugin = parse("view a {\nexpr now(timezone('UTC')).Hour() in 8..17\n}")
    plugin.clock = clock = FakeClock(8 * 3600 - 1)
    plugin.configure(Site([]))
    assert not plugin.takes(make_query())
    clock.advance(1)
    assert plugin.takes(make_query())


def test_no_records_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise AssertionError("dnslib was asked")

    monkeypatch.setattr(dnslib.DNSRecord, "parse", fail)
    plugin = parse("view a {\nexpr type() == 'A'\n}")
    plugin.configure(Site([]))
    plugin.next = lambda query: Reply.build(query, flags=w.AA)
    query = make_query()
    assert plugin.takes(query)
    assert isinstance(plugin.serve(query), Reply)
