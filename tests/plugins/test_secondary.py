"""secondary: what its lines mean, how a zone follows its primaries, and what catalogs bring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes, upstream
from corepy import wire as w
from corepy.address import Address
from corepy.clock import Clock
from corepy.corefile import directives
from corepy.errors import ConfigError, Failure, Malformed
from corepy.fallthrough import Fallthrough
from corepy.plugin import Plugin
from corepy.plugins.secondary import Secondary, Source, primary
from corepy.plugins.secondary.catalog import members
from corepy.plugins.secondary.reading import Reading, build
from corepy.records import EncodedRecord, encode, parse_record
from corepy.reply import Reply
from corepy.site import Site
from corepy.testing import FakeClock, make_query
from corepy.tsig import HMAC_SHA256, Key, Signer, find
from corepy.upstream import Ask, Options, Target, Upstream, Waiter
from corepy.words import Word
from corepy.zone import SMALL, Builder, Peer, Zone, since

ORG, NET = w.encode_name("example.org"), w.encode_name("example.net")
ONE, TWO = Peer(Address.of("192.0.2.1", 53)), Peer(Address.of("192.0.2.2", 5353))
EXPECTED = "expected an IP address, or one with a port"
ALGORITHMS = [f"hmac-sha{size}" for size in (1, 224, 256, 384, 512)]
MISSING = "there is no primary, expected transfer from ADDRESS... in the block"


def parse(text: str) -> Secondary:
    lines = directives(text)
    for line in lines:
        line.zones = (ORG,)
    [plugin] = Secondary.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("secondary {\ntransfer from 192.0.2.1 192.0.2.2:5353\n}", Secondary({ORG: Source([ONE, TWO])})),
        ("secondary example.net {\ntransfer from 192.0.2.1\ntransfer from 192.0.2.2:5353\nfallthrough\n}",
         Secondary({NET: Source([ONE, TWO])}, Fallthrough([b"\0"]))),
        ("secondary {\ntransfer from 192.0.2.1\ncatalog\n}", Secondary({ORG: Source([ONE], ())})),
        ("secondary {\ntransfer from 192.0.2.1\ncatalog a\ncatalog b\n}",
         Secondary({ORG: Source([ONE], (b"\1a\0", b"\1b\0"))})),
        ("secondary {\ntransfer from 192.0.2.1\ncatalog\ncatalog b\n}", Secondary({ORG: Source([ONE], ())})),
        ("secondary {\ntransfer from 192.0.2.1 key a. hmac-sha512\ntransfer from 192.0.2.2:5353\n}",
         Secondary({ORG: Source([ONE._replace(key=Word("a."), algorithm=w.encode_name("hmac-sha512")), TWO])})),
        ("secondary {\ntransfer from key a\n}",
         "2:15: 'transfer' has a key and no address, expected an address in front of it"),
        ("secondary {\ntransfer from 192.0.2.1 key\n}",
         "2:25: a key without a name, expected the name of a key that tsig has in this server block"),
        ("secondary {\ntransfer from 192.0.2.1 key a hmac-md5\n}",
         f"2:31: unknown algorithm 'hmac-md5', expected one of {', '.join(ALGORITHMS)}"),
        ("secondary {\ntransfer from 192.0.2.1 key a hmac-sha1 b\n}",
         "2:41: unexpected argument 'b', expected the end of the line"),
        ("secondary", f"1:1: {MISSING}"),
        ("secondary {\nfallthrough\n}", f"3:1: {MISSING}"),
        ("secondary {\ntransfer from\n}", "2:1: 'transfer' lacks an argument, expected an address"),
        ("secondary {\ntransfer to 192.0.2.1\n}", "2:10: invalid argument 'to', expected from"),
        ("secondary {\ntransfer from name\n}", f"2:15: invalid argument 'name', {EXPECTED}"),
        ("secondary {\ntransfer from *\n}", f"2:15: invalid argument '*', {EXPECTED}"),
        ("secondary {\nprimary ::1\n}",
         "2:1: unknown option 'primary', expected one of transfer, catalog, fallthrough"),
    ],
)  # fmt: skip
def test_lines(text: str, expected: Secondary | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/secondary: Corefile:")
    assert result == expected


# --- transfers ---


def records(origin: bytes, serial: int, *rows: str) -> list[EncodedRecord]:
    """A zone as it is transferred, refresh 100, retry 10, expire 1000."""
    soa = parse_record(f"@ 60 SOA ns root {serial} 100 10 1000 5", origin=origin)
    return [soa, *(parse_record(row, origin=origin) for row in rows), soa]


def response(question: bytes, found: list[EncodedRecord]) -> bytes:
    """A message of a transfer, names compressed where it has the question."""
    body = encode(question[:-4], found) if question else b"".join(
        [record.owner + w.RECORD.pack(*record[1:4], len(record.rdata)) + record.rdata for record in found]
    )  # fmt: skip
    return w.HEADER.pack(0, w.QR, len(question) > 0, len(found), 0, 0) + question + body


class Primary:
    """An upstream that has zones, lists of records by their names; without the list it is silent."""

    name = "primary"

    def __init__(self) -> None:
        self.zones: dict[bytes, list[EncodedRecord]] = {}
        self.asked: list[str] = []
        self.size = 3
        """Records that a message of a transfer has."""
        self.over_udp: Ask = self.ask
        self.over_tcp: Ask = self.ask

        self.differences: list[EncodedRecord] = []
        """What IXFR is answered with."""
        self.key: Key | None = None
        """What queries have to be signed with, and replies are."""

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        question = wire[12 : w.question_end(wire)]
        qtype = int.from_bytes(question[-4:-2], "big")
        self.asked.append(codes.type_name(qtype))
        found = self.zones.get(question[:-4])
        if qtype == codes.IXFR:
            found = self.differences
        loop = asyncio.get_running_loop()
        if found is None:
            loop.call_soon(waiter.failed, Failure("down"))
            return
        signer = self.signer(wire)
        size = 1 if qtype == codes.SOA else self.size
        for at in range(0, 1 if qtype == codes.SOA else len(found) or 1, size):
            reply = response(b"" if at else question, found[at : at + size])
            loop.call_soon(waiter.take, signer.sign(reply) if signer else reply)

    def signer(self, wire: bytes) -> Signer | None:
        """What replies to a query are signed with."""
        signature = find(wire)
        assert (signature is None) == (self.key is None)
        return Signer(self.key, HMAC_SHA256, lambda: 1000, request=signature.mac) if self.key and signature else None

    def close(self) -> None:
        """Nothing to close."""


class Setup:
    """The plugin with a primary, on a clock that stands still."""

    def __init__(self, text: str) -> None:
        self.plugin = parse(text)
        self.primary = Primary()
        self.clock = FakeClock()
        self.heard: list[str] = []
        self.plugin.clock, self.plugin.name = self.clock, "secondary"
        self.plugin.next = lambda query: Reply.failed(query, codes.NOTIMP)
        self.plugin.configure(Site([], plugins=[Hears(self.heard), Keys()]))

    async def begin(self) -> None:
        self.plugin.start()
        await self.settle()

    async def settle(self) -> None:
        """Until nothing is left to do."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def later(self, seconds: float) -> list[str]:
        """What the primary is asked in this time."""
        self.primary.asked.clear()
        self.clock.advance(seconds)
        await self.settle()
        return self.primary.asked

    def ask(self, name: str, qtype: str = "A", flags: int = 0, client: str = "192.0.2.1") -> str:
        reply = self.plugin.serve(make_query(name, qtype, flags=flags, client=client))
        assert isinstance(reply, Reply)
        return codes.rcode_name(reply.rcode) if reply.wire else "silence"


