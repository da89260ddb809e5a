"""A name server under test, started as an operator starts it, and an upstream that answers what its name says."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Self

from bench.processes import tree
from corepy import codes
from corepy.address import Address
from corepy.proxyproto import encode_v2
from corepy.testing import Client
from corepy.testing.layout import free_port

HOST: Final = "127.0.0.1"
ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0
"""Seconds for a program to begin to answer."""
COREFILE: Final = """\
.:{port} {{
    bind 127.0.0.1
    errors
    cache 1
    forward . {upstreams}
}}
large.example:{port} {{
    bind 127.0.0.1
    file zone
}}
.:{proxy} {{
    bind 127.0.0.1
    errors
    proxyproto {{
        allow 127.0.0.0/8
        udp_session_tracking 60s 10240
    }}
    whoami
}}
"""
ZONE: Final = "$ORIGIN large.example.\n@ 60 IN SOA ns admin 1 2 3 4 5\n@ IN NS ns\n" + "".join(
    f'@ IN TXT "{number:03d}{"x" * 240}"\n' for number in range(200)
)
"""With an answer of 50 KiB."""


class Program:
    """A process with its output in a file."""

    def __init__(self, command: list[str], folder: Path, *, descriptors: int = 0) -> None:
        self.output = folder / f"output-{time.monotonic_ns()}"
        before = resource.getrlimit(resource.RLIMIT_NOFILE)

        def few() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors or before[0], before[1]))

        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output, preexec_fn=few  # noqa: PLW1509 - no threads yet
            )
        self.pid = self.process.pid

    @property
    def memory(self) -> int:
        """Resident KiB of the program and what it has started."""
        return sum(_resident(pid) for pid in tree(self.pid))

    @property
    def descriptors(self) -> int:
        """How many it has."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def wait_for(self, port: int, name: str) -> None:
        """Wait until it answers there. Raises TimeoutError, with the program ended."""
        try:
            until_it_answers(port, name)
        except TimeoutError:
            self.process.kill()
            raise

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal: exit status, and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), time.monotonic() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Upstream(Program):
    """`bench.soak.upstream` on a port."""

    def __init__(self, folder: Path, port: int, delay: float = 0.0) -> None:
        self.port = port
        super().__init__([sys.executable, "-m", "bench.soak.upstream", str(port), str(delay)], folder)
        self.wait_for(port, "n1.soak.example.")


class Server(Program):
    """The server under test: forwards on `port`, and is behind a proxy on `proxy`."""

    def __init__(self, command: str, folder: Path, *upstreams: int, descriptors: int = 0) -> None:
        self.folder, self.upstreams = folder, upstreams or (9,)
        self.port, self.proxy = free_port(), free_port()
        self.version = 0
        (folder / "zone").write_text(ZONE)
        self.write()
        super().__init__([*shlex.split(command), "-conf", "Corefile"], folder, descriptors=descriptors)
        self.wait_for(self.proxy, "whoami.example.")

    def write(self, more: str = "") -> None:
        """The Corefile, another one each time."""
        self.version += 1
        names = " ".join(f"{HOST}:{port}" for port in self.upstreams)
        text = COREFILE.format(port=self.port, proxy=self.proxy, upstreams=names)
        (self.folder / "Corefile").write_text(f"# {self.version}\n{text}{more}")


def until_it_answers(port: int, name: str, *, patience: float = 3.0) -> None:
    """Wait for a server, and ask again after so many seconds. Raises TimeoutError."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with Client(HOST, port, timeout=patience) as client:
                client.ask(name)
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nobody answers on port {port}")


def header(number: int) -> bytes:
    """A PROXY header of one of many clients."""
    return encode_v2(Address(bytes((198, 18, number >> 8 & 255, number & 255)), 4242), Address.of("192.0.2.53", 53))


def whom(port: int, source: tuple[str, int]) -> str:
    """Whom a server behind a proxy takes a place for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(source)
        sock.settimeout(2)
        client = Client.__new__(Client)
        client.socket, client._stream, client._messages = sock, False, []  # noqa: SLF001 - from a place of our choice
        sock.connect((HOST, port))
        found = client.ask("whoami.example.").record.ar
    return next(str(record.rdata) for record in found if record.rtype in (codes.A, codes.AAAA))


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() // 1024
    except FileNotFoundError:
        return 0
