"""Upstreams over HTTPS: DNS messages as requests and responses of HTTP/2 (RFC 8484, RFC 9113).

As CoreDNS has it: the path is /dns-query, the id 0, and both media types are named whatever the method. Other than
there, a status that is not 200 is a failure, whatever comes with it, and HTTP/1.1 is not spoken. What it needs is the
extra `corepy[https]`.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, ClassVar, Final

from corepy import wire as w
from corepy.errors import Failure
from corepy.upstream.http2 import Http2Connection, Http2Upstream, Request, Response, authority, status

if TYPE_CHECKING:
    from corepy.upstream.base import Waiter
    from corepy.upstream.connections import ConnectionPool

PORT: Final = 443
"""The port that a request does not name (RFC 9110 4.2.2)."""
PATH: Final = b"/dns-query"
_MEDIA_TYPES: Final = [(b"content-type", b"application/dns-message"), (b"accept", b"application/dns-message")]


class HttpConnection(Http2Connection):
    """A connection with a stream for each question; those who wait are known by the number of theirs."""

    most_body: ClassVar[int] = w.MAX_MESSAGE

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(pool)
        self._get = pool.options.doh_method == "GET"
        self._request = [
            (b":method", pool.options.doh_method.encode()),
            (b":scheme", b"https"),
            (b":authority", authority(pool.target, PORT)),
        ]

    def request(self, wire: bytes, waiter: Waiter) -> Request:  # noqa: ARG002 - how long that one waits is not said
        """Under id 0, so that equal questions are equal requests (RFC 8484 4.1)."""
        message = b"\0\0" + wire[2:]
        if self._get:
            path = PATH + b"?dns=" + urlsafe_b64encode(message).rstrip(b"=")
            return Request([*self._request, (b":path", path), *_MEDIA_TYPES], b"")
        size = b"content-length", str(len(message)).encode()
        return Request([*self._request, (b":path", PATH), *_MEDIA_TYPES, size], message)

    def reply(self, response: Response) -> bytes:
        """The body, where the status is 200."""
        if why := status(response):
            raise Failure(why)
        return response.body


class HttpsUpstream(Http2Upstream):
    """A resolver of DNS over HTTPS."""

    connection: ClassVar[type[Http2Connection]] = HttpConnection