class Hears(Plugin):
    """Wants to know of new versions of zones."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def announce(self, origin: bytes) -> None:
        self.heard.append(w.decode_name(origin))


KEY = Key(w.encode_name("key"), b"secret")


class Keys(Plugin):
    """Has a key."""

    def tsig_key(self, name: bytes) -> Key | None:
        return KEY if name == KEY.name else None


@contextmanager
def served_by(server: Primary) -> Iterator[None]:
    def fake(_target: Target, _options: Options, _clock: Clock) -> Upstream:
        return server

    with upstream.replaced(fake):
        yield


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zones are built at once."""

    async def at_once(work: Callable[[], Zone]) -> Zone:
        return work()

    monkeypatch.setattr(primary, "in_thread", at_once)


ONE_PRIMARY = "secondary {\ntransfer from 192.0.2.1\n}"


def play(text: str, dialogue: Callable[[Setup], object], primary: Primary | None = None) -> None:
    """Have a dialogue, a coroutine function, with a plugin."""

    async def have() -> None:
        setup = Setup(text)
        setup.primary = primary or setup.primary
        with served_by(setup.primary):
            await dialogue(setup)  # type: ignore[misc]  # it is awaitable
            setup.plugin.stop()

    asyncio.run(have())


def test_a_zone_is_tried_again_until_it_is_there_and_refreshed_from_then_on() -> None:
    async def dialogue(setup: Setup) -> None:
        await setup.begin()
        assert setup.ask("www.example.org") == "SERVFAIL"
        assert await setup.later(0.25) == ["AXFR"]
        assert await setup.later(0.4) == []
        setup.primary.zones[ORG] = records(ORG, 1, *(f"h{number} A 192.0.2.{number}" for number in range(10)))
        assert await setup.later(0.1) == ["AXFR"]
        assert (setup.ask("h9.example.org"), setup.ask("www.example.org")) == ("NOERROR", "NXDOMAIN")
        assert setup.ask("www.example.net") == "NOTIMP"
        assert setup.ask("example.org", "AXFR") == "REFUSED"
        assert await setup.later(99) == []
        assert await setup.later(6) == ["SOA"]
        setup.primary.zones[ORG] = records(ORG, 2, "www A 192.0.2.1")
        assert await setup.later(105) == ["SOA", "AXFR"]
        assert setup.ask("www.example.org") == "NOERROR"
        assert setup.heard == ["example.org."] * 2

    play(ONE_PRIMARY, dialogue)


