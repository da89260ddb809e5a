"""An upstream that has one address for every name, as a process of its own: `python -m bench.echo` prints its port."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corepy import codes
from corepy import wire as w


def answered(wire: bytes) -> bytes:
    """A query as its reply with one address."""
    record = b"\xc0\x0c" + w.RECORD.pack(codes.A, codes.IN, 3600, 4) + b"\xc0\0\2\1"
    return wire[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + wire[12:] + record


@contextmanager
def echo() -> Iterator[int]:
    """Such a process; its port."""
    command, root = [sys.executable, "-m", "bench.echo"], Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """Answer until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        print(sock.getsockname()[1], flush=True)
        while True:
            wire, client = sock.recvfrom(512)
            sock.sendto(answered(wire), client)


if __name__ == "__main__":
    main()
