"""What breaks around the server: disks, certificates, clocks."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import corepy
from corepy import codes
from corepy.clock import SYSTEM
from corepy.errors import ConfigError
from corepy.testing import Client, FakeUpstreams, Running

if TYPE_CHECKING:
    from tests.conftest import Serve

FULL = Path("/dev/full")
"""A disk without room."""


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_costs_lines_and_no_answers(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(f".:{port} {{\n bind 127.0.0.1\n log\n errors\n whoami\n}}\n")
    environment = {"PYTHONPATH": str(Path(corepy.__file__).parent.parent)}
    command = [sys.executable, "-m", "corepy", "-pidfile", str(FULL)]
    with FULL.open("wb") as full:
        program = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=full, stderr=full)  # noqa: S603 - ours
    try:
        with Client("127.0.0.1", port) as client:
            while True:
                try:
                    client.ask("first.")
                    break
                except ConnectionRefusedError:  # it is not there yet
                    os.sched_yield()
            for number in range(300):
                assert client.ask(f"{number}.").rcode == codes.NOERROR
        with Client("127.0.0.1", port, "tcp") as client:
            assert client.ask().rcode == codes.NOERROR
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0
    finally:
        program.kill()
        program.wait()


def test_a_certificate_that_is_gone_at_a_reload_leaves_the_old_configuration(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    text = f". {{\n forward . tls://192.0.2.53 {{\n tls {authority}\n tls_servername x.example\n }}\n}}\n"
    with FakeUpstreams() as upstreams, Running(text) as running:
        upstreams["tls://192.0.2.53"].answer("example.org. 60 IN A 192.0.2.7")
        authority.unlink()
        with pytest.raises(ConfigError, match=r"ca\.pem"):
            running.load(text)
        assert running.ask().rcode == codes.NOERROR


@pytest.mark.parametrize("jump", [-1e9, -3600, 3600, 1e9])
def test_the_machines_clock_may_jump(serve: Serve, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    with FakeUpstreams() as upstreams:
        upstreams["192.0.2.53"].answer("example.org. 300 IN A 192.0.2.7")
        running = serve(". {\n log\n errors\n prometheus 127.0.0.1:0\n cache\n forward . 192.0.2.53\n}\n")
        assert running.ask().record.rr[0].ttl == 300
        real = SYSTEM.wall()
        monkeypatch.setattr(type(SYSTEM), "wall", staticmethod(lambda: real + jump))
        monkeypatch.setattr("time.time", lambda: real + jump)
        assert 298 <= running.ask().record.rr[0].ttl <= 300
        assert running.ask(transport="tcp").rcode == codes.NOERROR
        assert len(upstreams["192.0.2.53"].asked) == 1


WALL = {"clock", "classify", "log", "testing", "plugins"}
"""Who may read the clock that jumps: signatures and log lines have its times, plugins through their `clock`."""


def test_who_reads_the_clock_that_jumps() -> None:
    root = Path(corepy.__file__).parent
    for path in root.rglob("*.py"):
        mine = path.relative_to(root).parts[0].removesuffix(".py")
        if mine in WALL or mine == "tsig":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("time.time", "time.time_ns", "datetime.now"), f"{path}:{node.lineno}"