def test_a_zone_expires_and_comes_back() -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = found = records(ORG, 1, "www A 192.0.2.1")
        await setup.begin()
        del setup.primary.zones[ORG]
        assert await setup.later(105) == ["SOA"]
        assert await setup.later(12) == ["SOA"]
        assert setup.ask("www.example.org") == "NOERROR"
        await setup.later(1000)
        assert (setup.ask("www.example.org"), setup.plugin.zone_of(ORG)) == ("SERVFAIL", None)
        setup.primary.zones[ORG] = found
        assert await setup.later(12) == ["SOA"]
        assert setup.ask("www.example.org") == "NOERROR"
        assert setup.plugin.zone_of(ORG) is not None

    play(ONE_PRIMARY, dialogue)


def test_a_notify_of_a_primary_leads_to_a_look() -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = records(ORG, 0xFFFFFFFF, "www A 192.0.2.1")
        await setup.begin()
        notify = codes.NOTIFY << 11
        assert setup.ask("example.org", "SOA", notify, "192.0.2.9") == "silence"
        assert await setup.later(0) == []
        assert [setup.ask("example.org", "SOA", notify) for _ in range(3)] == ["NOERROR"] * 3
        assert await setup.later(0) == ["SOA"]
        setup.primary.zones[ORG] = records(ORG, 1, "new A 192.0.2.1")
        setup.ask("example.org", "SOA", notify)
        assert await setup.later(0) == ["SOA", "AXFR"]
        assert setup.ask("new.example.org") == "NOERROR"
        setup.primary.zones[ORG] = records(ORG, 0, "old A 192.0.2.1")
        setup.ask("example.org", "SOA", notify)
        assert await setup.later(0) == ["SOA"]

    play(ONE_PRIMARY, dialogue)


