"""The life of the process: where its Corefile comes from, its first lines, signals, reloads, and its end.

Texts and exit codes are CoreDNS's, under our own name.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import platform
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import corepy
from corepy import corefile, registry, site
from corepy.errors import ConfigError
from corepy.log import Log, at_once, log
from corepy.server import Server

FORCED = 2
"""Exit status after a second SIGINT."""


class NotFound(Exception):  # noqa: N818 - says what happened, as FileNotFoundError would
    """A Corefile that cannot be read; the text is CoreDNS's."""


@dataclass(frozen=True)
class Source:
    """Where the configuration comes from, again at each reload.

    `path` is None for the built-in Corefile; `text` is kept for standard input, which can be read once.
    """

    path: str | None
    name: str = "Corefile"
    text: bytes | None = None
    port: int = 53

    @classmethod
    def find(cls, conf: str | None, port: int) -> Source:
        """The Corefile that the flags name: a file, `stdin`, else ./Corefile, else the built-in one.

        Raises NotFound.
        """
        if conf == "stdin":
            text = sys.stdin.buffer.read()
            return cls(None, "/dev/stdin", text, port) if text.strip() else cls(None, port=port)
        if not conf:
            return cls("Corefile" if Path("Corefile").is_file() else None, port=port)
        return cls(conf, conf, port=port)

    def read(self, doing: str = "loading Caddyfile via flag") -> site.Configuration:
        """The configuration as the files are now. Raises NotFound and ConfigError."""
        text = self.text
        if self.path is not None:
            try:
                text = Path(self.path).read_bytes()
            except OSError as error:
                verb = "read" if isinstance(error, IsADirectoryError) else "open"
                raise NotFound(f"{doing}: {verb} {self.path}: {(error.strerror or str(error)).lower()}") from None
        known = registry.known()
        parsed = corefile.load(text if text is not None else self._default(), self.name, known=known)
        if not parsed.blocks:
            parsed = corefile.load(self._default(), self.name, known=known)
        for warning in parsed.warnings:
            log.warning(warning)
        return site.build(parsed, default_port=self.port)

    @property
    def reloadable(self) -> bool:
        """Whether there is anything to read again; the built-in Corefile never changes."""
        return self.path is not None or self.text is not None

    def _default(self) -> bytes:
        return b".:%d {\n    whoami\n    log\n}\n" % self.port


def version_lines() -> list[str]:
    """Our name and version, and what we run on."""
    build = f"{sys.platform}/{platform.machine()}, python{platform.python_version()}, "
    return [f"corepy-{corepy.__version__}", build]


class Process:
    """One run of the server, from its first line to its exit status."""

    def __init__(self, source: Source, *, quiet: bool = False, pidfile: str | None = None) -> None:
        self._source = source
        self._quiet = quiet
        self._pidfile = pidfile
        self._server = Server()
        self._stopping = False
        self._reload = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, configuration: site.Configuration) -> int:
        """Serve until a signal ends it; the exit status. Raises ConfigError where it cannot even begin."""
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        await self._server.start(configuration)
        self._handle_signals()
        self._announce(configuration.describe())
        self._write_pidfile()
        self._announce(version_lines())
        Log.soon = asyncio.get_running_loop().call_soon
        gc.collect()
        gc.freeze()   # what is alive now stays; no collection has to look at it again
        try:
            return await self._end
        finally:
            self._server.close()
            Log.soon = staticmethod(at_once)
            Log.flush()
            self._remove_pidfile()

    def _announce(self, lines: list[str]) -> None:
        """Write lines of the start, unless they are not wanted or nobody is there to read them."""
        if not self._quiet:
            with contextlib.suppress(OSError, ValueError):
                print("\n".join(lines), flush=True)  # noqa: T201 - standard output is what it is for

    def _write_pidfile(self) -> None:
        if not self._pidfile:
            return
        try:
            Path(self._pidfile).write_text(f"{os.getpid()}\n")
        except OSError as error:
            log.error(f"Could not write pidfile: open {self._pidfile}: {(error.strerror or '').lower()}")
            self._pidfile = None

    def _remove_pidfile(self) -> None:
        if self._pidfile:
            with contextlib.suppress(OSError):
                Path(self._pidfile).unlink()

    # --- signals ---

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        actions: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGTERM: self._terminate,
            signal.SIGINT: self._interrupt,
            signal.SIGQUIT: self._quit,
            signal.SIGHUP: lambda: None,
            signal.SIGUSR1: lambda: self._spawn(self._reload_now()),
        }
        for number, action in actions.items():
            loop.add_signal_handler(number, action)

    def _spawn(self, coroutine: object) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type,var-annotated]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _terminate(self) -> None:
        log.info("SIGTERM: Shutting down servers then terminating")
        self._stop()

    def _interrupt(self) -> None:
        if self._stopping:
            log.info("SIGINT: Force quit")
            self._exit(FORCED)
            return
        log.info("SIGINT: Shutting down")
        self._stop()

    def _quit(self) -> None:
        log.info("SIGQUIT: Quitting process immediately")
        self._exit(0)

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._spawn(self._shut_down())

    async def _shut_down(self) -> None:
        await self._server.stop()
        self._exit(0)

    def _exit(self, code: int) -> None:
        if not self._end.done():
            self._end.set_result(code)

    async def _reload_now(self) -> None:
        """Read the Corefile again and serve what it says; whatever is wrong leaves the old one serving."""
        log.info("SIGUSR1: Reloading")
        if not self._source.reloadable:
            log.error("SIGUSR1: no Caddyfile loader with which to reload Caddyfile")
            return
        async with self._reload:
            try:
                configuration = self._source.read("loading updated Caddyfile")
            except NotFound as error:
                log.error(f"SIGUSR1: {error}")
                return
            except Exception as error:  # noqa: BLE001 - whatever is wrong leaves the old configuration serving
                log.info("Reloading")
                self._failed(error)
                return
            log.info("Reloading")
            try:
                await self._server.start(configuration)
            except Exception as error:  # noqa: BLE001 - a plugin that cannot start leaves the old configuration serving
                self._failed(error)
                return
            log.info("Reloading complete")

    @staticmethod
    def _failed(error: Exception) -> None:
        reason = str(error) if isinstance(error, ConfigError) else repr(error)
        log.error(f"Restart failed: {reason}")
        log.error(f"SIGUSR1: starting with listener file descriptors: {reason}")
