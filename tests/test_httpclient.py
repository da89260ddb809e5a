"""corepy.httpclient: what counts as a success."""

from __future__ import annotations

import asyncio

import pytest

from corepy.httpclient import get


async def outcome(response: bytes) -> str:
    """What `get` makes of a server that says this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /path HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        writer.write(response)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        await get("127.0.0.1", server.sockets[0].getsockname()[1], "/path")
    except OSError as error:
        return str(error)
    finally:
        server.close()
    return ""


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered b'HTTP/1.1 503 Service Unavailable"),
        (b"", "answered b''"),
        (b"nonsense\n", "answered b'nonsense"),
        (b"x" * 100_000, "Separator is not found"),
    ],
)
def test_only_200_is_a_success(response: bytes, expected: str) -> None:
    said = asyncio.run(outcome(response))
    assert said.startswith(expected)
    assert bool(said) == bool(expected)