def test_what_was_fetched_is_taken_over() -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = records(ORG, 1, "www A 192.0.2.1")
        await setup.begin()
        new = Setup(ONE_PRIMARY)
        new.plugin.start()
        new.plugin.adopt(setup.plugin)
        assert new.ask("www.example.org") == "NOERROR"
        new.plugin.stop()

    play(ONE_PRIMARY, dialogue)


def test_zones_that_are_none_are_not_taken() -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = records(ORG, 1, "@ NSEC3PARAM 1 0 0 -")
        await setup.begin()
        assert setup.ask("www.example.org") == "SERVFAIL"
        setup.primary.zones[ORG] = records(ORG, 1, "www A 192.0.2.1")[1:]
        await setup.later(0.25)
        assert setup.ask("www.example.org") == "SERVFAIL"

    play(ONE_PRIMARY, dialogue)


# --- differences ---

MANY = [f"h{number} A 192.0.2.1" for number in range(SMALL)]


def steps(*serials: int) -> list[EncodedRecord]:
    """What IXFR brings from the first of these versions to the last: `new5` comes with serial 5, and goes again."""

    def soa(serial: int) -> EncodedRecord:
        return records(ORG, serial)[0]

    made = [soa(serials[-1])]
    for old, new in pairwise(serials):
        removed, added = (parse_record(f"new{serial} 60 A 192.0.2.1", origin=ORG) for serial in (old, new))
        made += [soa(old), removed, soa(new), added]
    return [*made, soa(serials[-1])]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("differences", "asked"),
    [
        (steps(1, 2, 3), ["SOA", "IXFR"]),
        (records(ORG, 3, "new3 A 192.0.2.1", *MANY), ["SOA", "IXFR"]),   # the zone as a whole
        (steps(2, 3), ["SOA", "IXFR", "AXFR"]),
        (steps(1, 2, 3)[:-1] + records(ORG, 4), ["SOA", "IXFR", "AXFR"]),
        (steps(1, 2, 3)[:5] + steps(1, 2, 3)[6:], ["SOA", "IXFR", "AXFR"]),
        (records(ORG, 1)[:1], ["SOA", "IXFR"]),
        ([], ["SOA", "IXFR", "AXFR"]),
    ],
    ids=["differences", "whole", "of other versions", "to another version", "with a gap", "none", "nothing"],
)
def test_of_a_large_zone_the_differences_are_asked_for(
    differences: list[EncodedRecord], asked: list[str], size: int
) -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.size = size
        setup.primary.zones[ORG] = records(ORG, 1, "new1 A 192.0.2.1", *MANY)
        await setup.begin()
        setup.primary.zones[ORG] = records(ORG, 3, "new3 A 192.0.2.1", *MANY)
        setup.primary.differences = differences
        before = setup.plugin.zone_of(ORG)
        assert (await setup.later(105))[: len(asked)] == asked
        await setup.later(12)
        if len(differences) == 1:   # it has no newer version after all
            assert setup.plugin.zone_of(ORG) is before
            return
        assert [setup.ask(f"new{number}.example.org") for number in (1, 2, 3)] == ["NXDOMAIN", "NXDOMAIN", "NOERROR"]
        zone = setup.plugin.zone_of(ORG)
        assert zone is not None
        assert zone.serial == 3
        assert len(since(zone, 1)) == (2 if asked[-1] == "IXFR" and differences[1].rtype == codes.SOA else 1)

    play(ONE_PRIMARY, dialogue)


