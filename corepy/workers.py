"""The supervisor: as many worker processes as the configuration wants, each with sockets of its own on every address.

The supervisor opens all sockets and keeps them open, whatever becomes of the worker behind them: a worker that dies is
replaced, and its successor answers what has arrived in between. Datagrams are dealt out each by itself, or by peers
where a door remembers these. A reload is prepared in all workers and then committed in all, or abandoned in all.

Processes are forked between two runs of the event loop, never within one, and there are no threads. The loop waits by
poll(2), because an epoll instance would be shared with the children.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

import corepy.seed  # noqa: F401 - it has to be made before the first worker is
from corepy.control import Channel, Message, Refused
from corepy.errors import ConfigError
from corepy.exposition import begin_anew
from corepy.front import Endpoints
from corepy.log import Log, at_once, log
from corepy.sockets import close_all, deal, open_sockets
from corepy.worker import Worker

if TYPE_CHECKING:
    from corepy.site import Bind, Configuration
    from corepy.source import Source

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
"""What the supervisor hears. Workers do not: a terminal or service manager may send them to all processes."""
_STEADY: Final = 10.0
"""Seconds after which a worker that dies is replaced at once."""
_BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next attempt, for workers that die young: a crash at the start must not eat a core."""

_PULSE: Final = 2.0
"""Seconds between two questions to a worker that is about to end, whether it is still alive."""
_LIFELESS: Final = 10.0
"""Seconds without a reply to that after which it hangs and is killed: no step of its work takes as long. One that lives
may wait for a lame duck, which has no bound but the Corefile's."""
_PATIENCE: Final = 60.0
"""Seconds for each step of a reload in a worker: ten times what large zones take, and an end to one that hangs."""

Sets = dict["Bind", list[list[socket.socket]]]
"""The sockets of each address; the first worker has the first set of each, the second the second, as far as it goes."""


@dataclass(eq=False)
class _Process:
    """A worker, seen from here."""

    index: int
    pid: int
    control: socket.socket
    born: float
    gone: asyncio.Future[None]
    channel: Channel | None = None

    async def ask(self, message: Message, sockets: Iterable[socket.socket] = ()) -> Message:
        """Its reply. Raises what `Channel.ask` does."""
        assert self.channel is not None  # noqa: S101 - it is made before anybody asks
        return await self.channel.ask(message, list(sockets))

    async def tell(self, message: Message, sockets: Iterable[socket.socket] = ()) -> None:
        """Have it do something that takes no longer than _PATIENCE; one that hangs is killed, as if it had died."""
        try:
            await asyncio.wait_for(self.ask(message, sockets), _PATIENCE)
        except TimeoutError:
            log.error(f"worker {self.index} (pid {self.pid}) does not answer")
            os.kill(self.pid, signal.SIGKILL)
            await self.gone
            raise ConnectionError("it hangs") from None


