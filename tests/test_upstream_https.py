"""Upstreams over TLS and HTTPS: real handshakes on loopback, with an HTTP/2 server that does as a test says."""

from __future__ import annotations

import asyncio
import ssl
from base64 import urlsafe_b64decode
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hypothesis import given, settings
from hypothesis import strategies as st

from corepy import wire as w
from corepy.address import Address
from corepy.errors import Failure
from corepy.testing import FakeClock, Running, message
from corepy.upstream import Options, Target, Upstream, client_context, connect, match
from corepy.upstream.budget import BUDGET, Budget
from corepy.upstream.connections import ConnectionPool
from corepy.upstream.framed import FramedConnection
from corepy.upstream.https import HttpConnection

PATIENCE = 20.0
QUERY = message("www.example.org.")
RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def reply(query: bytes) -> bytes:
    return query[:2] + w.HEADER.pack(0, w.QR | w.RD | w.RA, 1, 1, 0, 0)[2:] + query[12:] + RECORD


class Waiting:
    """A waiter that writes down what it hears."""

    def __init__(self, due: float = float("inf")) -> None:
        self.due = due
        self.reply = b""
        self.error = ""
        self.done = asyncio.Event()

    def take(self, wire: bytes) -> bool:
        if match(QUERY[12:], wire) is None:
            return False
        assert not self.done.is_set()
        self.reply = wire
        self.done.set()
        return True

    def failed(self, error: Failure) -> None:
        assert not self.done.is_set()
        self.error = str(error)
        self.done.set()


# --- certificates ---


@dataclass
class Certificates:
    """An authority, and contexts with certificates that it has signed."""

    authority: trustme.CA
    folder: Path

    @property
    def ca(self) -> str:
        file = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(file))
        return str(file)

    def files(self, *names: str) -> tuple[str, str]:
        """A certificate for these names, and its key."""
        made = self.authority.issue_cert(*names)
        files = str(self.folder / f"{names[0]}.pem"), str(self.folder / f"{names[0]}.key")
        made.cert_chain_pems[0].write_to_path(files[0])
        made.private_key_pem.write_to_path(files[1])
        return files

    def server(self, *names: str, alpn: str = "h2") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files(*names))
        if alpn:
            context.set_alpn_protocols([alpn])
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(trustme.CA(), tmp_path_factory.mktemp("certificates"))


# --- a server that does as it is told ---


@dataclass
class Request:
    """What a client asks on one stream."""

    stream: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Far(asyncio.Protocol):
    """The far side of one connection: requests come out of `requests`, and the test answers them."""

    arrived: asyncio.Queue[Far]
    settings: dict[SettingCodes, int]
    requests: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)
    resets: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.http.local_settings = Settings(client=False, initial_values=self.settings)
        self.http.initiate_connection()
        self._open: dict[int, Request] = {}
        self.flush()
        self.arrived.put_nowait(self)

    def data_received(self, data: bytes) -> None:
        self.heard.set()
        with suppress(H2Error):  # the client hangs up
            for event in self.http.receive_data(data):
                self._take(event)
        self.flush()

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived):
            self._open[event.stream_id] = Request(event.stream_id, dict(event.headers))  # type: ignore[arg-type]
        elif isinstance(event, events.DataReceived):
            self._open[event.stream_id].body += event.data
            self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            self.requests.put_nowait(self._open.pop(event.stream_id))
        elif isinstance(event, events.StreamReset):
            self.resets.put_nowait(event.stream_id)

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed.set()

    def flush(self) -> None:
        self.transport.write(self.http.data_to_send())

    def respond(self, to: Request, body: bytes, status: str = "200") -> None:
        self.http.send_headers(to.stream, [(":status", status), ("content-type", "application/dns-message")])
        self.http.send_data(to.stream, body, end_stream=True)
        self.flush()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def go_away(self) -> None:
        self.http.close_connection()
        self.flush()

    async def answer(self) -> Request:
        """Reply to the next request as an honest server does."""
        request = await self.requests.get()
        self.respond(request, reply(request.body))
        return request


