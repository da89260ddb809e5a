"""`corepy query`: what it sends and prints, over both transports, with and without PROXY headers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

import pytest
import trustme

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


def test_edns_options(run: Run, serve: Callable[[str], Running]) -> None:
    options = read(["a.test", "+subnet=192.0.2.77/24", "+cookie=0102030405060708", "+ednsopt=65001:beef"])
    assert options.edns.hex() == "0008000700011800c00002" + "000a00080102030405060708" + "fde90002beef"
    assert read(["a.test", "+subnet=2001:db8::1"]).edns.hex() == "0008001400028000" + "20010db8" + "00" * 11 + "01"
    assert len(read(["a.test", "+cookie"]).edns) == 12
    assert "OPT PSEUDOSECTION" in run(serve(". {\n whoami\n}"), "a.test", "+subnet=192.0.2.1")[1]


def test_several_questions(run: Run, serve: Callable[[str], Running]) -> None:
    server = serve(". {\n hosts {\n  192.0.2.9 a.test\n  ::9 b.test\n }\n}")
    assert run(server, "a.test", "b.test", "AAAA", "+short") == (0, "192.0.2.9\n::9\n")
    assert run(server, "a.test", "b.test")[1].count(";; from ") == 2


def test_json(run: Run, serve: Callable[[str], Running]) -> None:
    server = serve(". {\n hosts {\n  192.0.2.9 a.test\n }\n}")
    status, text = run(server, "a.test", "a.test", "A", "+json", "+tcp")
    assert status == 0
    first, _ = [json.loads(line) for line in text.splitlines()]
    assert (first["question"], first["transport"]) == ("a.test. IN A", "tcp")
    assert first["reply"]["answer"] == ["a.test. 3600 IN A 192.0.2.9"]


# --- TLS ---


class Secret:
    """A server over TLS for one connection at a time, which answers NXDOMAIN; `before` is what comes before TLS."""

    def __init__(self, authority: trustme.CA, before: int = 0) -> None:
        self.before, self.header = before, b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["dot"])
        authority.issue_cert("dns.example", "127.0.0.1").configure_cert(self.context)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        sock, _ = self.listening.accept()
        while len(self.header) < self.before:
            self.header += sock.recv(self.before - len(self.header))
        try:
            with self.context.wrap_socket(sock, server_side=True) as secured:
                wire = secured.recv(512)
                secured.sendall(wire[:4] + b"\x81\x83" + wire[6:])
        except OSError:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join()
        self.listening.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    made, path = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    return made, str(path)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["+tls"], 0, "status: NXDOMAIN"),
        (["+tls-ca={}"], 0, "status: NXDOMAIN"),
        (["+tls-ca={}", "+tls-host=dns.example"], 0, "over tls"),
        (["+tls-ca={}", "+tls-host=other.example"], 9, "Hostname mismatch"),
        (["+tls-ca"], 9, "certificate verify failed"),
        (["+tls-host=dns.example"], 9, "certificate verify failed"),
    ],
)
def test_tls(authority: tuple[trustme.CA, str], run: Run, options: list[str], status: int, said: str) -> None:
    with Secret(authority[0]) as server:
        got, text = run(server.port, "a.test", *(option.format(authority[1]) for option in options))
    assert (got, said in text) == (status, True), text


def test_a_proxy_header_in_front_of_tls(authority: tuple[trustme.CA, str], run: Run) -> None:
    with Secret(authority[0], before=28) as server:
        assert run(server.port, "a.test", "+tls", "+proxy=192.0.2.1")[0] == 0
    assert server.header.startswith(b"\r\n\r\n\0\r\nQUIT\n")


def test_ports_by_transport() -> None:
    assert read(["a.test"]).server.port == 53
    assert read(["a.test", "+tls"]).server.port == 853
    assert read(["a.test", "+tls", "@::1#53"]).server.port == 53
    assert read(["a.test", "+tls", "+notls"]).server.port == 53


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
        (["@127.0.0.1"], "a name is wanted"),
        (["-t", "A", "a"], "a name comes before its type"),
        (["a", "+subnet=x"], "'x' does not appear to be an IPv4 or IPv6"),
        (["a", "+ednsopt=x"], "'x' is no number"),
        (["a", "+cookie=x"], "non-hexadecimal"),
        (["a", "+tls-host="], "unknown option +tls-host="),
        (["a", "+tls-ca=nowhere"], "cannot read 'nowhere'"),
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
    assert options.questions == [("a.test", codes.AAAA, codes.CH)]
    assert (options.timeout, options.retry) == (2.5, 0)
    assert options.on == {"rec"}
