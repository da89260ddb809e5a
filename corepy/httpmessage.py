"""HTTP/1.1 messages as octets (RFC 9110, RFC 9112): reads requests, writes responses, knows no sockets."""

from __future__ import annotations

import re
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs

MAX_HEAD: Final = 8192
"""Octets of request line and headers: ten times what a monitoring system sends."""
MAX_BODY: Final = 65536
"""Octets of a body, which are read only to be dropped; no handler wants one."""
PLAIN: Final = "text/plain; charset=utf-8"

_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE: Final = re.compile(rb"([A-Z]{1,20}) (?:http://[^/? ]*)?(/[!-~]*) HTTP/(\d)\.(\d)")
"""RFC 9112 3; the form with a scheme is for proxies, but servers take it (3.2.2)."""
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*")


class Request(NamedTuple):
    """What a handler gets to see."""

    method: str
    path: str
    query: str = ""
    """What is behind the question mark."""
    authorization: str = ""
    """The credentials, as the header field of this name has them."""

    def number(self, name: str, default: float) -> float:
        """A parameter as a number; the default where it is missing, negative or none."""
        try:
            value = float(parse_qs(self.query)[name][0])
        except (KeyError, ValueError):
            return default
        return value if 0 <= value < float("inf") else default


class Response(NamedTuple):
    """What a handler answers."""

    body: bytes = b""
    status: int = 200
    content_type: str = PLAIN
    location: str = ""
    """Where to go instead, for a status of 302."""
    headers: tuple[tuple[str, str], ...] = ()
    """More of them."""


def error(status: int) -> Response:
    """The response that has nothing to say but its status; 404 in CoreDNS's words."""
    phrase = "page not found" if status == HTTPStatus.NOT_FOUND else HTTPStatus(status).phrase
    return Response(f"{status} {phrase}\n".encode(), status)


class BadRequest(Exception):  # noqa: N818 - a client's mistake
    """A request that is answered with `status` and the end of the connection."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Parsed(NamedTuple):
    """A request, whether its connection is kept, and the offset behind its body, which may not have arrived yet."""

    request: Request
    keep: bool
    end: int


def parse(data: bytes) -> Parsed | None:
    """The first request in these octets, None until its head is whole. Raises BadRequest for what is none."""
    end = _END.search(data, 0, MAX_HEAD)
    if end is None:
        if data and not data[:1].isupper():   # such as the first octet of a TLS handshake
            raise BadRequest(400)
        if len(data) >= MAX_HEAD:
            raise BadRequest(431)
        return None
    first, *lines = re.split(rb"\r?\n", data[: end.start()])
    match = _LINE.fullmatch(first)
    if match is None:
        raise BadRequest(400)
    if match[3] != b"1":
        raise BadRequest(505)
    fields = _fields(lines)
    modern = match[4] != b"0"
    if modern and b"host" not in fields:   # RFC 9112 3.2
        raise BadRequest(400)
    body = _body_size(fields)
    connection = fields.get(b"connection", b"").lower()
    keep = b"close" not in connection if modern else b"keep-alive" in connection
    path, _, query = match[2].decode().partition("?")
    authorization = fields.get(b"authorization", b"").decode("latin-1")
    return Parsed(Request(match[1].decode(), path, query, authorization), keep, end.end() + body)


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """The header fields, names in lower case; of several with one name the last."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadRequest(400)
        name = field[1].lower()
        if name in fields and name in (b"host", b"content-length"):
            raise BadRequest(400)   # RFC 9112 3.2, 6.3: who reads the other one sees another request
        fields[name] = field[2]
    return fields


def _body_size(fields: dict[bytes, bytes]) -> int:
    """How many octets follow the head; a length is wanted where there is a body at all."""
    if b"transfer-encoding" in fields:
        raise BadRequest(411)
    length = fields.get(b"content-length", b"0")
    if re.fullmatch(rb"[0-9]{1,18}", length) is None:
        raise BadRequest(400)
    if int(length) > MAX_BODY:
        raise BadRequest(413)
    return int(length)


def encode(method: str, response: Response, *, keep: bool) -> bytes:
    """The response in octets; HEAD gets the headers alone (RFC 9110 9.3.2)."""
    head = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Date: {formatdate(usegmt=True)}",
    ]
    head += [f"{name}: {text}" for name, text in response.headers]
    if response.location:
        head.append(f"Location: {response.location}")
    if not keep:
        head.append("Connection: close")
    body = b"" if method == "HEAD" else response.body
    return "\r\n".join([*head, "\r\n"]).encode() + body


__all__ = ["MAX_BODY", "MAX_HEAD", "PLAIN", "BadRequest", "Parsed", "Request", "Response", "encode", "error", "parse"]
