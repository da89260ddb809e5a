"""Programs that are measured: started, asked what they use, and ended. For Linux: it is read from /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corepy.testing.messages import message

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE: Final = 30.0
"""Seconds for a server to start."""
_LOOK: Final = 0.005
"""Seconds between two questions whether it has: how exact the time of its start is."""
_PROC: Final = Path("/proc")
ROOT: Final = Path(__file__).parents[1]


@dataclass
class Running:
    """A server that has answered: its process, and the seconds until then."""

    process: subprocess.Popen[bytes]
    port: int
    start: float

    def cpu(self) -> float:
        """Seconds of CPU that it and its children have used so far, user and system."""
        return sum(map(_cpu_of, tree(self.process.pid)))

    def memory(self) -> float:
        """MiB in memory, what several processes share counted once."""
        return sum(map(_memory_of, tree(self.process.pid))) / 1024


class DidNotStartError(Exception):
    """A server that has ended, or not answered in time; with what it wrote last."""


@contextmanager
def running(command: Sequence[str], port: int, folder: Path, name: str) -> Iterator[Running]:
    """Start a server, wait until it answers a question for `name`, and end it afterwards."""
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, name, log)
        yield Running(process, port, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    question, end = message(name), time.perf_counter() + _PATIENCE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_LOOK)
        client.connect(("127.0.0.1", port))
        while time.perf_counter() < end and process.poll() is None:
            try:
                client.send(question)
                if client.recv(512)[3] & 0xF == 0:
                    return
            except OSError:   # not there, or not yet awake
                time.sleep(_LOOK)
    raise DidNotStartError(f"{process.args!r} does not answer: {log.read_text(errors='replace')[-400:]}")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found, left = [], [pid]
    while left:
        each = left.pop()
        found.append(each)
        for task in _read_tasks(each):
            left += map(int, task.split())
    return found


def _read_tasks(pid: int) -> Iterator[str]:
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            yield (task / "children").read_text()
    except OSError:   # it has ended
        return


def _cpu_of(pid: int) -> float:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory_of(pid: int) -> int:
    """KiB."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


__all__ = ["DidNotStartError", "Running", "running", "tree"]
