"""corepy.systemd: what a service manager hears."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepy.systemd import READY, inherited, notify, reloading

if TYPE_CHECKING:
    from tests.conftest import Start


@pytest.mark.parametrize("abstract", [False, True])
def test_a_state_arrives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, abstract: bool) -> None:
    address = f"\0{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        notify(READY)
        notify(reloading())
        assert manager.recv(100) == b"READY=1"
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=[0-9]+", manager.recv(100))


@pytest.mark.parametrize("address", ["", "nonsense", "/gone/notify", "@gone"])
def test_nobody_there_is_no_failure(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify(READY)


def test_the_life_of_a_service(command: Start, tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(".:0 {\n whoami\n}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        running = command("/usr/bin/env", f"NOTIFY_SOCKET={tmp_path}/notify", sys.executable, "-m", "corepy")
        assert manager.recv(100) == b"READY=1"
        running.signal(signal.SIGUSR1)
        assert manager.recv(100).startswith(b"RELOADING=1\n")
        assert manager.recv(100) == b"READY=1"
        running.signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert running.end()[0] == 0


def test_sockets_that_were_opened_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    first, own = 900, str(os.getpid())
    for number, sock in enumerate(socket.socketpair(), first):
        os.dup2(sock.fileno(), number)
        sock.close()
    for process, count, expected in (own + "0", "2", 0), (own, "x", 0), (own, "2", 2):
        monkeypatch.setenv("LISTEN_PID", process)
        monkeypatch.setenv("LISTEN_FDS", count)
        found = inherited(first)
        assert [sock.fileno() for sock in found] == [first, first + 1][:expected]
    assert inherited(first) == []   # the variables are gone, and children do not take them for theirs
    for sock in found:
        sock.close()
