"""Upstreams over gRPC: a real server on loopback that does as a test says, in plain text and with TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.errors import Failure
from corepy.grpcmessage import MAX_BODY, pack, unpack
from corepy.testing import FakeClock, Running, message
from corepy.upstream import Options, Target, ask_any, client_context, connect
from corepy.upstream.budget import BUDGET, Budget
from corepy.upstream.connections import ConnectionPool
from corepy.upstream.grpc import GrpcConnection
from corepy.upstream.http2 import Response

PATIENCE = 20.0
QUERY = message("www.example.org.")
HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
DONE = [("grpc-status", "0")]
RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def reply(query: bytes, padding: int = 0) -> bytes:
    """The reply to a query, made larger by records of this many octets."""
    more = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + padding.to_bytes(2, "big") + bytes(padding) if padding else b""
    head = w.HEADER.pack(0, w.QR | w.RD, 1, 1 + bool(more), 0, 0)[2:]
    return query[:2] + head + query[12:] + RECORD + more


@dataclass
class Call:
    """What a client asks on one stream."""

    far: Far
    stream: int
    headers: dict[str, str]
    body: bytes = b""

    def answer(
        self, body: bytes, headers: list[tuple[str, str]] = HEADERS, trailers: list[tuple[str, str]] | None = DONE
    ) -> None:
        """Respond with headers, a small body, and trailers; without those the headers are the end."""
        http = self.far.http
        http.send_headers(self.stream, headers, end_stream=not body and trailers is None)
        if body:
            http.send_data(self.stream, body)
        if trailers is not None:
            http.send_headers(self.stream, trailers, end_stream=True)
        self.far.flush()

    async def pour(self, body: bytes, until: asyncio.Future[bytes]) -> None:
        """Send a body of any size, as the client takes it, unless it has heard enough."""
        http = self.far.http
        while body and not until.done():
            room = min(http.local_flow_control_window(self.stream), http.max_outbound_frame_size)
            if room:
                http.send_data(self.stream, body[:room])
                self.far.flush()
                body = body[room:]
            await asyncio.sleep(0)


@dataclass
class Far(asyncio.Protocol):
    """The far side of one connection: calls come out of `site.calls`, and the test answers them."""

    site: Site
    transport: Any = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.http.local_settings = Settings(client=False, initial_values=self.site.settings)
        self.http.initiate_connection()
        self._open: dict[int, Call] = {}
        self.flush()

    def data_received(self, data: bytes) -> None:
        with suppress(H2Error):  # the client hangs up
            for event in self.http.receive_data(data):
                if isinstance(event, events.RequestReceived):
                    headers: Any = dict(event.headers)
                    self._open[event.stream_id] = Call(self, event.stream_id, headers)
                elif isinstance(event, events.DataReceived):
                    self._open[event.stream_id].body += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, events.StreamEnded):
                    self.site.calls.put_nowait(self._open.pop(event.stream_id))
                elif isinstance(event, events.StreamReset):
                    self.site.resets.put_nowait(event.stream_id)
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.http.data_to_send())


@dataclass
class Site:
    """A listening server, and the clients' side of it."""

    clock: FakeClock = field(default_factory=FakeClock)
    settings: dict[SettingCodes, int] = field(default_factory=dict)
    calls: asyncio.Queue[Call] = field(default_factory=asyncio.Queue)
    resets: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    made: list[Far] = field(default_factory=list)
    address: Address = Address.of("127.0.0.1", 0)  # noqa: RUF009 - it cannot be changed

    def make(self) -> Far:
        self.made.append(Far(self))
        return self.made[-1]

    def pool(self, budget: int = 99, name: str = "", **more: Any) -> ConnectionPool:
        return ConnectionPool(
            Target(self.address, "grpc", name), Options(**more), self.clock, Budget(budget), GrpcConnection
        )

    def ask(self, pool: ConnectionPool, due: float = float("inf")) -> asyncio.Future[bytes]:
        return asyncio.ensure_future(ask_any(pool.ask, QUERY, due))


def dialogue(test: Callable[[Site], Coroutine[Any, Any, None]], context: ssl.SSLContext | None = None) -> None:
    """Run a test between an upstream and a gRPC server."""

    async def run() -> None:
        site = Site()
        server = await asyncio.get_running_loop().create_server(site.make, "127.0.0.1", 0, ssl=context)
        site.address = Address.from_tuple(server.sockets[0].getsockname())
        try:
            async with asyncio.timeout(PATIENCE):
                await test(site)
                for far in site.made:
                    if far.transport is not None:
                        await far.closed.wait()
        finally:
            server.close()
            for far in site.made:
                if far.transport is not None:
                    far.transport.abort()
            for _ in range(10):
                await asyncio.sleep(0)

    asyncio.run(run())
    assert BUDGET.used == 0