class Workers:
    """Serves configurations with worker processes; has the verbs of a Server."""

    forks: Final = True

    def __init__(self, source: Source) -> None:
        self._source = source
        self._loop = asyncio.SelectorEventLoop(selectors.PollSelector())
        self._changing = asyncio.Lock()
        self._configuration: Configuration | None = None
        self._sets: Sets = {}
        self._workers: dict[int, _Process] = {}
        self._alive: set[_Process] = set()
        """Those that serve, and those that are about to."""
        self._endpoints = Endpoints(lambda: self._workers)
        self._deaths: dict[int, int] = {}
        self._due: deque[tuple[int, Configuration, Sets, asyncio.Future[_Process]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def run(self, main: Coroutine[object, object, int]) -> int:
        """Run the supervisor's life to its end; its result. Forks on the way, so it needs to be the process's own."""
        task = self._loop.create_task(main)
        task.add_done_callback(lambda _: self._loop.stop())
        try:
            while not task.done():
                self._loop.run_forever()
                while self._due:
                    self._fork(*self._due.popleft())
            return task.result()
        finally:
            self.close()
            for other in self._tasks:
                other.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    # --- the verbs of a Server ---

    async def start(self, configuration: Configuration) -> None:
        """Serve a configuration with all workers, in place of the running one if there is one.

        Raises ConfigError where a socket cannot be opened or a worker cannot serve it; nothing has changed then.
        """
        async with self._changing:
            opened: list[socket.socket] = []
            try:
                sets = self._open(configuration, opened)
                await self._everywhere(configuration, sets)
            except BaseException:
                close_all(opened)
                raise
            for bind, each in sets.items():
                door = configuration.listeners[bind].door
                deal(each, peers_stay=door is not None and door.remembers)
            kept = {sock for some in sets.values() for each in some for sock in each}
            close_all(sock for some in self._sets.values() for each in some for sock in each if sock not in kept)
            self._configuration, self._sets = configuration, sets
            surplus = [self._workers.pop(index) for index in list(self._workers) if index >= configuration.workers]
            await asyncio.gather(*(self._dismiss(worker) for worker in surplus))

    async def stop(self) -> None:
        """Let all workers answer what they have accepted, and end."""
        self._stopping = True
        self._close_sockets()   # or the kernel would go on to make connections
        await asyncio.gather(*(self._dismiss(worker) for worker in list(self._workers.values())))

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        self._stopping = True
        self._close_sockets()
        for worker in list(self._alive):
            if worker.channel is not None:
                worker.channel.close()
            self._bury(worker)
        self._workers.clear()

    def _close_sockets(self) -> None:
        close_all(sock for some in self._sets.values() for each in some for sock in each)
        self._sets = {}

    # --- a configuration in two phases ---

    def _open(self, configuration: Configuration, opened: list[socket.socket]) -> Sets:
        """The sets that a configuration wants: those that there are, and what is `opened` now."""
        sets: Sets = {}
        for bind in configuration.listeners:
            wanted = configuration.sets.get(bind, 1)
            sets[bind] = self._sets.get(bind, [])[:wanted]
            if len(sets[bind]) < wanted:
                port = sets[bind][0][0].getsockname()[1] if sets[bind] else bind.port
                more = open_sockets(replace(bind, port=port), wanted - len(sets[bind]))
                opened += [sock for each in more for sock in each]
                sets[bind] = sets[bind] + more
        return sets

    async def _everywhere(self, configuration: Configuration, sets: Sets) -> None:
        """Prepare in all workers, those included that there are not yet; then commit in all, or abandon in all."""
        wanted = range(configuration.workers)
        old = [self._workers[index] for index in wanted if index in self._workers]
        new: list[_Process] = []
        try:
            for index in wanted:
                if index not in self._workers:
                    worker = await self._make(index, configuration, sets)
                    new.append(worker)
        except ConfigError:
            await asyncio.gather(*(self._dismiss(worker) for worker in new))
            raise
        asked = [self._prepare(worker, configuration, sets) for worker in (*old, *new)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        # A worker that dies in between is no reason to fail: its successor gets what there is then.
        errors = [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, ConnectionError)]
        if not any(outcome is None for outcome in outcomes):
            errors = errors or [ConfigError("no worker lives long enough to serve")]
        if errors or self._stopping:
            await asyncio.gather(*(worker.tell({"do": "abandon"}) for worker in old), return_exceptions=True)
            await asyncio.gather(*(self._dismiss(worker) for worker in new))
            raise errors[0] if errors else ConfigError("the server is about to end")
        self._workers.update((worker.index, worker) for worker in new)
        await asyncio.gather(*(worker.tell({"do": "commit"}) for worker in (*old, *new)), return_exceptions=True)
        for worker in new:
            if worker.gone.done():
                self._replace(worker)

    async def _prepare(self, worker: _Process, configuration: Configuration, sets: Sets) -> None:
        """Have one worker make a configuration ready. Raises ConfigError, or ConnectionError when it dies."""
        places = {bind: each[worker.index] for bind, each in sets.items() if worker.index < len(each)}
        try:
            for bind, sockets in places.items():
                if not self._has(worker, bind):
                    await worker.tell({"do": "take", "place": [bind.scheme, bind.host, bind.port]}, sockets)
            listed = [[bind.scheme, bind.host, bind.port] for bind in places]
            await worker.tell({"do": "prepare", "digest": configuration.digest, "places": listed})
        except Refused as error:
            raise ConfigError(str(error)) from error

    def _has(self, worker: _Process, bind: Bind) -> bool:
        """Whether a worker listens on its set of an address already."""
        return worker.index in self._workers and worker.index < len(self._sets.get(bind, []))

    # --- workers come and go ---

    async def _make(self, index: int, configuration: Configuration, sets: Sets) -> _Process:
        """A new worker that waits to be asked. The loop steps aside for the fork.

        Raises ConfigError where the system has no process or no descriptors left.
        """
        made: asyncio.Future[_Process] = self._loop.create_future()
        self._due.append((index, configuration, sets, made))
        self._loop.stop()
        worker = await made
        answer = partial(self._answer, worker)
        worker.channel = Channel(worker.control, answer, lambda: self._lost(worker))
        return worker

    async def _answer(self, worker: _Process, message: Message, _sockets: list[socket.socket]) -> Message:
        return await self._endpoints.answer(worker, message)

    async def _dismiss(self, worker: _Process) -> None:
        """Let a worker answer what it has accepted, and end."""
        stopped = asyncio.ensure_future(self._stop(worker))
        try:
            while not (await asyncio.wait([stopped], timeout=_PULSE))[0]:
                await asyncio.wait_for(worker.ask({"do": "ping"}), _LIFELESS)
        except TimeoutError:
            log.error(f"worker {worker.index} (pid {worker.pid}) does not end")
            os.kill(worker.pid, signal.SIGKILL)
        except ConnectionError:
            pass   # it has ended between two questions
        await stopped

    async def _stop(self, worker: _Process) -> None:
        with suppress(ConnectionError):
            await worker.ask({"do": "stop"})
        await worker.gone

    def _lost(self, worker: _Process) -> None:
        """A worker is gone."""
        status = self._bury(worker)
        worker.gone.set_result(None)
        if self._workers.get(worker.index) is worker and not self._stopping:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            log.error(f"worker {worker.index} (pid {worker.pid}) has ended with {how}, another one takes its place")
            self._replace(worker)

    def _bury(self, worker: _Process) -> int:
        """Make sure that a worker is gone; its exit status."""
        self._alive.discard(worker)
        self._endpoints.forget(worker)
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)   # it has hung up, or is to be ended: it has nothing left to do
        return os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])

    def _replace(self, worker: _Process) -> None:
        """Put another worker in the place of one that is gone, after a while if it was young."""
        if self._workers.get(worker.index) is worker:
            del self._workers[worker.index]
        self._put_another(worker.index, young=self._loop.time() - worker.born < _STEADY)

    def _put_another(self, index: int, *, young: bool) -> None:
        deaths = self._deaths[index] = self._deaths.get(index, 0) + 1 if young else 0
        task = self._loop.create_task(self._succeed(index, _BACKOFF[min(deaths, len(_BACKOFF)) - 1] * young))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _succeed(self, index: int, delay: float) -> None:
        await asyncio.sleep(delay)
        async with self._changing:
            configuration = self._configuration
            if self._stopping or configuration is None or index >= configuration.workers or index in self._workers:
                return
            try:
                worker = await self._make(index, configuration, self._sets)
            except ConfigError as error:
                log.error(str(error))
                self._put_another(index, young=True)
                return
            try:
                await self._prepare(worker, configuration, self._sets)
                self._workers[index] = worker
                await worker.tell({"do": "commit"})
            except (ConfigError, ConnectionError) as error:
                log.error(f"worker {index} cannot serve: {error}")
                if not worker.gone.done():
                    await self._dismiss(worker)
                self._replace(worker)

    # --- fork ---

    def _fork(self, index: int, configuration: Configuration, sets: Sets, made: asyncio.Future[_Process]) -> None:
        """Make a worker process. No event loop runs now."""
        Log.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)   # or a child would tell us of its signals
        try:
            pid, ours, theirs = _split()
        except OSError as error:   # too many processes or descriptors: the workers that there are go on
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            made.set_exception(ConfigError(f"worker {index} cannot be made: {error.strerror}"))
            return
        if not pid:
            ours.close()
            self._become(index, configuration, sets, theirs, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        worker = _Process(index, pid, ours, self._loop.time(), self._loop.create_future())
        self._alive.add(worker)
        made.set_result(worker)

    def _become(
        self, index: int, configuration: Configuration, sets: Sets, control: socket.socket, mask: Iterable[int]
    ) -> NoReturn:
        """In the new process: let go of all that is the supervisor's, and be a worker to the end."""
        status = 1
        try:
            Log.soon = staticmethod(at_once)
            begin_anew()
            self._endpoints.close()
            self._loop.close()
            for worker in self._alive:
                worker.control.close()
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            close_all(sock for some in (*self._sets.values(), *sets.values()) for each in some for sock in each)
            status = asyncio.run(Worker(self._source, configuration, control, speaks=index == 0).run())
        except BaseException:  # noqa: BLE001 - nothing may get back to where the supervisor goes on
            traceback.print_exc()
        finally:
            Log.flush()
            sys.stderr.flush()
            os._exit(status)


def _split() -> tuple[int, socket.socket, socket.socket]:
    """Fork: the process id, 0 in the new process, and two connected sockets. Raises OSError where there is no room."""
    ours, theirs = socket.socketpair()
    try:
        return os.fork(), ours, theirs
    except OSError:
        close_all((ours, theirs))
        raise


__all__ = ["Workers"]
