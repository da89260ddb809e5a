"""transfer: what its lines mean, who gets which zone, and who is told of it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError
from corepy.plugin import Plugin
from corepy.plugins.transfer import Rule, Transfer
from corepy.plugins.transfer.messages import known_serial
from corepy.plugins.transfer.notices import Notice
from corepy.query import Query
from corepy.records import decode, encode, parse_record
from corepy.reply import Reply
from corepy.signed import Signed
from corepy.site import Site
from corepy.testing import FakeClock, Running, make_query, message
from corepy.tsig import HMAC_SHA256, Key, Signer, find, verify
from corepy.upstream import Ask
from corepy.words import Word
from corepy.zone import EVERYBODY, Builder, Peer, Zone, succeed
from tests.programs import program

ORG, NET = w.encode_name("example.org"), w.encode_name("example.net")
SHA1 = w.encode_name("hmac-sha1")
ONE, TWO, ALL = Peer(Address.of("192.0.2.1", 53)), Peer(Address.of("192.0.2.2", 5353)), Peer(EVERYBODY)
EXPECTED = "expected an IP address, or one with a port"


def parse(text: str) -> Transfer:
    lines = directives(text)
    for line in lines:
        line.zones = (ORG,)
    [plugin] = Transfer.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("transfer {\nto *\n}", Transfer([Rule((ORG,), [ALL])])),
        ("transfer {\nto 192.0.2.1 * 192.0.2.2:5353\n}", Transfer([Rule((ORG,), [ONE, ALL, TWO])])),
        ("transfer example.net {\nto 192.0.2.1\nto [::1]:5300\nsource 192.0.2.9\n}",
         Transfer([Rule((NET,), [ONE, Peer(Address.of("::1", 5300))], source=Address.of("192.0.2.9", 0))])),
        ("transfer {\nto *\n}\ntransfer example.net {\nto 192.0.2.1\n}",
         Transfer([Rule((ORG,), [ALL]), Rule((NET,), [ONE])])),
        ("transfer {\nto * key a.\nto 192.0.2.1 key b hmac-sha1\n}",
         Transfer([Rule((ORG,), [ALL._replace(key=Word("a.")), ONE._replace(key=Word("b"), algorithm=SHA1)])])),
        ("transfer {\nto key a\n}", "2:4: 'to' has a key and no address, expected an address in front of it"),
        ("transfer {\nto * key\n}",
         "2:6: a key without a name, expected the name of a key that tsig has in this server block"),
        ("transfer", "1:1: 'to' is missing, expected to ADDRESS... in the block"),
        ("transfer {\nsource 192.0.2.1\n}", "3:1: 'to' is missing, expected to ADDRESS... in the block"),
        ("transfer {\nto\n}", "2:1: 'to' lacks an argument, expected an address, or *"),
        ("transfer {\nto name\n}", f"2:4: invalid argument 'name', {EXPECTED}"),
        ("transfer {\nto *\nsource\n}", "3:1: 'source' lacks an argument, expected an IP address"),
        ("transfer {\nto *\nsource eth0\n}", "3:8: invalid argument 'eth0', expected an IP address"),
        ("transfer {\nsource ::1\nsource ::1\n}", "3:1: 'source' given twice, first at Corefile:2:1"),
        ("transfer {\nfrom 192.0.2.1\n}", "2:1: unknown option 'from', expected one of to, source"),
    ],
)  # fmt: skip
def test_lines(text: str, expected: Transfer | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/transfer: Corefile:")
    assert result == expected


KEY = Key(b"\3one\0", b"secret")


class Zones(Plugin):
    """A plugin with two zones, one of them too large for a message, and a key."""

    def __init__(self) -> None:
        self.zones: dict[bytes, Zone] = {}
        for origin, size in (ORG, 3), (w.encode_name("sub.example.org"), 3000):
            self.zones[origin] = self.make(origin, size, 5)

    def make(self, origin: bytes, size: int, serial: int) -> Zone:
        builder = Builder(origin)
        builder.add(parse_record(f"@ SOA ns root {serial} 2 3 4 5", origin=origin))
        builder.add(parse_record("@ NS ns", origin=origin))
        for number in range(size):
            builder.add(parse_record(f"h{number} TXT {'x' * 50}", origin=origin))
        return builder.build()

    def tsig_key(self, name: bytes) -> Key | None:
        return KEY if name == KEY.name else None

    def zone_of(self, origin: bytes) -> Zone | None:
        return self.zones.get(origin)


def started(text: str) -> Transfer:
    plugin = parse(text)
    plugin.configure(Site([], plugins=[plugin, Zones()]))
    plugin.clock, plugin.next = FakeClock(), lambda query: Reply.failed(query, codes.NOTIMP)
    plugin.start()
    return plugin


def ixfr(name: str, *serials: int, transport: str = "tcp", client: str = "192.0.2.1") -> Query:
    """A query for the differences since a serial; `serials` has one unless the query is a bad one."""
    records = [parse_record(f"{name}. SOA a. b. {serial} 2 3 4 5") for serial in serials]
    wire = message(name, "IXFR")
    wire = wire[:8] + len(records).to_bytes(2, "big") + wire[10:] + encode(wire[12:-4], records)
    return Query(wire, Endpoint(transport, "dns://:53"), Address.of(client, 4242))


def signed(query: Query, key: bytes | None) -> Query:
    """The query as if tsig had found the signature of this key to be right."""
    query.signed = Signed(query.wire)
    query.signed.key = key
    return query


def axfr(name: str, transport: str = "tcp", client: str = "192.0.2.1") -> Query:
    return make_query(name, "AXFR", transport=transport, client=client)


def said(plugin: Transfer, query: Query) -> tuple[str, int, int]:
    """The rcode, how many messages there are, and how many records in their answers."""
    reply = plugin.serve(query)
    assert isinstance(reply, Reply)
    messages = [reply.wire, *reply.more]
    assert all(len(wire) < 65535 - 500 for wire in messages)
    return codes.rcode_name(reply.rcode), len(messages), sum(len(decode(wire)[0]) for wire in messages)


RULES = "transfer {\nto 192.0.2.1:1\n}\ntransfer sub.example.org {\nto *\n}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (axfr("example.org"), ("NOERROR", 1, 6)),
        (axfr("Example.org", "tls"), ("NOERROR", 1, 6)),
        (axfr("example.org", "udp"), ("REFUSED", 1, 0)),
        (axfr("example.org", "https"), ("REFUSED", 1, 0)),
        (axfr("example.org", client="192.0.2.2"), ("REFUSED", 1, 0)),
        (axfr("sub.example.org", client="2001:db8::1"), ("NOERROR", 4, 3003)),
        (axfr("x.example.org"), ("NOTIMP", 1, 0)),
        (axfr("example.net"), ("NOTIMP", 1, 0)),
        (make_query("example.org", "SOA", transport="tcp"), ("NOTIMP", 1, 0)),
        (ixfr("example.org", 4), ("NOERROR", 1, 6)),
        (ixfr("example.org", 5), ("NOERROR", 1, 1)),
        (ixfr("example.org", 6), ("NOERROR", 1, 6)),
        (ixfr("example.org"), ("SERVFAIL", 1, 0)),
    ],
)
def test_transfers(query: Query, expected: tuple[str, int, int]) -> None:
    assert said(started(RULES), query) == expected


KEYED = "transfer {\nto 192.0.2.1 key One.\nto 192.0.2.2\n}\ntransfer sub.example.org {\nto * key one\n}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (signed(axfr("example.org"), b"\3one\0"), "NOERROR"),
        (signed(axfr("example.org"), b"\3two\0"), "REFUSED"),
        (signed(axfr("example.org"), None), "REFUSED"),
        (axfr("example.org"), "REFUSED"),
        (axfr("example.org", client="192.0.2.2"), "NOERROR"),
        (signed(axfr("example.org", client="192.0.2.3"), b"\3one\0"), "REFUSED"),
        (signed(axfr("sub.example.org", client="192.0.2.3"), b"\3one\0"), "NOERROR"),
        (axfr("sub.example.org", client="192.0.2.3"), "REFUSED"),
    ],
)
def test_keys_say_who_may(query: Query, expected: str) -> None:
    assert said(started(KEYED), query)[0] == expected


def test_a_key_is_one_of_the_server_block() -> None:
    plugin = parse("transfer {\nto * key two.\n}")
    with pytest.raises(ConfigError, match=r"Corefile:2:10: there is no key 'two\.', expected one that tsig has"):
        plugin.configure(Site([], plugins=[Zones()]))


def test_who_has_a_version_that_is_known_gets_the_differences() -> None:
    plugin = started(RULES)
    zones = plugin._sources[0]
    assert isinstance(zones, Zones)
    old = zones.zones[ORG] = zones.make(ORG, 100, 5)
    zones.zones[ORG] = new = zones.make(ORG, 101, 6)
    succeed(old, new)
    for serial, count in (5, 5), (4, 104), (6, 1), (7, 104):
        assert said(plugin, ixfr("example.org", serial)) == ("NOERROR", 1, count), serial
    assert said(plugin, axfr("example.org")) == ("NOERROR", 1, 104)
    reply = plugin.serve(ixfr("example.org", 5))
    assert isinstance(reply, Reply)
    found = decode(reply.wire)[0]
    assert [record.rdata[-20:-16] if record.rtype == codes.SOA else record.owner[:5] for record in found] == [
        b"\0\0\0\6", b"\0\0\0\5", b"\0\0\0\6", b"\4h100", b"\0\0\0\6",
    ]  # fmt: skip


def test_a_transfer_begins_and_ends_with_the_soa() -> None:
    reply = started(RULES).serve(axfr("sub.example.org"))
    assert isinstance(reply, Reply)
    records = [record for wire in (reply.wire, *reply.more) for record in decode(wire)[0]]
    assert [record.rtype for record in records[:2]] == [codes.SOA, codes.NS]
    assert records[-1] == records[0]
    assert [record.rtype for record in records].count(codes.SOA) == 2
    assert reply.flags & w.AA


def test_the_serial_of_a_query_is_in_a_soa_that_is_whole() -> None:
    query = ixfr("example.org", 7)
    assert known_serial(query) == 7
    assert known_serial(query.with_wire(query.wire[:-30] + b"\0\x14" + query.wire[-20:])) is None


def test_who_is_listed_is_notified_until_it_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "db").write_text("@ 60 SOA ns root 5 2 3 4 5\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind(("127.0.0.1", 0))
        secondary.settimeout(5)
        port = secondary.getsockname()[1]
        text = f"example.org:0 {{\nfile {tmp_path}/db\ntransfer {{\nto * 127.0.0.1:{port}\nsource 127.0.0.1\n}}\n}}"
        with Running(text) as running:
            for rcode in (codes.REFUSED, codes.SERVFAIL, codes.NOTIMP):
                wire, peer = secondary.recvfrom(512)
                assert wire[2:] == message("example.org", "SOA", flags=codes.NOTIFY << 11 | w.AA)[2:]
                assert peer[0] == "127.0.0.1"
                secondary.sendto(wire[:2] + bytes((wire[2] | 0x80, rcode)) + wire[4:], peer)
            reply = running.ask("example.org", "AXFR", "tcp")
            assert w.HEADER.unpack_from(reply.wire)[3] == 2
    assert f"NOTIFY for zone example.org. was not accepted by 127.0.0.1:{port}: NOTIMP" in capsys.readouterr().out


class Secondary:
    """An upstream that keeps what it is sent."""

    name = "secondary"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.over_udp: Ask = lambda wire, _waiter: self.sent.append(wire)
        self.over_tcp: Ask = self.over_udp

    def close(self) -> None:
        """Nothing to close."""


def test_a_notice_is_signed_and_so_is_its_reply(capsys: pytest.CaptureFixture[str]) -> None:
    server, clock = Secondary(), FakeClock()
    complaints: list[str] = []
    notice = Notice(ORG, server, clock, complaints.append, KEY)
    notice.send()
    for made in (None, Key(KEY.name, b"other"), KEY):
        query = server.sent[-1]
        signature = find(query)
        assert signature is not None
        assert verify(query, signature, {KEY.name: KEY}, clock.wall()) == KEY
        reply = message("example.org", "SOA", flags=w.QR | codes.NOTIFY << 11)
        if made is not None:
            reply = Signer(made, HMAC_SHA256, clock.wall, request=signature.mac).sign(reply)
        assert notice.take(reply)
    assert (len(server.sent), complaints, capsys.readouterr().out) == (3, [], "")


def test_kdig_takes_a_zone_of_many_messages(tmp_path: Path) -> None:
    rows = "".join(f"h{number} A 10.0.{number // 256}.{number % 256}\n" for number in range(10_000))
    (tmp_path / "db").write_text("$TTL 60\n@ SOA ns root 5 2 3 4 5\n@ NS ns\n" + rows)
    with Running(f"example.org:0 {{\nfile {tmp_path}/db\ntransfer {{\nto *\n}}\n}}") as running:
        command = [program("kdig"), "@127.0.0.1", "-p", str(running.port), "example.org", "AXFR"]
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout  # noqa: S603
    assert found.count(" A ") + found.count("\tA\t") == 10_000
    assert "10003 records" in found
