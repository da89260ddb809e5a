"""A client for the endpoints of plugins: health, readiness, metrics."""

from __future__ import annotations

from http.client import HTTPConnection

from corepy.testing.client import PATIENCE


def fetch(port: int, path: str, *, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    """Status and body of one request on a connection of its own. Raises OSError where nobody answers."""
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


__all__ = ["fetch"]
