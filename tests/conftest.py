"""What tests share: ports that are free, servers in this process, and commands beside it, all ended with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Protocol

import pytest
from hypothesis import settings

import corepy
from corepy import registry
from corepy.clock import SYSTEM, Clock
from corepy.plugin import Plugin
from corepy.testing import Running, layout

# A busy machine is no failure of a test; and the gate judges a change by the same examples each time.
settings.register_profile("corepy", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("corepy")

PATIENCE = 30.0
"""Seconds for what takes a fraction of one: only a test that fails waits for so long."""
HOME = str(Path(corepy.__file__).parent.parent)


# --- ports ---


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Give a port that is free for UDP and TCP, IPv4 and IPv6, another one with each call."""
    return layout.free_port


# --- servers in this process ---


class Serve(Protocol):
    """What the fixture `serve` is."""

    def __call__(self, text: str, *, clock: Clock = SYSTEM) -> Running:
        """Serve a Corefile until the test ends."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(text: str, *, clock: Clock = SYSTEM) -> Running:
            return stack.enter_context(Running(text, clock=clock))

        yield start


@pytest.fixture
def directives(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let Corefiles of this test name plugins of its own: `directives(slow=Slow)`."""
    real, known = registry.find, registry.known()
    mine: dict[str, type[Plugin]] = {}

    def add(**plugins: type[Plugin]) -> None:
        for name, plugin in plugins.items():
            plugin.before = plugin.before or "whoami"
            mine[name] = plugin

    monkeypatch.setattr(registry, "find", lambda name: mine[name] if name in mine else real(name))
    monkeypatch.setattr(registry, "known", lambda: [*known, *mine])
    return add


# --- commands ---


class Command:
    """A program whose standard output is read line by line, as it comes."""

    def __init__(self, arguments: list[str], *, cwd: Path, stdin: bytes | None = b"") -> None:
        # Only what the program needs: variables of the machine's must not be a part of the test.
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": HOME, "PYTHONWARNINGS": "error"}
        self.process = subprocess.Popen(  # noqa: S603 - programs that the tests name
            arguments, cwd=cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            process_group=0,
        )  # fmt: skip
        if stdin is not None:
            self.feed(stdin)
        self._lines: Queue[str | None] = Queue()
        self._errors: list[str] = []
        self._seen: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def feed(self, data: bytes) -> None:
        """Write all of standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.close()

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.decode().rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line.decode().rstrip("\n"))

    def line(self) -> str:
        """The next line; fails where there is none."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            raise AssertionError(f"no further line after {self._seen}, {self._errors}") from None
        assert line is not None, f"ended after {self._seen}, {self._errors}"
        self._seen.append(line)
        return line

    def lines(self, count: int) -> list[str]:
        """The next lines."""
        return [self.line() for _ in range(count)]

    def until(self, text: str) -> list[str]:
        """The lines up to one that contains the text."""
        lines = [self.line()]
        while text not in lines[-1]:
            lines.append(self.line())
        return lines

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, list[str], list[str]]:
        """Wait for its end: exit status, the lines not yet read, standard error."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        rest = []
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            rest.append(line)
        self._lines.put(None)
        return code, rest, self._errors

    def kill(self) -> None:
        """End it and all that it has started, even what is stopped, and close all that was open."""
        with suppress(ProcessLookupError):   # a child that lives on keeps our end of its output open
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Start(Protocol):
    """What the fixtures `command` and `corepy_command` are."""

    def __call__(self, *arguments: str, stdin: bytes | None = b"") -> Command:
        """Start a program in the test's own directory; `stdin` of None leaves standard input open."""


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(*arguments: str, stdin: bytes | None = b"") -> Command:
            started = Command(list(arguments), cwd=tmp_path, stdin=stdin)
            stack.callback(started.kill)
            return started

        yield start


@pytest.fixture
def corepy_command(command: Start) -> Start:
    """Start corepy, as `python -m corepy` does."""

    def start(*arguments: str, stdin: bytes | None = b"") -> Command:
        return command(sys.executable, "-m", "corepy", *arguments, stdin=stdin)

    return start
