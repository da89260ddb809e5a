"""cookies in a server, with proxies, caches and workers, and the programs that people use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.processes import running
from corepy import codes
from corepy.address import Address
from corepy.plugins.cookies.setup import own_secret
from corepy.proxyproto import encode_v2
from corepy.testing import Client, FakeUpstreams
from tests.plugins.test_cookies import CLIENT, ONE, cookie, options, rcode
from tests.programs import program
from tests.test_clients import FreePort

if TYPE_CHECKING:
    from tests.conftest import Serve, Start

BEHIND_PROXY = """\
. {{
    proxyproto {{
        allow 127.0.0.0/8
    }}
    cookies {{
        secret {secret}
        require
    }}
    whoami
}}
"""


def test_behind_a_proxy_the_cookie_is_the_clients(serve: Serve) -> None:
    server = serve(BEHIND_PROXY.format(secret=ONE.hex()))
    first, second, proxy = Address.of("198.51.100.1", 1), Address.of("198.51.100.2", 2), Address.of("192.0.2.53", 53)
    with Client("127.0.0.1", server.port) as client:

        def ask(source: Address, data: bytes) -> tuple[str, bytes]:
            wire = client.ask(proxy=encode_v2(source, proxy), edns=1232, options=cookie(data)).wire
            return rcode(wire), options(wire)[-1][1]

        status, theirs = ask(first, CLIENT)
        assert status == "BADCOOKIE"
        assert ask(first, theirs) == ("NOERROR", theirs)
        assert ask(second, theirs)[0] == "BADCOOKIE"


def test_with_a_cache_and_an_upstream(serve: Serve) -> None:
    with FakeUpstreams() as upstreams:
        server = serve(f". {{\n cookies {{\n secret {ONE.hex()}\n }}\n cache\n forward . 192.0.2.1\n}}")
        upstreams["192.0.2.1"].answer("example.org. 60 IN A 192.0.2.7")
        with Client("127.0.0.1", server.port) as client:
            wires = [
                client.ask(edns=1232, options=cookie(data)).wire for data in (CLIENT, b"87654321", CLIENT)
            ]
        assert [options(wire)[0][1][:8] for wire in wires] == [CLIENT, b"87654321", CLIENT]
        [asked] = upstreams["192.0.2.1"].asked
        assert asked.query.edns is not None
        assert asked.query.edns.options == ()


def test_without_it_a_cookie_is_echoed_as_coredns_does(serve: Serve) -> None:
    server = serve(". {\n whoami\n}")
    with Client("127.0.0.1", server.port) as client:
        for data in (CLIENT, CLIENT + b"forged__" * 2):
            assert options(client.ask(edns=1232, options=cookie(data)).wire) == [(codes.COOKIE, data)]


def test_workers_share_the_secret(corepy_command: Start, free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(f".:{port} {{\n multisocket 2\n cookies {{\n require\n }}\n whoami\n}}\n")
    server = corepy_command("-conf", "Corefile")
    server.until(f".:{port}")
    data, answers = CLIENT, set()
    for _ in range(16):   # each from a port of its own, so that both are asked
        with Client("127.0.0.1", port) as client:
            wire = client.ask(edns=1232, options=cookie(data)).wire
            answers.add((data == CLIENT, rcode(wire)))
            data = options(wire)[0][1]
    assert answers == {(True, "BADCOOKIE"), (False, "NOERROR")}


def test_a_server_has_a_secret_of_its_own() -> None:
    assert len(own_secret()) == 16
    assert own_secret() == own_secret()


@pytest.mark.parametrize("tool", ["dig", "kdig"])
def test_clients_that_people_use(serve: Serve, command: Start, tool: str) -> None:
    """They are told BADCOOKIE, take the cookie from it and ask again by themselves."""
    server = serve(". {\n cookies {\n require\n }\n whoami\n}")
    arguments = [program(tool), "-p", str(server.port), "@127.0.0.1", "example.org", "+cookie"]
    code, lines, _ = command(*arguments).end()
    text = "\n".join(lines)
    assert code == 0
    assert "status: NOERROR" in text
    assert re.search(r"(?i)cookie: *[0-9a-f ]{48}", text)


def test_dig_without_a_cookie_comes_over_tcp(serve: Serve, command: Start) -> None:
    server = serve(". {\n cookies {\n require\n }\n whoami\n}")
    code, lines, _ = command(
        program("dig"), "-p", str(server.port), "@127.0.0.1", "example.org", "+nocookie"
    ).end()
    assert code == 0
    assert any("(TCP)" in line for line in lines)


KNOT = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
database:
    storage: {folder}
control:
    listen: {folder}/control
mod-cookies:
  - id: default
    secret: 0x{secret}
    badcookie-slip: 1
template:
  - id: default
    global-module: mod-cookies/default
zone:
  - domain: example.org
    file: {folder}/zone
"""


def test_knot_with_the_same_secret_makes_the_same_cookies(serve: Serve, free_port: FreePort, tmp_path: Path) -> None:
    knot, port = program("knotd"), free_port()
    (tmp_path / "zone").write_text("@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n")
    (tmp_path / "conf").write_text(KNOT.format(port=port, folder=tmp_path, secret=ONE.hex()))
    ours = serve(f". {{\n cookies {{\n secret {ONE.hex()}\n require\n }}\n whoami\n}}").port

    def ask(port: int, data: bytes) -> tuple[str, bytes]:
        with Client("127.0.0.1", port) as client:
            wire = client.ask("ns.example.org", edns=1232, options=cookie(data)).wire
        return rcode(wire), options(wire)[-1][1]

    with running([knot, "-c", str(tmp_path / "conf")], port, tmp_path, "ns.example.org"):
        for one, other in ((ours, port), (port, ours)):
            status, data = ask(one, CLIENT)
            assert status == "BADCOOKIE"
            assert ask(other, data) == ("NOERROR", data)
            assert ask(other, data[:-1] + bytes((data[-1] ^ 1,)))[0] == "BADCOOKIE"