@given(st.lists(st.binary(min_size=12, max_size=60), max_size=5), st.binary(max_size=40), st.sampled_from([None, 0, 1]))
def test_any_messages_are_a_zone_or_none(wires: list[bytes], tail: bytes, known: int | None) -> None:
    question = ORG + w.QUESTION.pack(codes.AXFR, codes.IN)
    reading, old = Reading(known), None
    found = [*wires, w.HEADER.pack(0, w.QR, 1, 2, 0, 0) + question + tail]
    for wire in found:
        assert reading.take(wire) is reading.ended
    if known is not None:
        builder = Builder(ORG)
        builder.add(records(ORG, known)[0])
        old = builder.build()
    with pytest.raises((ValueError, Malformed)):
        build(ORG, found, old, incremental=reading.incremental)


@given(st.lists(st.sampled_from([1, 2, 3, None]), max_size=9), st.integers(1, 4))
def test_any_records_end_or_do_not(serials: list[int | None], size: int) -> None:
    """Whatever the order of SOA records and others, what is taken for a zone has the serial that came first."""
    found = [records(ORG, serial)[0] if serial else parse_record("a 60 A 192.0.2.1", origin=ORG) for serial in serials]
    old = build(ORG, [response(b"", records(ORG, 1, "b A 192.0.2.1"))], None, incremental=False)
    reading, wires = Reading(1), []
    for at in range(0, len(found), size):
        wires.append(response(b"", found[at : at + size]))
        if reading.take(wires[-1]):
            break
    try:
        zone = build(ORG, wires, old, incremental=reading.incremental)
    except ValueError:
        return
    assert zone is old or zone.serial == serials[0] or not reading.ended or not reading.incremental


# --- bounds ---


def test_a_transfer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = records(ORG, 1, *MANY)
        monkeypatch.setattr(primary, "_MOST", 400)
        await setup.begin()
        assert setup.ask("h1.example.org") == "SERVFAIL"
        monkeypatch.setattr(primary, "_MOST", 4000)
        await setup.later(0.25)
        assert setup.ask("h1.example.org") == "NOERROR"

    play(ONE_PRIMARY, dialogue)


def test_a_transfer_that_drips_has_its_time() -> None:
    clock = FakeClock()
    question = ORG + w.QUESTION.pack(codes.AXFR, codes.IN)
    waiter = primary._Waiter(clock, question, Reading(), None, "primary")
    assert waiter.due == clock.now() + 10
    end = clock.now() + 7200
    found = records(ORG, 1, *MANY)
    for number in range(800):
        clock.advance(9)
        assert not waiter.take(response(question, found[:2]) if not number else response(b"", found[1:2]))
        assert not waiter.take(b"\0")
    assert waiter.due == end


# --- signatures ---

KEYED = "secondary {\ntransfer from 192.0.2.1 key key.\n}"


def test_transfers_are_signed_where_there_is_a_key() -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = records(ORG, 1, "new1 A 192.0.2.1", *MANY)
        setup.primary.key = KEY
        await setup.begin()
        assert setup.ask("h1.example.org") == "NOERROR"
        setup.primary.zones[ORG] = records(ORG, 2, "new2 A 192.0.2.1", *MANY)
        setup.primary.differences = steps(1, 2)
        assert await setup.later(105) == ["SOA", "IXFR"]
        assert setup.ask("new2.example.org") == "NOERROR"

    play(KEYED, dialogue)


