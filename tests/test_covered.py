"""corepy that counts what its queries meet, and tells at its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from corepy.testing.client import Client

if TYPE_CHECKING:
    from tests.conftest import Start


def test_counts_of_each_configuration(
    command: Start, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    corefile = tmp_path / "Corefile"
    corefile.write_text(f".:{port} {{\n bind 127.0.0.1\n log\n acl {{\n  block type TXT\n  allow\n }}\n whoami\n}}\n")
    server = command(sys.executable, "-m", "corepy.covered", "counts", "-conf", "Corefile")
    server.until("linux")
    with Client("127.0.0.1", port, "udp") as client:
        client.ask("example.org.")
        client.ask("example.org.", "TXT")
    server.signal(signal.SIGUSR1)
    server.until("Reloading complete")
    with Client("127.0.0.1", port, "udp") as client:
        client.ask("example.org.")
    server.signal(signal.SIGTERM)
    assert server.end()[0] == 0
    # The block; log; acl, its two rules; whoami.
    assert json.loads((tmp_path / "counts").read_text()) == [[2, 2, 2, 1, 1, 1], [1, 1, 1, 0, 1, 1]]


def test_a_corefile_that_cannot_be_served_has_nothing_to_count(command: Start, tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(". {\n whoami x\n}\n")
    assert command(sys.executable, "-m", "corepy.covered", "counts").end()[0] == 1
    assert json.loads((tmp_path / "counts").read_text()) == []