class Site:
    """A listening server, and the clients' side of it."""

    def __init__(self, certificates: Certificates, clock: FakeClock) -> None:
        self.certificates, self.clock = certificates, clock
        self.settings: dict[SettingCodes, int] = {}
        self.far: asyncio.Queue[Far] = asyncio.Queue()
        """Connections that stand and that the test has not yet looked at."""
        self.made: list[Far] = []
        self.address = Address.of("127.0.0.1", 0)

    async def listen(self, context: ssl.SSLContext) -> asyncio.Server:
        def make() -> Far:
            self.made.append(Far(self.far, self.settings))
            return self.made[-1]

        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=context)
        self.address = Address.from_tuple(server.sockets[0].getsockname())
        return server

    def options(self, **more: Any) -> Options:
        return Options(https=client_context([self.certificates.ca], ["h2"]), **more)

    def upstream(self, server_name: str = "dns.example.org", **more: Any) -> Upstream:
        return connect(Target(self.address, "https", server_name), self.options(**more), self.clock)

    def pool(self, budget: int = 99, **more: Any) -> ConnectionPool:
        target = Target(self.address, "https", "dns.example.org")
        return ConnectionPool(target, self.options(**more), self.clock, Budget(budget), HttpConnection)


async def settle() -> None:
    """Let both sides of a connection see its end."""
    for _ in range(10):
        await asyncio.sleep(0)


Drive = Callable[..., None]


@pytest.fixture
def drive(certificates: Certificates) -> Iterator[Drive]:
    """Run a dialogue between an upstream and an HTTPS server."""

    def run(test: Callable[[Site], Coroutine[Any, Any, None]], context: ssl.SSLContext | None = None) -> None:
        async def dialogue() -> None:
            site = Site(certificates, FakeClock())
            server = await site.listen(context or certificates.server("dns.example.org"))
            try:
                async with asyncio.timeout(PATIENCE):
                    await test(site)
            finally:
                server.close()
                for far in site.made:
                    far.abort()
                await settle()

        asyncio.run(dialogue())

    yield run
    assert BUDGET.used == 0


# --- requests and responses ---


def test_post(drive: Drive) -> None:
    async def test(site: Site) -> None:
        upstream = site.upstream()
        upstream.over_udp(QUERY, waiting := Waiting())
        far = await site.far.get()
        request = await far.answer()
        assert request.headers == {
            ":method": "POST",
            ":scheme": "https",
            ":authority": f"dns.example.org:{site.address.port}",
            ":path": "/dns-query",
            "content-type": "application/dns-message",
            "accept": "application/dns-message",
            "content-length": str(len(QUERY)),
        }
        assert request.body == b"\0\0" + QUERY[2:]
        await waiting.done.wait()
        assert waiting.reply == reply(b"\0\0" + QUERY[2:])
        upstream.close()
        await far.closed.wait()

    drive(test)


def test_get(drive: Drive) -> None:
    async def test(site: Site) -> None:
        upstream = site.upstream(doh_method="GET")
        upstream.over_tcp(QUERY, waiting := Waiting())
        far = await site.far.get()
        request = await far.requests.get()
        path, _, encoded = request.headers[":path"].partition("?dns=")
        assert (request.headers[":method"], path, request.body) == ("GET", "/dns-query", b"")
        assert request.headers["accept"] == "application/dns-message"
        assert not encoded.endswith("=")
        asked = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        assert asked == b"\0\0" + QUERY[2:]
        far.respond(request, reply(asked))
        await waiting.done.wait()
        assert waiting.reply
        upstream.close()

    drive(test)


def test_the_authority_is_the_address_where_there_is_no_name(drive: Drive, certificates: Certificates) -> None:
    async def test(site: Site) -> None:
        upstream = site.upstream("")
        upstream.over_udp(QUERY, waiting := Waiting())
        request = await (await site.far.get()).answer()
        assert request.headers[":authority"] == str(site.address)
        await waiting.done.wait()
        upstream.close()

    drive(test, certificates.server("127.0.0.1"))


