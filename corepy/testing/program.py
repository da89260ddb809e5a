"""A Corefile served by a program: corepy in a process of its own, or a CoreDNS binary."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from corepy import registry, site
from corepy.clock import Clock
from corepy.door import Action, Door
from corepy.errors import ConfigError
from corepy.site import Configuration
from corepy.testing.client import PATIENCE
from corepy.testing.coverage import Coverage, Place
from corepy.testing.given import Given
from corepy.testing.layout import add_line, free_port, move_ports, replace_upstreams, written
from corepy.testing.loopback import Upstreams
from corepy.testing.running import Running
from corepy.testing.served import Served, Unsupported
from corepy.testing.session import Session
from corepy.upstream import Options, Target, Upstream, replaced
from corepy.upstream.plain import PlainUpstream

COREPY: Final = (sys.executable, "-m", "corepy")
"""How corepy is started."""
_BANNER: Final = re.compile(r"(corepy|CoreDNS)-\d")
"""The line that stands in the output when the server serves."""
_COUNTS: Final = "counts.json"
"""What a program that is watched leaves behind, beside its Corefile."""
_LOCALHOST: Final = bytes((127, 0, 0, 1))


class Program(Served):
    """A server in a process of its own, on loopback. `command` is what starts it, without its flags.

    Raises ConfigError where corepy cannot read the Corefile, RuntimeError where the program does not begin to serve.
    """

    def __init__(
        self, given: Given, upstreams: Upstreams, command: Sequence[str] = COREPY, *, live: bool = False,
        watch: Coverage | None = None,
    ) -> None:  # fmt: skip
        self.upstreams, self.answers = upstreams, []
        self._given, self._live = given, live
        self._ports: dict[int, int] = {}
        self._command = tuple(command)
        self._coverage = watch if given.folder is not None and command == COREPY else None
        self._places: list[list[Place]] = []
        self._believes = False
        """Whether the server takes us for whom a PROXY header names, though the Corefile does not say so."""
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corefile-")))
            self._write(given.text)
            if self._coverage is not None:
                command = [sys.executable, "-m", "corepy.covered", str(self._folder / _COUNTS)]
                stack.callback(self._add_counts, self._coverage)
            self._process = _Process([*command, "-conf", str(self._folder / "Corefile")], given)
            stack.callback(self._process.stop)
            self._process.until(_BANNER)
            self._stack = stack.pop_all()

    def _write(self, text: str) -> None:
        """The Corefile, fitted to the machine and to the fakes."""
        if self._coverage is not None:
            self._watch(text, self._coverage)
        parsed = self._given.read(text, None)
        self._ports = move_ports(parsed, lambda port: self._ports.get(port) or free_port())
        add_line(parsed, "bind", "127.0.0.1")
        names = {str(directive.name) for block in parsed.blocks for directive in block.directives}
        self._believes = "proxyproto" not in names and _has_proxyproto(self._command)
        if self._believes:
            add_line(parsed, "proxyproto")
        if not self._live:
            replace_upstreams(parsed, self._targets(text), self.upstreams.resolve, self._address)
        (self._folder / "Corefile").write_text(written(parsed), encoding="utf-8")

    def _watch(self, text: str, coverage: Coverage) -> None:
        """Learn the places of a Corefile; the program makes the same plugins of it, and counts in their order."""
        parsed = self._given.read(text, registry.known())
        self._places.append(coverage.watch(parsed, site.build(parsed)))

    def _add_counts(self, coverage: Coverage) -> None:
        """Take over what the program has counted; a program that was killed has not told."""
        with suppress(OSError):
            counted = json.loads((self._folder / _COUNTS).read_bytes())
            for places, counts in zip(self._places, counted, strict=False):
                coverage.add((*place, count) for place, count in zip(places, counts, strict=True))

    def _address(self, target: Target) -> str | None:
        fake = self.upstreams.at(target.address)
        return fake.address if fake else None

    def _targets(self, text: str) -> set[Target]:
        """The upstreams of a Corefile, learned by starting it here; where it cannot be, those named in the test."""
        found: set[Target] = set()

        def note(target: Target, options: Options, clock: Clock) -> Upstream:
            found.add(target)
            return PlainUpstream(target, options, clock)

        try:
            with replaced(note, self.upstreams.look_up), _Trial(self._given, text):
                return found
        except ConfigError:
            return self.upstreams.named

    def port(self, written: int = 53) -> int:
        """The port that stands for one of the Corefile's; the only one there is stands for 53, too."""
        if written not in self._ports and len(self._ports) == 1:
            return next(iter(self._ports.values()))
        return self._ports[written]

    @property
    def output(self) -> list[str]:
        """The lines that the program has written so far, of standard output and standard error."""
        return list(self._process.lines)

    def reload(self, text: str) -> None:
        """Serve another Corefile in place of this one, by SIGUSR1. Raises ConfigError where the program refuses it."""
        self._write(text)
        seen = len(self._process.lines)
        self._process.signal(signal.SIGUSR1)
        line = self._process.until(re.compile(r"Reloading complete|\[ERROR\]|\[FATAL\]"), seen)
        if "Reloading complete" not in line:
            raise ConfigError(line)

    def stop(self) -> None:
        """End it by SIGTERM; harmless when it has ended."""
        self._stack.close()

    def _speak_for(self, client: str, session: Session, port: int) -> bytes:
        if self._believes:
            return session.header_for(client)
        try:
            configuration = site.build(self._given.read(self._given.text, registry.known()))
        except ConfigError as error:
            raise Unsupported(f"a client's address needs a Corefile that corepy can read: {error}") from None
        wanted = {bind.port: listener.door for bind, listener in configuration.listeners.items()}
        door = wanted.get(port, next(iter(wanted.values())))
        if not isinstance(door, Door):
            raise Unsupported(f"{client} can ask a server in this process, or one that knows proxyproto")
        if door.policy.for_peer(_LOCALHOST) not in (Action.USE, Action.REQUIRE):
            raise Unsupported(f"proxyproto does not believe 127.0.0.1 that we are {client}: let it allow 127.0.0.0/8")
        return session.header_for(client)


