"""`corepy query`: what it sends and prints, over both transports, with and without PROXY headers."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from corepy import codes
from corepy.__main__ import main
from corepy.commands.query import read
from corepy.testing import Running

WHO = """\
. {
    proxyproto {
        allow 127.0.0.0/8
        udp_session_tracking 30s
    }
    whoami
}
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `corepy query` against a server: exit status and what it printed."""

    def query(server: Running | int, *arguments: str) -> tuple[int, str]:
        port = server if isinstance(server, int) else server.port
        status = main(["query", f"@127.0.0.1#{port}", *arguments])
        return status, capsys.readouterr().out

    return query


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_reply(run: Run, serve: Callable[[str], Running], transport: str) -> None:
    server = serve(". {\n hosts {\n  192.0.2.9 www.example.org\n }\n}")
    status, text = run(server, "www.example.org", *["+tcp"] * (transport == "tcp"))
    assert status == 0
    assert "\nwww.example.org. 3600 IN A 192.0.2.9\n" in text
    assert text.split("\n")[-2].startswith(f";; from 127.0.0.1#{server.port} over {transport}: 49 octets in ")
    assert run(server, "www.example.org", "+short") == (0, "192.0.2.9\n")


def test_edns(run: Run, serve: Callable[[str], Running]) -> None:
    server = serve(". {\n nsid here\n whoami\n}")
    assert "OPT PSEUDOSECTION" not in run(server, "a.test")[1]
    assert "; EDNS: version: 0, flags: do; udp: 1232" in run(server, "a.test", "+do")[1]
    assert "udp: 4000" in run(server, "a.test", "+bufsize=4000")[1]
    assert "; NSID: 68 65 72 65 ('here')" in run(server, "a.test", "+nsid")[1]
    assert "status: BADVERS" in run(server, "a.test", "+edns=1")[1]
    assert "OPT PSEUDOSECTION" not in run(server, "a.test", "+do", "+noedns")[1]


def test_flags_types_and_classes(run: Run, serve: Callable[[str], Running]) -> None:
    server = serve(". {\n chaos v1\n hosts {\n  192.0.2.9 www.example.org\n }\n}")
    assert run(server, "-x", "192.0.2.9", "+short") == (0, "www.example.org.\n")
    assert run(server, "version.bind", "CH", "TXT", "+short") == (0, '"v1"\n')
    assert run(server, "version.bind", "-t", "TXT", "-c", "CH", "+short") == (0, '"v1"\n')
    assert ";; flags: qr aa rd; " in run(server, "www.example.org", "-p", str(server.port))[1]
    assert ";; flags: qr aa cd; " in run(server, "www.example.org", "+norec", "+cd")[1]


@pytest.mark.parametrize("how", [[], ["+tcp"], ["+tcp", "+proxy-v1"], ["+proxy-session"]])
def test_proxy_headers(run: Run, serve: Callable[[str], Running], how: list[str]) -> None:
    server = serve(WHO)
    status, text = run(server, "a.test", "+proxy=198.51.100.7#7-192.0.2.53#53", *how)
    assert status == 0
    assert "a.test. " in text
    assert " 198.51.100.7\n" in text
    assert " 0 0 7 .\n" in text
    assert " 2001:db8::7\n" in run(server, "a.test", "+proxy=2001:db8::7", *how)[1]


def test_a_header_alone_is_met_with_silence(run: Run, serve: Callable[[str], Running]) -> None:
    server = serve(WHO)
    status, text = run(server, "a.test", "+proxy=198.51.100.7", "+proxy-header-only", "+timeout=0.1")
    assert (status, text) == (0, f";; no reply from 127.0.0.1#{server.port} over udp, as it should be\n")
    status, text = run(serve(". {\n whoami\n}"), "a.test", "+proxy=198.51.100.7", "+proxy-header-only")
    assert status == 9
    assert "in reply to a header without a query" in text


def test_a_truncated_reply_is_asked_for_over_tcp(run: Run, serve: Callable[[str], Running]) -> None:
    records = "\n".join(f"  answer \"{{{{.Name}}}} 60 IN TXT {'x' * 200} {number}\"" for number in range(4))
    server = serve(f". {{\n template IN TXT {{\n{records}\n }}\n}}")
    status, text = run(server, "a.test", "TXT")
    assert status == 0
    assert text.startswith(";; truncated, asking again over TCP\n")
    assert "ANSWER: 4" in text
    assert " over tcp: " in text
    assert "flags: qr aa tc rd" in run(server, "a.test", "TXT", "+ignore")[1]


def test_no_reply(run: Run, serve: Callable[[str], Running], free_port: Callable[[], int]) -> None:
    server = serve(". {\n acl {\n  drop\n }\n}")
    status, text = run(server, "a.test", "+timeout=0.05", "+retry=1")
    assert (status, text) == (9, f";; no reply from 127.0.0.1#{server.port} over udp: timed out\n")
    port = free_port()
    assert run(port, "a.test", "+tcp") == (9, f";; no reply from 127.0.0.1#{port} over tcp: Connection refused\n")


def test_what_is_no_reply_is_not_taken_for_one(run: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        status, text = run(server.getsockname()[1], "a.test", "+timeout=0.05", "+retry=0")
        assert status == 9
        assert "timed out" in text
        assert server.recv(512)[12:20] == b"\1a\4test\0"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["@127.0.0.1"], "one name is wanted"),
        (["a", "nope"], "what is 'nope'?"),
        (["@nope", "a"], "'nope' is not an IP address"),
        (["a", "-p"], "nothing behind -p"),
        (["a", "-p", "x"], "'x' is no number from 0 to 65535"),
        (["a", "-z"], "unknown flag -z"),
        (["a", "-t", "nope"], "'nope' is no type or class"),
        (["a", "+nope"], "unknown option +nope"),
        (["a", "+tcp=1"], "unknown option +tcp=1"),
        (["a", "+edns=256"], "'256' is no number from 0 to 255"),
        (["a", "+timeout=0"], "'0' is no number of seconds"),
        (["a", "+proxy=x"], "'x' is not an IP address"),
        (["a", "+proxy-session"], "no PROXY header without +proxy=SRC"),
        (["a", "+proxy=192.0.2.1", "+proxy-v1"], "version 1 of the PROXY protocol is for +tcp"),
        (["a", "+proxy=192.0.2.1", "+proxy-session", "+tcp"], "sessions are for UDP"),
        (["a" * 64], "has a label of more than 63 octets"),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", *arguments]) == 1
    assert why in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "-h"]) == 0
    assert capsys.readouterr().out.startswith("Usage: corepy query ")
    assert main(["query"]) == 1


def test_arguments_in_any_order() -> None:
    options = read(["+tcp", "a.test", "-p", "5300", "AAAA", "@2001:db8::1", "CH", "+notcp", "+time=2.5", "+retry=0"])
    assert str(options.server) == "[2001:db8::1]:5300"
    assert (options.rtype, options.rclass, options.timeout, options.retry) == (codes.AAAA, codes.CH, 2.5, 0)
    assert options.on == {"rec"}
