"""Programs that people use, against the server: clients of DNS, and proxies in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corepy import testing
from corepy.address import Address
from corepy.reply import Reply
from corepy.testing import Client, Served, Session
from tests.programs import program

if TYPE_CHECKING:
    from tests.conftest import Command, Serve, Start

FreePort = Callable[[], int]
WHOAMI = ". {\n whoami\n}\n"
BEHIND_PROXY = """\
.:{port} {{
    proxyproto {{
        allow 127.0.0.0/8 ::1/128
        udp_session_tracking 28s
    }}
    log
    whoami
}}
"""


def seen(reply: Reply) -> Address:
    """The client that whoami saw."""
    address, service = reply.record.ar[:2]
    return Address.of(str(address.rdata), service.rdata.port)


# --- clients ---


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("options", [["+notcp"], ["+tcp"], ["+edns=0", "+bufsize=4096"], ["+noedns"]], ids=" ".join)
def test_dig(serve: Serve, command: Start, host: str, options: list[str]) -> None:
    port = str(serve(WHOAMI).port)
    code, lines, errors = command(
        program("dig"), "-p", port, f"@{host}", "www.example.org", *options, "+norec", "+tries=1", "+time=20"
    ).end()
    assert (code, errors) == (0, [])
    text = "\n".join(lines)
    assert "status: NOERROR" in text
    assert "WARNING" not in text
    kind = "A" if host == "127.0.0.1" else "AAAA"
    assert any(line.split() == ["www.example.org.", "0", "IN", kind, host] for line in lines), text
    assert ("EDNS: version: 0" in text) == ("+noedns" not in options)


def test_dig_sees_badvers_and_notimp(serve: Serve, command: Start) -> None:
    port = str(serve(WHOAMI).port)
    for options, status in (["+edns=1", "+noednsnegotiation"], "BADVERS"), (["+opcode=status"], "NOTIMP"):
        lines = command(program("dig"), "-p", port, "@127.0.0.1", "example.org", *options, "+time=20").end()[1]
        assert any(f"status: {status}" in line for line in lines), lines


@pytest.mark.parametrize(("option", "carrier"), [("+notcp", "udp"), ("+tcp", "tcp")])
@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("198.51.100.7#4242-192.0.2.53#53", ["A", "198.51.100.7"]),
        ("2001:db8::7#4242-2001:db8::53#53", ["AAAA", "2001:db8::7"]),
    ],
)
def test_kdig_plays_a_proxy(
    serve: Serve, command: Start, option: str, carrier: str, header: str, address: list[str]
) -> None:
    port = str(serve(BEHIND_PROXY.format(port=0)).port)
    code, lines, errors = command(
        program("kdig"), "-p", port, "@127.0.0.1", "example.org", option, f"+proxy={header}", "+time=20"
    ).end()
    assert (code, errors) == (0, [])
    rows = [line.split() for line in lines]
    assert ["example.org.", "0", "IN", *address] in rows
    assert [f"_{carrier}.example.org.", "0", "IN", "SRV", "0", "0", "4242", "."] in rows


# --- proxies ---


@pytest.fixture
def backend(corepy_command: Start, free_port: FreePort, tmp_path: Path) -> tuple[Command, int]:
    """corepy behind a proxy: the command, which logs every query, and its port."""
    port = free_port()
    (tmp_path / "Corefile").write_text(BEHIND_PROXY.format(port=port))
    running = corepy_command()
    running.lines(3)
    return running, port


def ask_through(port: int, transport: str, name: str) -> None:
    """Ask through a proxy as soon as it listens: whoami has to name us, not the proxy."""
    while True:
        try:
            client = Client("127.0.0.1", port, transport)
        except ConnectionRefusedError:  # it is still starting
            continue
        with client:
            assert seen(client.ask(name)) == client.address
            return


DNSDIST = """\
setSecurityPollSuffix("")
setLocal("127.0.0.1:{front}")
newServer({{address="127.0.0.1:{back}", name="corepy", useProxyProtocol=true}})
"""


def test_dnsdist_with_its_health_checks(
    backend: tuple[Command, int], command: Start, free_port: FreePort, tmp_path: Path
) -> None:
    corepy, back = backend
    front = free_port()
    (tmp_path / "dnsdist.conf").write_text(DNSDIST.format(front=front, back=back))
    dnsdist = command(program("dnsdist"), "-C", "dnsdist.conf", "--supervised", "--disable-syslog")
    corepy.until("a.root-servers.net.")  # its health check, which comes first
    for number in range(3):
        ask_through(front, "tcp", f"tcp{number}.example.")
        ask_through(front, "udp", f"udp{number}.example.")
        corepy.until("a.root-servers.net.")
    dnsdist.process.terminate()
    _, lines, errors = dnsdist.end()
    said = "\n".join([*lines, *errors])
    assert "as 'up'" in said
    assert "'down'" not in said


HAPROXY = """\
defaults
    mode tcp
    timeout connect 20s
    timeout client 20s
    timeout server 20s
listen dns
    bind 127.0.0.1:{front}
    server corepy 127.0.0.1:{back} {option}
"""


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_haproxy(
    backend: tuple[Command, int], command: Start, free_port: FreePort, tmp_path: Path, option: str
) -> None:
    _, back = backend
    front = free_port()
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(front=front, back=back, option=option))
    command(program("haproxy"), "-f", "haproxy.cfg", "-db")
    for number in range(3):
        ask_through(front, "tcp", f"{number}.example.")


# --- Cloudflare Spectrum, played by the test ---


@pytest.fixture
def behind_proxy() -> Iterator[Served]:
    with testing.serve(BEHIND_PROXY.format(port=53)) as dns:
        yield dns


def asker(session: Session, name: str = "example.org", **how: Any) -> Address:
    """The client that whoami saw in a session."""
    return seen(session.ask(name, **how).reply)


def test_the_spectrum_sequence(behind_proxy: Served) -> None:
    one, two = ("198.51.100.7", 4242), ("2001:db8::7", 53)
    with behind_proxy.udp() as first, behind_proxy.udp() as second, behind_proxy.udp() as stranger:
        first.header(one)  # a header alone opens the session, and is not answered
        second.header(two)
        for name in ("a.example", "b.example", "c.example"):
            assert asker(first, name) == Address.of(*one)
            assert asker(second, name) == Address.of(*two)
            assert asker(stranger, name) == stranger.address
        assert asker(first, proxy=two) == Address.of(*two)  # its next client, with a query behind it
        assert asker(first) == Address.of(*two)
        first.header()  # a health check changes nothing
        assert asker(first) == Address.of(*two)
        stranger.header()
        assert asker(stranger) == stranger.address


def test_a_session_is_for_datagrams_alone(behind_proxy: Served) -> None:
    with behind_proxy.udp() as udp, behind_proxy.tcp() as tcp:
        assert asker(udp, proxy="198.51.100.7").host == "198.51.100.7"
        assert asker(tcp) == tcp.address
