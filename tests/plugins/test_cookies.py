"""cookies: what the lines mean, which cookies are good, and what becomes of queries with them and without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.deferred import Deferred
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError
from corepy.finish import finish
from corepy.keys import parse_network
from corepy.metrics import FAMILIES, Counter
from corepy.networks import NetworkSet
from corepy.plugins.cookies import Cookies
from corepy.plugins.cookies.jar import Jar
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import FakeClock, message

ONE, TWO, THREE = (bytes((number,)) * 16 for number in (1, 2, 3))
EVERYBODY = NetworkSet(map(parse_network, ("0.0.0.0/0", "::/0")))
EXPECTED = "expected a secret of 32 hexadecimal digits"
NETWORK = "expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32"
DAY = 86400


def parse(text: str) -> Cookies:
    lines = directives(text)
    [plugin] = Cookies.parse_all(lines)
    lines[0].finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cookies", Cookies(rotate=DAY)),
        ("cookies {\n}", Cookies(rotate=DAY)),
        (f"cookies {{\nsecret {ONE.hex()}\n}}", Cookies((ONE,))),
        (f"cookies {{\nsecret {ONE.hex()} {TWO.hex().upper()}\nrotate 1h\n}}", Cookies((ONE, TWO), rotate=3600)),
        ("cookies {\nsecret_file secrets\n}", Cookies(path=Path("secrets"))),
        ("cookies {\nrotate 2h\nrequire\n}", Cookies(rotate=7200, demand=EVERYBODY)),
        (
            "cookies {\nrequire 192.0.2.0/24 2001:db8::1\n}",
            Cookies(rotate=DAY, demand=NetworkSet(map(parse_network, ("192.0.2.0/24", "2001:db8::1/128")))),
        ),
        ("cookies now", "1:9: unexpected argument 'now', expected no arguments"),
        ("cookies {\nsecret\n}", f"2:1: 'secret' lacks an argument, {EXPECTED}"),
        ("cookies {\nsecret 0123\n}", f"2:8: no secret, {EXPECTED}"),
        (f"cookies {{\nsecret {ONE.hex()} {'x' * 32}\n}}", f"2:41: no secret, {EXPECTED}"),
        (f"cookies {{\nsecret {' '.join([ONE.hex()] * 5)}\n}}", "2:140: 5 secrets, expected at most 4"),
        ("cookies {\nsecret_file\n}", "2:1: 'secret_file' lacks an argument, expected a file name"),
        ("cookies {\nsecret_file a b\n}", "2:15: unexpected argument 'b', expected the end of the line"),
        (
            f"cookies {{\nsecret {ONE.hex()}\nsecret_file a\n}}",
            "3:1: 'secret_file' given beside 'secret', expected one of them",
        ),
        (
            "cookies {\nrotate 59m\n}",
            "2:8: invalid argument '59m', expected a duration such as 30s or 1h30m of at least 1h0m0s",
        ),
        ("cookies {\nrequire udp\n}", f"2:9: invalid argument 'udp', {NETWORK}"),
        ("cookies {\nrequire\nrequire\n}", "3:1: 'require' given twice, first at Corefile:2:1"),
        (
            "cookies {\nsecrets a\n}",
            "2:1: unknown option 'secrets', expected one of secret, secret_file, rotate, require",
        ),
        ("cookies\ncookies", "2:1: given twice in a server block, first at Corefile:1:1"),
    ],
)
def test_lines(text: str, expected: Cookies | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/cookies: Corefile:")
    assert result == expected


HOST, OTHER_HOST = b"\xc0\0\2\1", b"\xc0\0\2\2"
CLIENT = b"12345678"
NOW = 1_700_000_000


# --- the file of secrets ---


def test_a_file_is_followed(tmp_path: Path) -> None:
    async def dialogue() -> None:
        path, clock = tmp_path / "secrets", FakeClock()
        path.write_text(ONE.hex())
        plugin = Cookies(path=path)
        plugin.clock, plugin.name = clock, "cookies"
        await plugin.start()
        assert plugin._jar.secrets == (ONE,)
        changes = {f"{TWO.hex()}\n{ONE.hex()}\n": (TWO, ONE), "nonsense": (TWO, ONE), THREE.hex(): (THREE,)}
        for text, expected in changes.items():
            path.write_text(text)
            clock.advance(5)
            assert plugin._file is not None
            assert plugin._file.reading is not None
            await plugin._file.reading
            assert plugin._jar.secrets == expected
        plugin.stop()

    asyncio.run(dialogue())


@pytest.mark.parametrize("text", [None, "nonsense"])
def test_a_file_that_cannot_be_used_keeps_the_server_from_starting(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "secrets"
    if text is not None:
        path.write_text(text)
    plugin = parse(f"cookies {{\nsecret_file {path}\n}}")
    plugin.name = "cookies"
    reason = "No such file or directory" if text is None else "line 1: no secret, expected 32 hexadecimal digits"
    expected = f"plugin/cookies: Corefile:2:13: cannot use '{path}': {reason}"
    with pytest.raises(ConfigError) as caught:
        asyncio.run(plugin.start())
    assert str(caught.value) == expected
    [found] = plugin.check([], None)  # type: ignore[arg-type]  # it does not look at the site
    assert str(found) == expected


# --- queries ---


class Bench:
    """The plugin, started, with what comes next in the hands of the test."""

    def __init__(self, *, require: bool = False) -> None:
        self.clock = FakeClock(NOW)
        self.plugin = Cookies((ONE,), demand=EVERYBODY if require else None)
        self.plugin.clock, self.plugin.next = self.clock, self.answer
        asyncio.run(self.plugin.start())
        self.passed: list[Query] = []
        self.make: Callable[[Query], Outcome] = Reply.build

    def answer(self, query: Query) -> Outcome:
        self.passed.append(query)
        return self.make(query)

    def ask(self, options: bytes | None, transport: str = "udp", client: str = "192.0.2.1") -> bytes:
        """The octets that a client is sent; None for a query without EDNS."""
        wire = message(edns=None if options is None else 1232, options=options or b"")
        query = Query(wire, Endpoint(transport, "dns://:53"), Address.of(client, 4242))
        reply = self.plugin.serve(query)
        assert isinstance(reply, Reply)
        return finish(query, reply) if reply.wire else b""


def cookie(data: bytes) -> bytes:
    return w.option(codes.COOKIE, data)


def options(wire: bytes) -> list[tuple[int, bytes]]:
    opt = w.find_opt(wire)
    assert opt is not None
    return list(w.options(wire, opt))


def rcode(wire: bytes) -> str:
    return codes.rcode_name(w.rcode(wire, w.find_opt(wire)))


def good(client: bytes = HOST, age: int = 0) -> bytes:
    return Jar([ONE]).make(CLIENT, client, NOW - age)


def test_a_client_learns_its_cookie_and_shows_it() -> None:
    bench = Bench()
    [(code, learnt)] = options(bench.ask(cookie(CLIENT)))
    assert (code, learnt) == (codes.COOKIE, good())
    assert options(bench.ask(cookie(learnt))) == [(codes.COOKIE, learnt)]
    assert [query.proven for query in bench.passed] == [False, True]


@pytest.mark.parametrize(("age", "renewed"), [(1800, False), (1801, True), (3600, True), (3601, True), (-300, False)])
def test_an_old_cookie_is_renewed(age: int, renewed: bool) -> None:
    bench = Bench()
    [(_, sent)] = options(bench.ask(cookie(good(age=age))))
    assert sent == (good() if renewed else good(age=age))
    assert bench.passed[0].proven == (age <= 3600)


def test_a_cookie_goes_no_further() -> None:
    bench = Bench()
    bench.ask(w.option(3, b"") + cookie(CLIENT) + cookie(b"second") + w.option(12, b"\0\0"))
    assert bench.passed[0].edns is not None
    assert bench.passed[0].edns.options == ((3, b""), (12, b"\0\0"))
    bench.ask(w.option(3, b""))
    assert bench.passed[1].edns is not None
    assert bench.passed[1].edns.options == ((3, b""),)


def test_a_signed_query_goes_on_as_it_came() -> None:
    bench = Bench()
    wire = w.with_additional(
        message(edns=1232, options=cookie(good())), b"\0" + w.RECORD.pack(codes.TSIG, 255, 0, 2) + b"\0\0"
    )
    query = Query(wire, Endpoint("udp", "dns://:53"), Address.of("192.0.2.1", 4242))
    bench.plugin.serve(query)
    assert bench.passed[0].wire == wire
    assert bench.passed[0].proven


def test_what_comes_from_upstream_is_not_our_cookie() -> None:
    bench = Bench()
    theirs = w.opt_record(4096, options=cookie(b"theirs__theirs__") + w.option(15, b"\0\1"))
    bench.make = lambda query: Reply.build(query, counts=(0, 0, 1), body=theirs, plain=False)
    assert options(bench.ask(cookie(CLIENT))) == [(15, b"\0\1"), (codes.COOKIE, good())]


def test_a_reply_that_is_late() -> None:
    bench, later = Bench(), Deferred()
    bench.make = lambda _: later
    wire = message(edns=1232, options=cookie(CLIENT))
    query = Query(wire, Endpoint("udp", "dns://:53"), Address.of("192.0.2.1", 4242))
    outcome = bench.plugin.serve(query)
    assert isinstance(outcome, Deferred)
    later.settle(Reply.build(query))
    assert isinstance(outcome.result, Reply)
    assert options(outcome.result.wire) == [(codes.COOKIE, good())]


def test_silence_and_what_cannot_be_read_stay_as_they_are() -> None:
    bench = Bench()
    bench.make = lambda _: Reply.SILENCE
    assert bench.ask(cookie(CLIENT)) == b""
    bench.make = lambda query: Reply(w.HEADER.pack(1, w.QR, 1, 1, 0, 1) + query.question)
    assert rcode(bench.ask(cookie(CLIENT))) == "SERVFAIL"


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41])
def test_no_cookie_has_such_a_length(length: int) -> None:
    bench = Bench()
    wire = bench.ask(cookie(bytes(length)))
    assert (rcode(wire), options(wire), bench.passed) == ("FORMERR", [], [])


@pytest.mark.parametrize("length", [8, 16, 17, 24, 32, 40])
def test_a_cookie_of_somebody_else_is_no_mistake(length: int) -> None:
    bench = Bench()
    assert options(bench.ask(cookie(CLIENT + bytes(length - 8)))) == [(codes.COOKIE, good())]


@pytest.mark.parametrize(
    ("brought", "transport", "expected"),
    [
        (cookie(good()), "udp", "NOERROR"),
        (cookie(good(age=3601)), "udp", "BADCOOKIE"),
        (cookie(CLIENT), "udp", "BADCOOKIE"),
        (cookie(good(OTHER_HOST)), "udp", "BADCOOKIE"),
        (cookie(good(OTHER_HOST)), "tcp", "NOERROR"),
        (cookie(CLIENT), "tls", "NOERROR"),
        (b"", "tcp", "NOERROR"),
        (None, "tcp", "NOERROR"),
    ],
)
def test_where_a_cookie_is_due(brought: bytes | None, transport: str, expected: str) -> None:
    bench = Bench(require=True)
    wire = bench.ask(brought, transport)
    assert rcode(wire) == expected
    assert bool(bench.passed) == (expected == "NOERROR")
    if expected == "BADCOOKIE":   # with the one to come again with
        assert rcode(bench.ask(cookie(options(wire)[0][1]))) == "NOERROR"


@pytest.mark.parametrize("brought", [None, b"", w.option(3, b"")])
def test_who_knows_no_cookies_is_sent_to_tcp(brought: bytes | None) -> None:
    bench = Bench(require=True)
    wire = bench.ask(brought)
    assert (rcode(wire), bool(wire[2] & w.TC >> 8), bench.passed) == ("NOERROR", True, [])


def test_a_cookie_may_be_due_from_some() -> None:
    bench = Bench(require=True)
    bench.plugin.demand = NetworkSet([parse_network("192.0.2.0/28")])
    answers = {client: rcode(bench.ask(cookie(CLIENT), client=client)) for client in ("192.0.2.1", "192.0.2.16")}
    assert answers == {"192.0.2.1": "BADCOOKIE", "192.0.2.16": "NOERROR"}


def test_what_queries_bring_is_counted() -> None:
    family = FAMILIES["cookies_queries_total"]
    assert isinstance(family, Counter)
    before, bench = dict(family.values), Bench()
    for brought in (None, b"", cookie(CLIENT), cookie(good()), cookie(good(OTHER_HOST)), cookie(b"1")):
        bench.ask(brought)
    counted = {labels[1]: number - before.get(labels, 0) for labels, number in family.values.items()}
    assert counted == {"none": 2, "new": 1, "good": 1, "bad": 1, "malformed": 1}
