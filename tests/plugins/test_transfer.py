"""transfer: what its lines mean, who gets which zone, and who is told of it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugin import Plugin
from corepy.plugins.transfer import Rule, Transfer
from corepy.plugins.transfer.messages import known_serial
from corepy.query import Endpoint, Query, Reply
from corepy.records import decode, encode, parse_record
from corepy.site import Site
from corepy.testing import FakeClock, Running, make_query, message
from corepy.zone import Builder, Zone

ORG, NET = w.encode_name("example.org"), w.encode_name("example.net")
ONE, TWO = Address.of("192.0.2.1", 53), Address.of("192.0.2.2", 5353)
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
        ("transfer {\nto *\n}", Transfer([Rule((ORG,), anyone=True)])),
        ("transfer {\nto 192.0.2.1 * 192.0.2.2:5353\n}", Transfer([Rule((ORG,), [ONE, TWO], anyone=True)])),
        ("transfer example.net {\nto 192.0.2.1\nto [::1]:5300\nsource 192.0.2.9\n}",
         Transfer([Rule((NET,), [ONE, Address.of("::1", 5300)], source=Address.of("192.0.2.9", 0))])),
        ("transfer {\nto *\n}\ntransfer example.net {\nto 192.0.2.1\n}",
         Transfer([Rule((ORG,), anyone=True), Rule((NET,), [ONE])])),
        ("transfer", "1:1: 'to' is missing, expected to ADDRESS... in the block"),
        ("transfer {\nsource 192.0.2.1\n}", "3:1: 'to' is missing, expected to ADDRESS... in the block"),
        ("transfer {\nto\n}", "2:1: 'to' lacks an argument, expected an address, or *"),
        ("transfer {\nto name\n}", f"2:4: invalid argument 'name', {EXPECTED}"),
        ("transfer {\nto *\nsource\n}", "3:1: 'source' lacks an argument, expected an IP address"),
        ("transfer {\nto *\nsource eth0\n}", "3:8: invalid argument 'eth0', expected an IP address"),
        ("transfer {\nsource ::1\nsource ::1\n}", "3:1: 'source' given twice"),
        ("transfer {\nfrom 192.0.2.1\n}", "2:1: unknown option 'from', expected one of to, source"),
    ],
)  # fmt: skip
def test_lines(text: str, expected: Transfer | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/transfer: Corefile:")
    assert result == expected


class Zones(Plugin):
    """A plugin with two zones, one of them too large for a message."""

    def __init__(self) -> None:
        self.zones: dict[bytes, Zone] = {}
        for origin, size in (ORG, 3), (w.encode_name("sub.example.org"), 3000):
            builder = Builder(origin)
            builder.add(parse_record("@ SOA ns root 5 2 3 4 5", origin=origin))
            builder.add(parse_record("@ NS ns", origin=origin))
            for number in range(size):
                builder.add(parse_record(f"h{number} TXT {'x' * 50}", origin=origin))
            self.zones[origin] = builder.build()

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


@pytest.mark.skipif(shutil.which("kdig") is None, reason="kdig, of Debian's knot-dnsutils, is not there")
def test_kdig_takes_a_zone_of_many_messages(tmp_path: Path) -> None:
    rows = "".join(f"h{number} A 10.0.{number // 256}.{number % 256}\n" for number in range(10_000))
    (tmp_path / "db").write_text("$TTL 60\n@ SOA ns root 5 2 3 4 5\n@ NS ns\n" + rows)
    with Running(f"example.org:0 {{\nfile {tmp_path}/db\ntransfer {{\nto *\n}}\n}}") as running:
        command = ["kdig", "@127.0.0.1", "-p", str(running.port), "example.org", "AXFR"]
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout  # noqa: S603
    assert found.count(" A ") + found.count("\tA\t") == 10_000
    assert "10003 records" in found
