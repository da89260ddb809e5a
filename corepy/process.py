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
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import corepy
from corepy.clock import SYSTEM, Timer
from corepy.errors import ConfigError
from corepy.log import Log, at_once, log
from corepy.source import NotFound, Source
from corepy.systemd import READY, STOPPING, notify, reloading

if TYPE_CHECKING:
    from corepy.origin import Watcher
    from corepy.site import Configuration

T = TypeVar("T")

FORCED = 2
"""Exit status after a second SIGINT."""

_COLLECTIONS = (20_000, 50, 100)
"""New objects until the youngest are looked at, and how often that happens until the next generation is. Python's 700
are fewer than a few hundred queries on their way consist of: these would be looked at over and over, and survive. A
server whose cache fills saves a fifteenth of its time."""


class Serving(Protocol):
    """What serves: a Server in this process, or worker processes."""

    @property
    def forks(self) -> bool:
        """Whether it makes processes; this one may have no threads then."""

    async def start(self, configuration: Configuration) -> None:
        """Serve a configuration. Raises ConfigError where that cannot be; then the running one goes on."""

    async def stop(self) -> None:
        """Answer what has been accepted, then end."""

    def close(self) -> None:
        """End at once."""


def version_lines() -> list[str]:
    """Our name and version, and what we run on."""
    build = f"{sys.platform}/{platform.machine()}, python{platform.python_version()}, "
    return [f"corepy-{corepy.__version__}", build]


class Process:
    """One run of the server, from its first line to its exit status."""

    def __init__(
        self, source: Source, server: Serving, *, quiet: bool = False, pidfile: str | None = None
    ) -> None:
        self._source = source
        self._server = server
        self._quiet = quiet
        self._pidfile = pidfile
        self._stopping = False
        self._serving = asyncio.Event()
        self._reload = asyncio.Lock()
        self._watching: Timer | None = None
        self._looking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, configuration: Configuration) -> int:
        """Serve until a signal ends it; the exit status. Raises ConfigError where it cannot even begin."""
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._handle_signals()   # before a socket is open, for whoever takes that for the sign that we are there
        await self._server.start(configuration)
        self._serving.set()
        self._announce(configuration.describe())
        self._watch(configuration)
        self._write_pidfile()
        self._announce(version_lines())
        notify(READY)
        Log.soon = asyncio.get_running_loop().call_soon
        gc.collect()
        gc.freeze()   # what is alive now stays; no collection has to look at it again
        gc.set_threshold(*_COLLECTIONS)
        try:
            return await self._end
        finally:
            self._server.close()
            Log.soon = staticmethod(at_once)
            Log.flush()
            self._remove_pidfile()

    def _announce(self, lines: list[str]) -> None:
        """Write lines of the start, unless they are not wanted or nobody is there to read them."""
        if not self._quiet and Log.structured:
            for line in lines:
                log.info(line)
        elif not self._quiet:
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
        actions: dict[signal.Signals, Callable[[], object]] = {
            signal.SIGTERM: self._terminate,
            signal.SIGINT: self._interrupt,
            signal.SIGQUIT: self._quit,
            signal.SIGHUP: lambda: None,
            signal.SIGUSR1: lambda: self._spawn(self._user_reload()),
        }
        for number, action in actions.items():
            loop.add_signal_handler(number, action)

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
            notify(STOPPING)
            self._spawn(self._shut_down())

    async def _shut_down(self) -> None:
        await self._serving.wait()
        await self._server.stop()
        self._exit(0)

    def _exit(self, code: int) -> None:
        if not self._end.done():
            self._end.set_result(code)

    # --- reload ---

    async def _user_reload(self) -> None:
        log.info("SIGUSR1: Reloading")
        if not self._source.reloadable:
            log.error("SIGUSR1: no Caddyfile loader with which to reload Caddyfile")
            return
        try:
            await self.reload()
        except NotFound as error:
            log.error(f"SIGUSR1: {error}")
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the old configuration serves
            log.error(f"SIGUSR1: starting with listener file descriptors: {_reason(error)}")

    async def reload(self) -> None:
        """Read the Corefile again and serve what it says. Raises what is wrong; then the old one goes on."""
        await self._serving.wait()
        async with self._reload:
            notify(reloading())
            try:
                await self._replace()
            finally:
                notify(READY)

    async def _replace(self) -> None:
        self._source.fetch("loading updated Caddyfile")   # where it is gone, nothing has begun
        log.info("Reloading")
        try:
            configuration = self._source.read()
            self._check(configuration)
            await self._server.start(configuration)
        except Exception as error:
            log.error(f"Restart failed: {_reason(error)}")
            raise
        self._watch(configuration)
        log.info("Reloading complete")

    def _check(self, configuration: Configuration) -> None:
        """Refuse what a reload cannot bring about."""
        if configuration.workers > 1 and not self._server.forks:
            raise ConfigError("several processes: a server that was started as one has to be started anew for them")

    def _watch(self, configuration: Configuration) -> None:
        """Let the configuration's own watcher look after the files from now on."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if (watcher := configuration.watcher) is not None:
            origin = _Files(configuration.digest, self, self._source)
            interval = watcher.begin(configuration.digest)
            self._watching = SYSTEM.every(interval, partial(self._look, watcher, origin))

    def _look(self, watcher: Watcher, origin: _Files) -> None:
        if not self._stopping and (self._looking is None or self._looking.done()):
            self._looking = self._spawn(watcher.look(origin))

    async def aside(self, action: Callable[[], T]) -> T:
        """Do what takes its time: in a thread, if there may be one."""
        return action() if self._server.forks else await asyncio.to_thread(action)


class _Files:
    """The files of the running configuration: its Origin."""

    def __init__(self, digest: str, process: Process, source: Source) -> None:
        self.digest = digest
        self.reload = process.reload
        self._process = process
        self._source = source

    async def look(self) -> str | None:
        """The digest of the files as they are now, whatever directives they name."""
        try:
            return (await self._process.aside(partial(self._source.parse, any_directive=True))).digest
        except NotFound:
            return None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ConfigError) else repr(error)