@cache
def _has_proxyproto(command: tuple[str, ...]) -> bool:
    """Whether a program knows the directive, which CoreDNS does since 1.14.5."""
    asked = [*command, "-plugins"]
    listed = subprocess.run(  # noqa: S603 - the program that the test names
        asked, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True, timeout=PATIENCE
    ).stdout
    return "proxyproto" in re.findall(r"\w+", listed)


class _Trial(Running):
    """A Corefile that is started to see what becomes of it, and stopped."""

    def __init__(self, given: Given, text: str) -> None:
        self._given = given
        super().__init__(text)

    def build(self, text: str) -> Configuration:
        parsed = self._given.read(text, registry.known())
        move_ports(parsed, lambda _: 0)
        return site.build(parsed, default_port=0)


class _Process:
    """A program whose lines are read as they come."""

    def __init__(self, command: list[str], given: Given) -> None:
        self.lines: list[str] = []
        self._news: SimpleQueue[bool] = SimpleQueue()
        self._process = subprocess.Popen(  # noqa: S603 - the program that the test names
            command, cwd=given.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
            self._news.put(True)
        self._news.put(False)

    def until(self, pattern: re.Pattern[str], begin: int = 0) -> str:
        """Wait for a line, from the line number `begin` on. Raises RuntimeError where it never comes."""
        while True:
            for line in self.lines[begin:]:
                if pattern.search(line):
                    return line
            try:
                goes_on = self._news.get(timeout=PATIENCE)
            except Empty:
                goes_on = False
            if not goes_on:
                raise RuntimeError("\n".join(["the server does not serve; it said", *self.lines]))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()


__all__ = ["COREPY", "Program"]
