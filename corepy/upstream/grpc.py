"""Upstreams over gRPC: CoreDNS's service, one call for each question, on HTTP/2 with TLS or without it.

As CoreDNS has it: the question goes as it is, id and all; a call is for the name in the certificate, where there is
one, and says how long it may take. Its outcome is that of the trailers: a status other than OK is a failure, and
NOT_FOUND one with the rcode NXDOMAIN. What this needs is the extra `corepy[grpc]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import unquote_to_bytes

from corepy import codes
from corepy import grpcmessage as g
from corepy.errors import Failure
from corepy.upstream.http2 import Headers, Http2Connection, Http2Upstream, Request, Response, authority, status

if TYPE_CHECKING:
    from corepy.upstream.base import Waiter
    from corepy.upstream.connections import ConnectionPool

_MAX_TIMEOUT: Final = 99_999_999
"""Milliseconds: a timeout has eight digits."""
_SHOWN: Final = 200
"""Characters of an upstream's words that go into the log, which is ours."""


class GrpcConnection(Http2Connection):
    """A connection with a stream for each call."""

    most_body: ClassVar[int] = g.MAX_BODY

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(pool)
        named = pool.tls is not None and bool(pool.target.server_name)
        self._request: Headers = [
            (b":method", b"POST"),
            (b":scheme", b"https" if pool.tls else b"http"),
            (b":path", g.PATH),
            (b":authority", pool.target.server_name.encode() if named else authority(pool.target)),
            (b"content-type", g.CONTENT_TYPE),
            (b"te", b"trailers"),
        ]

    def request(self, wire: bytes, waiter: Waiter) -> Request:
        """The call, with the time that it may take."""
        left = (waiter.due - self.pool.clock.now()) * 1000
        timeout = b"%dm" % max(1, int(min(left, _MAX_TIMEOUT)))
        return Request([*self._request, (b"grpc-timeout", timeout)], g.pack(wire))

    def reply(self, response: Response) -> bytes:
        """The message that the call returns."""
        headers = response.headers
        if why := status(response):
            raise Failure(why)
        if not g.is_grpc(headers.get(b"content-type", b"")):
            raise Failure("the response is not gRPC's")
        if b"grpc-status" not in headers:
            raise Failure("grpc: no status")
        if headers[b"grpc-status"] != b"0":
            raise _refusal(headers[b"grpc-status"], headers.get(b"grpc-message", b""))
        try:
            return g.unpack(response.body)
        except ValueError as error:
            raise Failure(f"grpc: {error}") from None


class GrpcUpstream(Http2Upstream):
    """A server of CoreDNS's gRPC service."""

    connection: ClassVar[type[Http2Connection]] = GrpcConnection


def _refusal(code: bytes, words: bytes) -> Failure:
    """What a status other than OK means; its message is written with percent signs, and may hold anything."""
    names = dict(enumerate(g.STATUS))
    number = int(code) if code.isdigit() and len(code) < 3 else -1
    text = unquote_to_bytes(words[: _SHOWN * 3]).decode("utf-8", "replace")[:_SHOWN]
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    why = f"grpc: {names.get(number, 'a status that does not exist')}{': ' * bool(text)}{text}"
    return Failure(why, codes.NXDOMAIN if number == g.NOT_FOUND else codes.SERVFAIL)
