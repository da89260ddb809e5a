"""corepy.webguard: TLS, users, limits and headers in front of an endpoint, and the files that say so."""

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from corepy import http, webguard
from corepy.errors import ConfigErrors
from corepy.http import Request, Response
from corepy.testing import FakeClock
from corepy.webguard import WebGuard

RIGHT = "$2b$04$djyQuhuOKPKEPZ4WHu0vHOEoRhd4qO42fN2xzzQi8R2fIstBEEb5u"
"""Of the password "right", with the least work."""
USERS = f"basic_auth_users:\n  alice: {RIGHT}\n"


@dataclass
class Files:
    """A web configuration with all that it needs."""

    folder: Path

    def __post_init__(self) -> None:
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(self.folder / "ca.pem")
        self.certify("localhost")

    @property
    def path(self) -> str:
        return str(self.folder / "web.yml")

    def certify(self, *names: str) -> trustme.LeafCert:
        leaf = self.ca.issue_cert(*names)
        replace(self.folder / "cert.pem", b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        replace(self.folder / "key.pem", leaf.private_key_pem.bytes())
        return leaf

    def remove(self) -> None:
        Path(self.path).unlink()

    def write(self, tls: str | None = "", more: str = "") -> None:
        section = "" if tls is None else f"tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n{tls}"
        replace(self.folder / "web.yml", (section + more).encode())


def replace(path: Path, octets: bytes) -> None:
    """As who renews certificates does it."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(octets)
    fresh.rename(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def run(scenario: Callable[[FakeClock], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario(FakeClock())

    asyncio.run(bounded())


async def listen(guard: WebGuard, clock: FakeClock) -> http.Lease:
    return await http.listen("127.0.0.1", 0, {"/": lambda _: Response(b"in")}, clock, guard)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    certificate: dict[str, Any]
    version: str


async def ask(port: int, tls: ssl.SSLContext | None, *, user: str = "", path: str = "/") -> Reply:
    """What a client is told. Raises OSError where it is not let in."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    try:
        credentials = f"Authorization: Basic {b64encode(user.encode()).decode()}\r\n" if user else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{credentials}\r\n".encode())
        head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
        if not head:
            raise ConnectionError("closed")
        first, *lines = head.decode().split("\r\n")
        connection = writer.get_extra_info("ssl_object")
        return Reply(
            int(first.split()[1]), dict(line.split(": ", 1) for line in lines),
            connection.getpeercert() if connection else {}, connection.version() if connection else "",
        )  # fmt: skip
    finally:
        writer.transport.abort()


async def shut_out(port: int, tls: ssl.SSLContext | None) -> bool:
    """Whether a client gets no reply at all."""
    try:
        assert (await ask(port, tls)).status == 200
    except OSError:
        return True
    return False


def client(files: Files, *, leaf: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    files.ca.configure_trust(context)
    if leaf is not None:
        leaf.configure_cert(context)
    return context


# --- TLS ---


def test_tls_and_certificates_that_are_renewed(files: Files) -> None:
    async def scenario(clock: FakeClock) -> None:
        files.write()
        lease = await listen(WebGuard(files.path, clock), clock)
        first = await ask(lease.port, client(files))
        assert (first.status, first.version) == (200, "TLSv1.3")
        assert (await ask(lease.port, client(files))).certificate["serialNumber"] == first.certificate["serialNumber"]
        files.certify("localhost")
        assert (await ask(lease.port, client(files))).certificate["serialNumber"] != first.certificate["serialNumber"]
        assert await shut_out(lease.port, None)
        await lease.reach("/")   # knows no credentials, and needs none
        lease.close()

    run(scenario)


def test_inline_keys_versions_suites_and_a_curve(files: Files) -> None:
    def indented(name: str) -> str:
        return "".join(f"    {line}\n" for line in (files.folder / name).read_text().splitlines())

    async def scenario(clock: FakeClock) -> None:
        text = f"tls_server_config:\n  cert: |\n{indented('cert.pem')}  key: |\n{indented('key.pem')}"
        text += "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n"
        text += "  curve_preferences: [CurveP384]\n  prefer_server_cipher_suites: false\n"
        replace(files.folder / "web.yml", text.encode())
        guard = WebGuard(files.path, clock)
        lease = await listen(guard, clock)
        assert (await ask(lease.port, client(files))).version == "TLSv1.2"
        picky = client(files)
        picky.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        assert await shut_out(lease.port, picky)
        secured = guard.secure()
        assert secured is not None
        assert not secured.context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
        lease.close()

    run(scenario)


@pytest.mark.parametrize(
    ("policy", "sans", "nobody", "known"),
    [
        ("VerifyClientCertIfGiven", "", True, True),
        ("RequireAndVerifyClientCert", "", False, True),
        ("RequireAndVerifyClientCert", "[other.example, client.example]", False, True),
        ("RequireAndVerifyClientCert", "['2001:db8::1']", False, True),
        ("RequireAndVerifyClientCert", "[other.example]", False, False),
        ("RequireAndVerifyClientCert", "[]", False, False),
        ("VerifyClientCertIfGiven", "[client.example]", False, True),
    ],
)
def test_who_may_come(files: Files, policy: str, sans: str, nobody: bool, known: bool) -> None:
    async def scenario(clock: FakeClock) -> None:
        names = f"  client_allowed_sans: {sans}\n" * bool(sans)
        files.write(f"  client_auth_type: {policy}\n  client_ca_file: ca.pem\n{names}")
        lease = await listen(WebGuard(files.path, clock), clock)
        stranger = trustme.CA().issue_cert("client.example")
        friend = files.ca.issue_cert("client.example", "2001:db8::1")
        for leaf, expected in ((None, nobody), (friend, known), (stranger, False)):
            assert await shut_out(lease.port, client(files, leaf=leaf)) != expected
        lease.close()

    run(scenario)


def test_hands_that_are_never_shaken_are_bounded(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 3)

    async def scenario(clock: FakeClock) -> None:
        files.write()
        lease = await listen(WebGuard(files.path, clock), clock)
        mute = [await asyncio.open_connection("127.0.0.1", lease.port) for _ in range(5)]
        assert (await ask(lease.port, client(files))).status == 200
        for reader, _ in mute[:2]:
            assert await reader.read() == b""
        for _, writer in mute:
            writer.close()
        lease.close()

    run(scenario)


# --- requests ---


async def statuses(guard: WebGuard, *users: str) -> list[int]:
    found = []
    for user in users:
        credentials = f"Basic {b64encode(user.encode()).decode()}"
        refusal, _ = await guard.admit(Request("GET", "/", "", credentials))
        found.append(200 if refusal is None else refusal.status)
    return found


def test_users_and_headers(files: Files) -> None:
    async def scenario(clock: FakeClock) -> None:
        files.write(None, USERS + "http_server_config:\n  headers:\n    X-Frame-Options: deny\n")
        lease = await listen(WebGuard(files.path, clock), clock)
        for path in ("/", "/other"):
            reply = await ask(lease.port, None, path=path)
            assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Basic")
            assert reply.headers["X-Frame-Options"] == "deny"
        for _ in range(2):
            reply = await ask(lease.port, None, user="alice:right")
            assert (reply.status, reply.headers["X-Frame-Options"]) == (200, "deny")
            assert "WWW-Authenticate" not in reply.headers
        assert (await ask(lease.port, None, user="alice:right", path="/other")).status == 404
        lease.close()

    run(scenario)


def test_credentials(files: Files) -> None:
    async def scenario(clock: FakeClock) -> None:
        files.write(None, USERS)
        guard = WebGuard(files.path, clock)
        told = await statuses(guard, "alice:right", "alice:wrong", "bob:right", "alice", ":", "bob:nobody at all")
        assert told == [200, 401, 401, 401, 401, 401]
        assert await statuses(guard, "alice:right", "alice:" + "x" * 100) == [200, 401]
        for bad in ("", "Basic", "Basic ?", "Bearer x", "Basic /w==", "Basic \xff"):
            assert (await guard.admit(Request("GET", "/", "", bad))).refusal is not None

    run(scenario)


def test_users_are_those_of_the_file_as_it_is_now(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(clock: FakeClock) -> None:
        files.write(None, USERS)
        guard = WebGuard(files.path, clock)
        assert await statuses(guard, "alice:right") == [200]
        files.write(None, USERS.replace("alice", "bob"))
        assert await statuses(guard, "alice:right", "bob:right") == [401, 200]
        files.write(None, "nonsense: 1\n")
        assert await statuses(guard, "bob:right", "bob:right") == [500, 500]
        with pytest.raises(ConnectionError):
            guard.secure()
        files.remove()
        assert await statuses(guard, "bob:right") == [500]
        files.write(None)
        assert await statuses(guard, "anyone:") == [200]
        assert guard.secure() is None

    run(scenario)
    said = capsys.readouterr().out.splitlines()
    known = "tls_server_config, http_server_config, rate_limit, basic_auth_users"
    assert [line.rpartition("web.yml")[2] for line in said] == [
        f":1:1: unknown key 'nonsense', expected one of {known}",
        ": no such file or directory",
    ]


def test_no_more_passwords_are_kept_than_there_is_room(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webguard, "_KNOWN", 2)

    async def scenario(clock: FakeClock) -> None:
        files.write(None, "basic_auth_users:\n" + "".join(f"  u{number}: {RIGHT}\n" for number in range(4)))
        guard = WebGuard(files.path, clock)
        assert await statuses(guard, *(f"u{number}:right" for number in range(4))) == [200] * 4
        assert len(guard._known) == 2

    run(scenario)


def test_a_limit(files: Files) -> None:
    async def scenario(clock: FakeClock) -> None:
        files.write(None, "rate_limit:\n  interval: 2s\n  burst: 3\n")
        guard = WebGuard(files.path, clock)
        assert await statuses(guard, *"aaaa") == [200, 200, 200, 429]
        clock.advance(2)
        assert await statuses(guard, *"aa") == [200, 429]
        clock.advance(100)
        assert await statuses(guard, *"aaaa") == [200, 200, 200, 429]

    run(scenario)


# --- what cannot be used ---


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Files.remove, "web.yml:1:1: cannot read "),
        (lambda files: (files.folder / "cert.pem").unlink(), "web.yml:2:3: cannot read "),
        (lambda files: (files.folder / "key.pem").unlink(), "web.yml:3:3: cannot read "),
        (lambda files: (files.folder / "key.pem").write_text("x"), "web.yml:2:3: no certificate with its key: "),
        (lambda files: (files.folder / "cert.pem").write_text(""), "web.yml:2:3: no certificate with its key: "),
        (
            lambda files: (files.folder / "key.pem").write_bytes(files.ca.issue_cert("x").private_key_pem.bytes()),
            "web.yml:2:3: no certificate with its key: key values mismatch",
        ),
        (lambda files: (files.folder / "ca.pem").write_text("x"), "web.yml:5:3: no certificates: "),
        (lambda files: (files.folder / "ca.pem").unlink(), "web.yml:5:3: cannot read "),
    ],
)
def test_files_that_cannot_be_used(files: Files, change: Callable[[Files], object], expected: str) -> None:
    files.write("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n")
    change(files)
    with pytest.raises(ConfigErrors) as caught:
        WebGuard(files.path, FakeClock())
    assert str(caught.value).startswith(f"{files.folder}{os.sep}{expected}")


def test_the_system_knows_who_signs_where_the_file_does_not(files: Files) -> None:
    files.write("  client_auth_type: RequireAndVerifyClientCert\n")
    secured = WebGuard(files.path, FakeClock()).secure()
    assert secured is not None
    assert secured.context.verify_mode == ssl.CERT_REQUIRED


@given(st.text(max_size=40))
def test_any_credentials(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "users.yml"
    path.write_text(USERS)

    async def scenario(clock: FakeClock) -> None:
        admission = await WebGuard(str(path), clock).admit(Request("GET", "/", "", f"Basic {text}"))
        assert admission.refusal is not None

    run(scenario)