@pytest.mark.parametrize(
    ("host", "port", "name", "authority"),
    [
        ("192.0.2.1", 443, "", b"192.0.2.1"),
        ("192.0.2.1", 443, "dns.example.org", b"dns.example.org"),
        ("2001:db8::1", 443, "", b"[2001:db8::1]"),
        ("2001:db8::1", 8443, "", b"[2001:db8::1]:8443"),
    ],
)
def test_authorities(host: str, port: int, name: str, authority: bytes) -> None:
    target = Target(Address.of(host, port), "https", name)
    pool = ConnectionPool(target, Options(), FakeClock(), Budget(1), HttpConnection)
    assert (b":authority", authority) in HttpConnection(pool)._request


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        ("500", reply(QUERY), "http status 500"),
        ("302", b"", "http status 302"),
        ("204", b"", "http status 204"),
        ("200", b"", "no reply to the question"),
        ("200", b"<html></html>", "no reply to the question"),
        ("200", reply(message("www.example.net.")), "no reply to the question"),
        ("200", reply(QUERY)[:-1], "no reply to the question"),
    ],
)
def test_what_is_no_reply_is_a_failure(drive: Drive, status: str, body: bytes, why: str) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        pool.ask(QUERY, waiting := Waiting())
        far = await site.far.get()
        far.respond(await far.requests.get(), body, status)
        await waiting.done.wait()
        assert waiting.error.endswith(why)
        assert pool.pending == 0
        pool.ask(QUERY, waiting := Waiting())  # the connection is as good as before
        await far.answer()
        await waiting.done.wait()
        assert waiting.reply
        assert far.resets.empty()
        pool.close()

    drive(test)


