"""The other side of an HTTP endpoint: ask for a path, and see whether that succeeds."""

from __future__ import annotations

import asyncio


async def get(host: str, port: int, path: str) -> None:
    """Wait for a success (status 200). Raises OSError for anything else."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
    except ValueError as reason:   # a line without end
        raise ConnectionError(str(reason)) from None
    finally:
        writer.close()
    if line.split()[1:2] != [b"200"]:
        raise ConnectionError(f"answered {line[:40]!r}")


__all__ = ["get"]