# --- calls ---


def test_a_call_in_plain_text() -> None:
    async def test(site: Site) -> None:
        upstream = connect(Target(site.address, "grpc"), Options(owner="grpc"), site.clock)
        asking = asyncio.ensure_future(ask_any(upstream.over_udp, QUERY, site.clock.now() + 4.5))
        call = await site.calls.get()
        assert call.headers == {
            ":method": "POST",
            ":scheme": "http",
            ":authority": str(site.address),
            ":path": "/coredns.dns.DnsService/Query",
            "content-type": "application/grpc",
            "te": "trailers",
            "grpc-timeout": "4500m",
        }
        assert unpack(call.body) == QUERY
        call.answer(pack(reply(QUERY)))
        assert await asking == reply(QUERY)
        upstream.close()

    dialogue(test)


def test_calls_share_connections_as_far_as_the_server_lets_them() -> None:
    async def test(site: Site) -> None:
        site.settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
        pool = site.pool(budget=2)
        asking = site.ask(pool)
        (await site.calls.get()).answer(pack(reply(QUERY)))
        await asking  # and so the settings have come
        asked = [site.ask(pool) for _ in range(3)]
        calls = [await site.calls.get() for _ in asked]
        assert [sum(call.far is far for call in calls) for far in site.made] == [2, 1]
        for call in reversed(calls):
            call.answer(pack(reply(QUERY)))
        assert await asyncio.gather(*asked) == [reply(QUERY)] * 3
        assert pool.pending == 0
        pool.close()

    dialogue(test)


def test_the_largest_message_there_is() -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        asking = site.ask(pool)
        largest = reply(QUERY, 65535 - len(reply(QUERY)) - 12)
        call = await site.calls.get()
        call.far.http.send_headers(call.stream, HEADERS)
        await call.pour(pack(largest), asking)
        call.far.http.send_headers(call.stream, DONE, end_stream=True)
        call.far.flush()
        assert await asking == largest
        assert len(largest) == w.MAX_MESSAGE
        pool.close()

    dialogue(test)


@pytest.mark.parametrize(
    ("headers", "body", "trailers", "why", "rcode"),
    [
        (HEADERS, b"", DONE, "grpc: no message", 2),
        (HEADERS, pack(QUERY)[:-1], DONE, "grpc: a message of", 2),
        (HEADERS, b"\1" + pack(QUERY)[1:], DONE, "grpc: a compressed message", 2),
        (HEADERS, b"", [("grpc-status", "5")], "grpc: NOT_FOUND", 3),
        ([*HEADERS, ("grpc-status", "5")], b"", None, "grpc: NOT_FOUND", 3),
        (HEADERS, b"", [("grpc-status", "14"), ("grpc-message", "it%20sleeps%0a%c3%a4%ff")],
         "grpc: UNAVAILABLE: it sleeps?\u00e4\ufffd", 2),
        (HEADERS, pack(reply(QUERY)), [("grpc-status", "2")], "grpc: UNKNOWN", 2),
        (HEADERS, pack(reply(QUERY)), [("grpc-status", "99")], "grpc: a status that does not exist", 2),
        (HEADERS, pack(reply(QUERY)), [("grpc-status", "\u00b2")], "grpc: a status that does not exist", 2),
        (HEADERS, pack(reply(QUERY)), [("other", "0")], "grpc: no status", 2),
        ([(":status", "404"), *HEADERS[1:]], b"", None, "http status 404", 2),
        ([(":status", "200"), ("content-type", "text/html")], b"<html>", DONE, "the response is not gRPC's", 2),
        ([(":status", "200")], pack(reply(QUERY)), DONE, "the response is not gRPC's", 2),
    ],
)  # fmt: skip
def test_calls_that_fail(
    headers: list[tuple[str, str]], body: bytes, trailers: list[tuple[str, str]] | None, why: str, rcode: int
) -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        asking = site.ask(pool)
        call = await site.calls.get()
        call.answer(body, headers, trailers)
        with pytest.raises(Failure) as caught:
            await asking
        assert why in str(caught.value)
        assert caught.value.rcode == rcode
        assert len(pool.connections) == 1  # which is as good as before
        assert pool.pending == 0
        pool.close()

    dialogue(test)