def test_a_response_without_end(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        pool.ask(QUERY, waiting := Waiting())
        far = await site.far.get()
        request = await far.requests.get()
        far.http.send_headers(request.stream, [(":status", "200")])
        while not waiting.done.is_set():
            room = min(far.http.local_flow_control_window(request.stream), far.http.max_outbound_frame_size)
            if not room:
                far.heard.clear()
                await far.heard.wait()  # that it may send more, or shall not
                continue
            far.http.send_data(request.stream, bytes(room))
            far.flush()
            await asyncio.sleep(0)
        assert "larger than a DNS message" in waiting.error
        assert await far.resets.get() == request.stream
        pool.close()

    drive(test)


def test_a_stream_that_is_reset(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        pool.ask(QUERY, waiting := Waiting())
        far = await site.far.get()
        far.http.reset_stream((await far.requests.get()).stream, ErrorCodes.REFUSED_STREAM)
        far.flush()
        await waiting.done.wait()
        assert "the stream was reset" in waiting.error
        assert len(pool.connections) == 1
        pool.close()

    drive(test)


# --- connections ---


def test_questions_share_a_connection(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        waiters = [Waiting() for _ in range(50)]
        for waiting in waiters:
            pool.ask(QUERY, waiting)
        far = await site.far.get()
        requests = [await far.requests.get() for _ in waiters]
        for request in reversed(requests):
            far.respond(request, reply(request.body))
        for waiting in waiters:
            await waiting.done.wait()
            assert waiting.reply
        assert (len(pool.connections), pool.pending) == (1, 0)
        assert far.resets.empty()
        pool.close()

    drive(test)


def test_there_are_only_so_many_connections_and_streams(drive: Drive) -> None:
    async def test(site: Site) -> None:
        site.settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        pool = site.pool(budget=2)
        pool.ask(QUERY, waiting := Waiting())
        first = await site.far.get()
        await first.answer()
        await waiting.done.wait()  # and so the settings have come
        pool.ask(QUERY, Waiting())
        await first.requests.get()
        pool.ask(QUERY, waiting := Waiting())
        second = await site.far.get()
        await second.answer()
        await waiting.done.wait()
        pool.ask(QUERY, Waiting())
        await second.requests.get()
        pool.ask(QUERY, third := Waiting())
        await third.done.wait()
        assert third.error.endswith("no connection is free")
        assert len(pool.connections) == 2
        pool.close()

    drive(test)


def test_a_server_that_gives_little_leave(drive: Drive) -> None:
    async def test(site: Site) -> None:
        site.settings = {SettingCodes.INITIAL_WINDOW_SIZE: 1000}
        pool = site.pool()
        pool.ask(QUERY, first := Waiting())
        far = await site.far.get()
        await far.answer()
        await first.done.wait()
        large = QUERY[:10] + b"\0\1" + QUERY[12:] + w.opt_record(1232, options=w.option(12, bytes(20_000)))
        pool.ask(large, second := Waiting())
        request = await far.requests.get()
        assert request.body[2:] == large[2:]
        far.respond(request, reply(QUERY))
        await second.done.wait()
        pool.close()

    drive(test)


def test_a_connection_that_was_closed_is_replaced(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        pool.ask(QUERY, waiting := Waiting())
        far = await site.far.get()
        await far.answer()
        await waiting.done.wait()
        for politely in (False, True):
            pool.ask(QUERY, waiting := Waiting())
            await far.requests.get()
            if politely:
                far.go_away()
            else:
                far.abort()
            far = await site.far.get()
            await far.answer()
            await waiting.done.wait()
            assert waiting.reply
        pool.close()

    drive(test)


def test_a_fresh_connection_that_is_closed_is_a_failure(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        for end in ("EOF", "goes away", "http2: ", "without end"):
            pool.ask(QUERY, waiting := Waiting())
            far = await site.far.get()
            await far.requests.get()
            if end == "EOF":
                far.transport.close()
            elif end == "goes away":
                far.go_away()
            elif end == "http2: ":
                far.transport.write(b"\0\0\4\4\0\0\0\0\0oops")  # settings are of six octets each
            else:
                far.transport.write(b"\xff\xff\xff\0\0\0\0\0\1" + bytes(600_000))
            await waiting.done.wait()
            assert end in waiting.error
            assert not pool.connections
        pool.close()

    drive(test)


def test_a_slow_answer_costs_one_stream_and_silence_the_connection(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        pool.ask(QUERY, slow := Waiting(site.clock.now() + 2))
        far = await site.far.get()
        request = await far.requests.get()
        site.clock.advance(1)
        pool.ask(QUERY, quick := Waiting())
        await far.answer()
        await quick.done.wait()
        site.clock.advance(1.1)
        assert slow.error.endswith("i/o timeout")
        assert await far.resets.get() == request.stream
        pool.ask(QUERY, slow := Waiting(site.clock.now() + 2))
        await far.requests.get()
        site.clock.advance(2.1)
        assert slow.error.endswith("i/o timeout")
        await far.closed.wait()
        assert not pool.connections
        pool.close()

    drive(test)


def test_connections_expire(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool(expire=10)
        pool.ask(QUERY, waiting := Waiting())
        far = await site.far.get()
        await far.answer()
        await waiting.done.wait()
        site.clock.advance(13)
        await far.closed.wait()
        assert not pool.connections
        pool.close()

    drive(test)


def test_closing_tells_who_waits(drive: Drive) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        for stands in (False, True):
            pool.ask(QUERY, waiting := Waiting())
            if stands:
                await (await site.far.get()).requests.get()
            pool.close()
            await waiting.done.wait()
            assert "closed" in waiting.error
            pool.closed = False

    drive(test)


@settings(max_examples=40, deadline=None)
@given(noise=st.lists(st.binary(max_size=60), max_size=4))
def test_any_bytes_may_come(noise: list[bytes]) -> None:
    """A connection without a network: frames, and what only looks like some."""

    async def run() -> None:
        pool = ConnectionPool(Target(Address.of("192.0.2.1", 443), "https"), Options(), FakeClock(), Budget(9),
                              HttpConnection)  # fmt: skip
        connection = HttpConnection(pool)
        connection.ask(QUERY, Waiting())
        pool.pending += 1
        settings_frame = b"\0\0\0\4\0\0\0\0\0"
        connection.data_received(settings_frame)
        for part in noise:
            kind = part[:1] or b"\0"
            connection.data_received(len(part).to_bytes(3, "big") + kind + b"\5\0\0\0\1" + part)
        pool.close()

    asyncio.run(run())


# --- handshakes ---


@pytest.mark.parametrize(
    ("server_name", "alpn", "why"),
    [
        ("other.example.org", "h2", "tls: failed to verify certificate: x509: Hostname mismatch"),
        ("dns.example.org", "", "tls: the server does not speak h2"),
        ("dns.example.org", "http/1.1", "tls: "),
    ],
)
def test_handshakes_that_fail(
    drive: Drive, certificates: Certificates, server_name: str, alpn: str, why: str
) -> None:
    async def test(site: Site) -> None:
        upstream = site.upstream(server_name)
        upstream.over_udp(QUERY, waiting := Waiting())
        await waiting.done.wait()
        assert waiting.error.startswith(f"dial tcp {site.address}: {why}")
        upstream.close()

    drive(test, certificates.server("dns.example.org", alpn=alpn))


def test_a_certificate_of_another_authority(drive: Drive, certificates: Certificates, tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        upstream = site.upstream()
        upstream.over_udp(QUERY, waiting := Waiting())
        await waiting.done.wait()
        assert "tls: failed to verify certificate: x509: certificate signed by unknown authority" in waiting.error
        upstream.close()

    assert certificates.ca
    drive(test, Certificates(trustme.CA(), tmp_path).server("dns.example.org"))


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def tls_dialogue(context: ssl.SSLContext, options: Options, server_name: str) -> Waiting:
    """Ask one question of a server of DNS over TLS, which answers it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            asked = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            writer.write(framed(reply(asked)))
            await reader.read()
        writer.close()

    async def run() -> Waiting:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        address = Address.from_tuple(server.sockets[0].getsockname())
        pool = ConnectionPool(Target(address, "tls", server_name), options, FakeClock(), Budget(1), FramedConnection)
        waiting = Waiting()
        async with asyncio.timeout(PATIENCE):
            pool.ask(QUERY, waiting)
            await waiting.done.wait()
        pool.close()
        server.close()
        await settle()
        return waiting

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("server_name", "why"),
    [("localhost", ""), ("", ""), ("other.example.org", "tls: failed to verify certificate: x509: Hostname mismatch")],
)
def test_dns_over_tls(certificates: Certificates, server_name: str, why: str) -> None:
    context = certificates.server("localhost", "127.0.0.1", alpn="dot")
    waiting = tls_dialogue(context, Options(tls=client_context([certificates.ca])), server_name)
    assert why in waiting.error
    assert bool(waiting.reply) is not bool(why)


@pytest.mark.parametrize("shown", [True, False])
def test_a_client_certificate(certificates: Certificates, shown: bool) -> None:
    context = certificates.server("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates.ca)
    files = [*certificates.files("client.example.org"), certificates.ca] if shown else [certificates.ca]
    waiting = tls_dialogue(context, Options(tls=client_context(files)), "localhost")
    assert bool(waiting.reply) is shown
    assert bool(waiting.error) is not shown
    assert "permitted" not in waiting.error  # OpenSSL's numbers are not the system's


# --- in a server ---


def test_forward_goes_on_to_the_next_upstream(certificates: Certificates) -> None:
    with Running(". {\nwhoami\n}") as second, Running(
        f". {{\nforward . https://127.0.0.1:1 127.0.0.1:{second.port} {{\n"
        f"policy sequential\ntls {certificates.ca}\n}}\n}}"
    ) as server:
        assert server.ask().rcode == 0
