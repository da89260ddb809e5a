"""HTTP messages: what is a request, what is none, and what a response looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.httpmessage import MAX_BODY, MAX_HEAD, BadRequest, Parsed, Request, Response, encode, error, parse

HOST = b"Host: localhost\r\n"


def whole(text: bytes) -> Parsed:
    parsed = parse(text)
    assert parsed is not None
    assert parsed.end == len(text)
    return parsed


@pytest.mark.parametrize(
    ("text", "request_", "keep"),
    [
        (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", Request("GET", "/"), True),
        (b"GET / HTTP/1.1\n" + b"Host: x\n\n", Request("GET", "/"), True),
        (b"GET /a/b?c=d&e HTTP/1.1\r\nhost:\r\n\r\n", Request("GET", "/a/b", "c=d&e"), True),
        (b"HEAD /x? HTTP/1.1\r\n" + HOST + b"Connection: Close\r\n\r\n", Request("HEAD", "/x"), False),
        (b"GET http://example.org:80/x?y HTTP/1.1\r\n" + HOST + b"\r\n", Request("GET", "/x", "y"), True),
        (b"GET / HTTP/1.0\r\n\r\n", Request("GET", "/"), False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Request("GET", "/"), True),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", Request("POST", "/"), True),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-Y: a: b \t\r\nX-Y: c\r\n\r\n", Request("GET", "/"), True),
    ],
)
def test_requests(text: bytes, request_: Request, keep: bool) -> None:
    assert whole(text) == Parsed(request_, keep, len(text))
    for end in range(text.index(b"\n\r\n" if b"\r" in text else b"\n\n") + 1):
        assert parse(text[:end]) is None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /\x80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b" folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 411),
        (b"\x16\x03\x01", 400),
        (b"G" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\n" + HOST * MAX_HEAD, 431),
    ],
)
def test_what_is_no_request(text: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(text)
    assert caught.value.status == status
    assert error(status).status == status


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"GET / HTTP/1.1\r\n" + tail + b"\r\n\r\n"))
def test_any_octets_are_a_request_none_yet_or_a_bad_one(data: bytes) -> None:
    try:
        parsed = parse(data)
    except BadRequest:
        return
    assert parsed is None or parsed.request.path.startswith("/")


def test_numbers_in_a_query() -> None:
    request = Request("GET", "/", "seconds=1.5&seconds=3&x=&debug=-1&big=inf&no=nan&word=a")
    assert request.number("seconds", 9) == 1.5
    for name in ("x", "debug", "big", "no", "word", "missing"):
        assert request.number(name, 9) == 9


def test_responses() -> None:
    head, _, body = encode("GET", Response(b"body", 200), keep=True).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:3] == [b"HTTP/1.1 200 OK", b"Content-Type: text/plain; charset=utf-8", b"Content-Length: 4"]
    assert lines[3].startswith(b"Date: ")
    assert lines[3].endswith(b" GMT")
    assert (len(lines), body) == (4, b"body")
    head, _, body = encode("HEAD", Response(b"body", 302, location="/x"), keep=False).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[4:] == [b"Location: /x", b"Connection: close"]
    assert b"Content-Length: 4" in head
    assert body == b""