class Unsigned(Primary):
    """Does not sign all of its replies as it should."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left
        self.key = KEY

    def signer(self, wire: bytes) -> Signer | None:
        signer = super().signer(wire)
        if signer is not None:
            sign, count = signer.sign, iter(range(100))
            signer.sign = lambda wire: sign(wire) if next(count) < self.left else wire  # type: ignore[method-assign]
        return signer


@pytest.mark.parametrize("left", [0, 1, 21])
def test_replies_that_are_not_signed_do_not_count(left: int, capsys: pytest.CaptureFixture[str]) -> None:
    async def dialogue(setup: Setup) -> None:
        setup.primary.zones[ORG] = records(ORG, 1, *MANY)   # in 22 messages
        await setup.begin()
        assert setup.ask("h1.example.org") == "SERVFAIL"

    play(KEYED, dialogue, Unsigned(left))
    expected = "reply of primary is not believed" if not left else "the last message of primary is not signed"
    assert expected in capsys.readouterr().out


def test_a_key_is_one_of_the_server_block() -> None:
    plugin = parse("secondary {\ntransfer from 192.0.2.1 key other.\n}")
    expected = r"Corefile:2:29: there is no key 'other\.', expected one that tsig has in this server block"
    with pytest.raises(ConfigError, match=expected):
        plugin.configure(Site([], plugins=[Keys()]))


# --- catalogs ---


def catalog(*rows: str) -> Zone:
    builder = Builder(ORG)
    for row in rows:
        builder.add(parse_record(row, origin=ORG))
    return builder.build()


HEAD = ("@ SOA ns root 1 2 3 4 5", "@ NS invalid.", "version TXT 2")


def test_members_of_a_catalog() -> None:
    found = members(catalog(*HEAD, "a.zones PTR A.test.", "b.zones PTR b.test.", "coo.b.zones PTR Other.test.",
                            "group.b.zones TXT x", "zones PTR no.test.", "x.y.zones PTR no.test."))  # fmt: skip
    assert found == {b"\1a\4test\0": (b"\1a", b""), b"\1b\4test\0": (b"\1b", b"\5other\4test\0")}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (HEAD[:2], "one version record"),
        ((*HEAD, "version TXT 2"), "one version record"),
        ((*HEAD[:2], "version TXT 1"), "one version record"),
        ((HEAD[0], HEAD[2]), "SOA and NS"),
        ((*HEAD, "a.zones PTR a.", "a.zones PTR b."), "a.zones.example.org. has more than one PTR"),
        ((*HEAD, "a.zones PTR a.", "coo.a.zones PTR a.", "coo.a.zones PTR b."), "has more than one PTR"),
        ((*HEAD, "a.zones PTR a.", "b.zones PTR a."), "a. is listed twice"),
    ],
)
def test_what_is_no_catalog(rows: tuple[str, ...], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        members(catalog(*rows))


def test_members_come_and_go() -> None:
    async def dialogue(setup: Setup) -> None:
        one, two, other = (w.encode_name(name) for name in ("one.test", "two.test", "one.other"))
        for origin in one, two, other:
            setup.primary.zones[origin] = records(origin, 1, "www A 192.0.2.1")
        setup.primary.size = 100

        async def lists(serial: int, *rows: str) -> list[str]:
            setup.primary.zones[ORG] = records(ORG, serial, *HEAD[1:], *rows)
            await (setup.later(110) if serial > 1 else setup.begin())
            await setup.later(0)
            return [setup.ask(f"www.{name}") for name in ("one.test", "two.test", "one.other")]

        assert await lists(1, "a.zones PTR one.test.", "c.zones PTR one.other.") == ["NOERROR", "NOTIMP", "NOTIMP"]
        assert setup.ask("a.zones.example.org", "PTR") == "NOERROR"
        assert setup.ask("one.test", "SOA", codes.NOTIFY << 11) == "NOERROR"
        assert await lists(2, "a.zones PTR one.test.", "b.zones PTR two.test.") == ["NOERROR", "NOERROR", "NOTIMP"]
        before = setup.plugin._followers[one]
        assert await lists(3, "x.zones PTR one.test.") == ["NOERROR", "NOTIMP", "NOTIMP"]
        assert setup.plugin._followers[one] is not before
        assert await lists(4, "version TXT 3") == ["NOERROR", "NOTIMP", "NOTIMP"]

    play("secondary {\ntransfer from 192.0.2.1\ncatalog test\n}", dialogue)