def test_a_body_without_end() -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        asking = site.ask(pool)
        call = await site.calls.get()
        call.far.http.send_headers(call.stream, HEADERS)
        await call.pour(bytes(MAX_BODY + 1), asking)
        with pytest.raises(Failure, match="the response is larger than a DNS message"):
            await asking
        assert await site.resets.get() == call.stream
        pool.close()

    dialogue(test)


def test_a_call_that_takes_too_long_is_taken_back() -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        first, second = site.ask(pool), site.ask(pool, site.clock.now() + 5)
        call, late = await site.calls.get(), await site.calls.get()
        assert ("grpc-timeout" in late.headers, late.headers["grpc-timeout"]) == (True, "5000m")
        site.clock.advance(1)
        call.answer(pack(reply(QUERY)))
        await first
        site.clock.advance(4.1)
        with pytest.raises(Failure, match="i/o timeout"):
            await second
        assert await site.resets.get() == late.stream
        pool.close()

    dialogue(test)


def test_a_connection_that_was_kept_too_long_is_no_failure() -> None:
    async def test(site: Site) -> None:
        pool = site.pool()
        asking = site.ask(pool)
        (await site.calls.get()).answer(pack(reply(QUERY)))
        await asking
        asking = site.ask(pool)
        (await site.calls.get()).far.transport.abort()
        (await site.calls.get()).answer(pack(reply(QUERY)))
        assert await asking == reply(QUERY)
        assert len(site.made) == 2
        pool.close()

    dialogue(test)


def test_nobody_listens() -> None:
    async def run() -> None:
        pool = Site(address=Address.of("127.0.0.1", 1)).pool()
        with pytest.raises(Failure, match=r"dial tcp 127\.0\.0\.1:1: connect: connection refused"):
            await ask_any(pool.ask, QUERY, float("inf"))
        pool.close()

    asyncio.run(run())


@given(
    st.dictionaries(
        st.sampled_from([b":status", b"content-type", b"grpc-status", b"grpc-message"]),
        st.sampled_from([b"200", b"0", b"5", b"application/grpc", b"%"]) | st.binary(max_size=300),
    ),
    st.binary(max_size=30) | st.binary(max_size=30).map(pack),
)
def test_whatever_a_response_is(headers: dict[bytes, bytes], body: bytes) -> None:
    """It has a message, or there is a failure with one line of words."""
    connection = GrpcConnection(Site().pool())
    response = Response(0.0)
    response.headers, response.body = headers, body
    try:
        why = "" if connection.reply(response) in body else "another body"
    except Failure as error:
        why = str(error)
    assert len(why) < 400
    assert why.isprintable()


# --- TLS ---


@dataclass
class Certificates:
    """An authority, the file that it is known by, and a server's context with a certificate that it has signed."""

    ca: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority, file = trustme.CA(), tmp_path_factory.mktemp("certificates") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("dns.example.org", "127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return Certificates(file, context)


@pytest.mark.parametrize("name", ["dns.example.org", ""])
def test_a_call_over_tls(certificates: Certificates, name: str) -> None:
    async def test(site: Site) -> None:
        pool = site.pool(name=name, grpc=client_context([str(certificates.ca)], ["h2"]))
        asking = site.ask(pool)
        call = await site.calls.get()
        assert (call.headers[":scheme"], call.headers[":authority"]) == ("https", name or str(site.address))
        assert call.headers["grpc-timeout"] == "99999999m"
        call.answer(pack(reply(QUERY)))
        assert await asking == reply(QUERY)
        pool.close()

    dialogue(test, certificates.server)


def test_a_certificate_of_somebody_else(certificates: Certificates) -> None:
    async def test(site: Site) -> None:
        pool = site.pool(name="other.example.org", grpc=client_context([str(certificates.ca)], ["h2"]))
        with pytest.raises(Failure, match=f"dial tcp {site.address}: tls: .* x509: Hostname mismatch"):
            await site.ask(pool)
        pool.close()

    dialogue(test, certificates.server)


# --- in a server ---


def test_a_server_asks_another() -> None:
    async def test(site: Site) -> None:
        text = f".:0 {{\ngrpc . 127.0.0.1:1 {site.address} {{\npolicy sequential\n}}\n}}"

        def ask() -> int:
            with Running(text) as server:
                return server.ask("www.example.org.").rcode

        asking = asyncio.ensure_future(asyncio.to_thread(ask))
        call = await site.calls.get()
        call.answer(pack(unpack(call.body)[:2] + w.HEADER.pack(0, w.QR | codes.REFUSED, 1, 0, 0, 0)[2:] + QUERY[12:]))
        assert await asking == codes.REFUSED

    dialogue(test)
