"""loadbalance: which orders occur, how often, and that messages survive it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.networks import NetworkSet
from corepy.plugins.loadbalance import LoadBalance
from corepy.plugins.loadbalance.reorder import reorder
from corepy.plugins.loadbalance.weights import parse_weights
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query

DURATION = "expected a duration such as 30s or 1h30m"


def parse(text: str) -> LoadBalance:
    lines = directives(text)
    [plugin] = LoadBalance.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


def nets(*texts: str) -> list[NetworkSet]:
    return [NetworkSet([ip_network(text)]) for text in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loadbalance", LoadBalance()),
        ("loadbalance round_robin", LoadBalance()),
        ("loadbalance {\n}", LoadBalance()),
        ("loadbalance {\nprefer\n}", LoadBalance()),
        ("loadbalance {\nprefer 10.1.0.0/8 ::/0\nprefer ::/8\n}", LoadBalance(nets("10.0.0.0/8", "::/0", "::/8"))),
        ("loadbalance round_robin {\nprefer ::/0\n}\nloadbalance", LoadBalance(nets("::/0"))),
        ("loadbalance weighted f", LoadBalance(weights=Path("f"))),
        ("loadbalance weighted f {\nreload 0\n}", LoadBalance(weights=Path("f"), reload=0)),
        ("loadbalance {\nprefer ::/0\n}\nloadbalance weighted f", LoadBalance(weights=Path("f"))),
        ("loadbalance weighted f\nloadbalance", LoadBalance()),
        ("loadbalance random", "1:13: invalid argument 'random', expected one of round_robin, weighted"),
        ("loadbalance round_robin f", "1:25: unexpected argument 'f', expected the end of the line"),
        ("loadbalance weighted", "1:1: 'loadbalance' lacks an argument, expected a weight file"),
        ("loadbalance weighted f g", "1:24: unexpected argument 'g', expected the end of the line"),
        ("loadbalance weighted f {\nreload\n}", f"2:1: 'reload' lacks an argument, {DURATION}"),
        ("loadbalance weighted f {\nreload 1\n}", f"2:8: invalid argument '1', {DURATION}"),
        ("loadbalance weighted f {\nreload -1s\n}", f"2:8: invalid argument '-1s', {DURATION} of at least 0s"),
        ("loadbalance weighted f {\nreload 1s 2s\n}", "2:11: unexpected argument '2s', expected the end of the line"),
        ("loadbalance weighted f {\nprefer ::/0\n}", "2:1: unknown option 'prefer', expected reload"),
        ("loadbalance {\nreload 1s\n}", "2:1: unknown option 'reload', expected prefer"),
        (
            "loadbalance {\nprefer 10.0.0.1\n}",
            "2:8: invalid argument '10.0.0.1', expected a network such as 192.0.2.0/24 or 2001:db8::/32",
        ),
    ],
)
def test_lines(text: str, expected: LoadBalance | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/loadbalance: Corefile:")
    assert result == expected


# --- replies ---


def answer(*records: str, qtype: str = "A", rcode: int = 0, **sections: list[str]) -> Reply:
    """A reply whose names are compressed, as octets alone."""
    more: Any = sections
    return Reply(Reply.answer(make_query("example.org", qtype), *records, rcode=rcode, **more).wire)


def arranged(plugin: LoadBalance, reply: Reply) -> Reply:
    plugin.next = lambda _: reply
    made = plugin.serve(make_query())
    assert isinstance(made, Reply)
    return made


def data(records: list[dnslib.RR]) -> str:
    return " ".join(str(record.rdata).strip('"') for record in records)


def orders(plugin: LoadBalance, reply: Reply, section: str = "rr", times: int = 200) -> Counter[str]:
    """How often each order of a section occurs."""
    return Counter(data(getattr(arranged(plugin, reply).record, section)) for _ in range(times))


THREE = answer("example.org 1 A 192.0.2.1", "example.org 1 A 192.0.2.2", "example.org 1 A 192.0.2.3")
MIXED = answer(
    "www.example.org 1 A 192.0.2.1",
    "example.org 1 TXT first",
    "example.org 1 MX 10 mx",
    "example.org 1 CNAME www.example.org",
    "example.org 1 TXT second",
)


def test_round_robin_has_every_order() -> None:
    assert len(orders(LoadBalance(), THREE)) == 6


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        (answer("example.org 1 A 192.0.2.1", "example.org 1 A 192.0.2.2"), 2),
        (answer("example.org 1 AAAA ::1", "example.org 1 AAAA ::2", "example.org 1 AAAA ::3"), 6),
        (answer("example.org 1 A 192.0.2.1", "example.org 1 AAAA ::1"), 2),
        (answer("example.org 1 A 192.0.2.1", "www.example.org 1 A 192.0.2.2"), 2),
        (answer("www.example.org 1 A 192.0.2.1", "www.example.org 1 A 192.0.2.2"), 2),
    ],
)
def test_addresses_with_and_without_opt(reply: Reply, number: int) -> None:
    for each in (reply, Reply(w.with_additional(reply.wire, w.opt_record(1232)))):
        assert len(orders(LoadBalance(), each)) == number
        assert len(arranged(LoadBalance(), each).record.ar) == len(each.record.ar)


def test_kinds_keep_their_places() -> None:
    assert set(orders(LoadBalance(), MIXED, times=5)) == {"www.example.org. first second 192.0.2.1 10 mx."}


@pytest.mark.parametrize("section", ["auth", "ar"])
def test_other_sections(section: str) -> None:
    records = ["example.org 1 A 192.0.2.1", "example.org 1 AAAA ::1", "example.org 1 TXT x"]
    reply = answer(authority=records) if section == "auth" else answer(additional=records)
    assert set(orders(LoadBalance(), reply, section)) == {"x 192.0.2.1 ::1", "x ::1 192.0.2.1"}


EXCHANGES = answer(
    "example.org 1 MX 10 mx1.example.org",
    "example.org 1 MX 20 mx2.example.org",
    qtype="MX",
    additional=["mx1.example.org 1 A 192.0.2.1", "mx2.example.org 1 A 192.0.2.2", "mx2.example.org 1 AAAA ::2"],
)


def test_names_that_point_into_records_which_move() -> None:
    assert len(orders(LoadBalance(), EXCHANGES)) == 2
    for _ in range(20):
        made = arranged(LoadBalance(), EXCHANGES)
        assert len(made.wire) == len(EXCHANGES.wire)
        assert {str(each) for each in made.record.rr} == {str(each) for each in EXCHANGES.record.rr}
        assert {str(each) for each in made.record.ar} == {str(each) for each in EXCHANGES.record.ar}


@pytest.mark.parametrize(
    "reply",
    [
        Reply.SILENCE,
        answer("example.org 1 A 192.0.2.1"),
        answer("example.org 1 TXT a", "example.org 1 TXT b", "example.org 1 A 192.0.2.1"),
        answer("example.org 1 A 192.0.2.1", "example.org 1 A 192.0.2.2", rcode=codes.NXDOMAIN),
        answer("example.org 1 A 192.0.2.1", "example.org 1 A 192.0.2.2", "example.org 1 TXT c", qtype="AXFR"),
        Reply(w.with_additional(THREE.wire, b"\0" + w.RECORD.pack(codes.TSIG, 255, 0, 0))),
        Reply(THREE.wire[:-1]),
        Reply(THREE.wire[:20]),
    ],
)
def test_what_is_left_alone(reply: Reply) -> None:
    for _ in range(10):
        assert arranged(LoadBalance(), reply) is reply


def test_prefer() -> None:
    plugin = LoadBalance(nets("192.0.2.3/32", "192.0.2.0/30"))
    assert set(orders(plugin, THREE)) == {"192.0.2.3 192.0.2.1 192.0.2.2", "192.0.2.3 192.0.2.2 192.0.2.1"}
    assert set(orders(LoadBalance(nets("192.0.2.2/31")), THREE)) == {
        "192.0.2.2 192.0.2.3 192.0.2.1",
        "192.0.2.3 192.0.2.2 192.0.2.1",
    }
    assert set(orders(plugin, MIXED, times=5)) == {"www.example.org. 192.0.2.1 10 mx. first second"}


# --- weights ---


WEIGHTS = b"# comment\n\nEXAMPLE.org\n192.0.2.1 100\n  192.0.2.2\t50 \nwww.example.org.\n2001:db8::1 255\n"


def weighted(text: bytes) -> LoadBalance:
    plugin = LoadBalance(weights=Path("weights"))
    plugin._weights = parse_weights(text)
    return plugin


def test_the_first_address_is_drawn_by_weight() -> None:
    random.seed(4)
    found = orders(weighted(WEIGHTS), THREE, times=3020)
    assert set(found) == {
        "192.0.2.1 192.0.2.2 192.0.2.3",
        "192.0.2.2 192.0.2.1 192.0.2.3",
        "192.0.2.3 192.0.2.2 192.0.2.1",
    }
    assert 1900 < found["192.0.2.1 192.0.2.2 192.0.2.3"] < 2100
    assert 5 < found["192.0.2.3 192.0.2.2 192.0.2.1"] < 50


def test_weights_are_for_addresses_only() -> None:
    plugin = weighted(WEIGHTS)
    assert arranged(plugin, EXCHANGES) is EXCHANGES
    plain = answer("example.org 1 MX 1 b", "example.org 1 TXT t", qtype="SRV")
    assert arranged(plugin, plain) is plain
    assert set(orders(plugin, MIXED, times=5)) == {"www.example.org. first second 192.0.2.1 10 mx."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", {}),
        (b"a\r\n# 1\n192.0.2.1 1\r\n192.0.2.1 2", {b"\1a\0": {b"\xc0\0\2\1": 1}}),
        (b"a\n::1 1\nb\nA.\n::2 3", {b"\1a\0": {bytes(15) + b"\1": 1, bytes(15) + b"\2": 3}, b"\1b\0": {}}),
        (b"192.0.2.1 1", "line 1: no name stands above the address '192.0.2.1'"),
        (b"a\n192.0.2.1", "line 2: the address '192.0.2.1' has no weight"),
        (b"a\nb c", "line 2: 'b' is no address"),
        (b"a\n192.0.2.1 heavy", "line 2: 'heavy' is no weight from 1 to 255"),
        (b"a\n192.0.2.1 0", "line 2: '0' is no weight from 1 to 255"),
        (b"a\n192.0.2.1 256", "line 2: '256' is no weight from 1 to 255"),
        (b"a\n\n192.0.2.1 1 # x", "line 3: '192.0.2.1 1 # x' is neither a name nor an address and its weight"),
        (b"a..b", "line 1: 'a..b' has an empty label"),
    ],
)
def test_weight_files(text: bytes, expected: object) -> None:
    try:
        result: object = parse_weights(text)
    except ValueError as error:
        result = str(error)
    assert result == expected


@given(st.binary(max_size=100))
def test_any_octets_are_a_weight_file_or_a_mistake(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_weights(text), dict)


def test_the_file_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def dialogue() -> None:
        file = tmp_path / "weights"
        plugin = parse("loadbalance weighted weights {\nreload 10s\n}")
        plugin.clock = clock = FakeClock()
        plugin.configure(Site([], root=str(tmp_path)))
        await plugin.start()
        assert f"[WARNING] cannot read '{file}': No such file or directory; trying again every 10s" in said()
        for content, line in (
            (b"a\n192.0.2.1 7", f"[INFO] reloaded weights from {file}"),
            (b"a\n192.0.2.1 heavy", "[ERROR] cannot read"),
        ):
            file.write_bytes(content)
            clock.advance(10)
            assert plugin._file is not None
            assert plugin._file.reading is not None
            await plugin._file.reading
            assert line in said()
        assert plugin._weights == {b"\1a\0": {b"\xc0\0\2\1": 7}}
        plugin.stop()

    def said() -> str:
        return str(capsys.readouterr().out)

    asyncio.run(dialogue())


@pytest.mark.parametrize(
    ("content", "options", "error"),
    [
        (None, "reload 0", "1:22: cannot read '{}': No such file or directory"),
        (b"a\n192.0.2.1", "reload 1s", "1:22: cannot read '{}': line 2: the address '192.0.2.1' has no weight"),
    ],
)
def test_a_file_that_cannot_be_used(content: bytes | None, options: str, error: str, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    if content is not None:
        file.write_bytes(content)
    plugin = parse(f"loadbalance weighted {file} {{\n{options}\n}}")
    with pytest.raises(ConfigError) as caught:
        asyncio.run(plugin.start())
    assert str(caught.value) == "Corefile:" + error.format(file)


def test_without_weights_there_is_nothing_to_start() -> None:
    plugin = LoadBalance()
    asyncio.run(plugin.start())
    plugin.stop()


# --- reordering ---

NAMES = st.sampled_from(["example.org", "www.example.org", "mx.www.example.org", "example.net", "a.example.net", "."])
RECORDS = st.one_of(
    st.builds("{} 1 A 192.0.2.1".format, NAMES),
    st.builds("{} 1 TXT text".format, NAMES),
    *[st.builds(f"{{}} 1 {form} {{}}".format, NAMES, NAMES) for form in ("MX 1", "NS", "CNAME", "SRV 1 2 3")],
    st.builds("{} 1 SOA {} {} 1 2 3 4 5".format, NAMES, NAMES, NAMES),
)


@given(st.lists(RECORDS, min_size=1, max_size=8), st.randoms())
def test_any_order_of_any_records(records: list[str], dice: random.Random) -> None:
    reply = answer(*records)
    before = list(w.records(reply.wire))
    places = list(range(len(before)))
    dice.shuffle(places)
    made = Reply(reorder(reply.wire, before, [before[place] for place in places]))
    assert list(map(str, made.record.rr)) == [str(reply.record.rr[place]) for place in places]
