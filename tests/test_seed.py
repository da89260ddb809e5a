"""seed: secrets that all workers of a server have in common, and no other server."""

from __future__ import annotations

import os
import subprocess
import sys

from corepy.seed import derived
from tests.conftest import HOME


def test_each_purpose_has_its_own() -> None:
    assert derived("cookies", 16) == derived("cookies", 16)
    assert len({derived("cookies", 16), derived("others", 16), derived("cookies", 32)[:16]}) == 3
    assert [len(derived("cookies", size)) for size in (1, 16, 64)] == [1, 16, 64]


def test_a_worker_has_that_of_its_server() -> None:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, derived("cookies", 16))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == derived("cookies", 16)
    os.wait()


def test_another_server_has_another_one() -> None:
    program = "from corepy.seed import derived; print(derived('cookies', 16).hex())"
    other = subprocess.run(  # noqa: S603 - a program of our own
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": HOME}
    )
    assert bytes.fromhex(other.stdout) != derived("cookies", 16)
