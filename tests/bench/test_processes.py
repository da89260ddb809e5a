"""bench.processes: a program with its children, what they use, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import DidNotStartError, running, tree
from corepy.testing.layout import free_port


def test_a_tree_has_the_children() -> None:
    program = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - a program of our own
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert tree(process.pid) == [process.pid, child]
        for each in (child, process.pid):
            os.kill(each, 9)
    assert tree(process.pid) == [process.pid]


def test_a_server_is_measured_and_ended(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(f".:{port} {{\n whoami\n}}\n")
    command = [sys.executable, "-m", "corepy", "-conf", "Corefile"]
    with running(command, port, tmp_path, "example.org") as server:
        assert 0 < server.start < 30
        assert server.memory() > 5
        assert server.cpu() > 0
        assert server.process.poll() is None
    assert server.process.poll() == 0
    assert server.memory() == 0


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such zone'); raise SystemExit(1)"]
    with pytest.raises(DidNotStartError, match="no such zone"), running(command, free_port(), tmp_path, "example.org"):
        pass
