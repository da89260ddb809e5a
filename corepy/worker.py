"""A worker process: a Server that does what the supervisor says.

It is asked, one after the other, to take sockets, to prepare a configuration, to commit or to abandon it, and in the
end to stop. When the supervisor is gone it ends at once: nobody would tell it to.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from corepy.control import Channel, Message, Refused
from corepy.errors import ConfigError
from corepy.front import Front
from corepy.log import Log, at_once
from corepy.server import Prepared, Server
from corepy.site import Bind
from corepy.sockets import close_all
from corepy.source import NotFound

if TYPE_CHECKING:
    from corepy.site import Configuration
    from corepy.source import Source

Place = tuple[str, str, int]
"""A Bind as it travels: scheme, host, port."""


class Worker:
    """What runs in a worker process; `speaks` for the one whose lines about its start are written."""

    def __init__(self, source: Source, configuration: Configuration, control: socket.socket, *, speaks: bool) -> None:
        self._source = source
        self._inherited: Configuration | None = configuration
        self._control = control
        self._speaks = speaks
        self._server = Server(speaks=speaks)
        self._sockets: dict[Place, list[socket.socket]] = {}
        self._prepared: Prepared | None = None

    async def run(self) -> int:
        """Serve until told otherwise; the exit status."""
        loop = asyncio.get_running_loop()
        Log.soon, Log.shared = loop.call_soon, True
        self._end: asyncio.Future[int] = loop.create_future()
        # Never closed by us: when it is, the supervisor takes us for dead.
        self._front = Front(Channel(self._control, self._do, lambda: self._finish(1)))
        try:
            return await self._end
        finally:
            self._server.close()
            Log.soon = staticmethod(at_once)
            Log.flush()

    def _finish(self, status: int) -> None:
        if not self._end.done():
            self._end.set_result(status)

    async def _do(self, message: Message, sockets: list[socket.socket]) -> Message:
        match message["do"]:
            case "take":
                self._sockets[_place(message["place"])] = sockets
            case "prepare":
                await self._prepare(message["digest"], [_place(place) for place in message["places"]])
            case "commit":
                await self._commit()
            case "abandon":
                await self._abandon()
            case "stop":
                await self._abandon()
                await self._server.stop()
                asyncio.get_running_loop().call_soon(self._finish, 0)   # when the reply is on its way
            case "http":
                return await self._front.answer(message)
            case "admit":
                return await self._front.admit(message)
            case "ping":
                pass
            case _:
                raise Refused(f"it knows no {message['do']!r}")
        return {}

    async def _prepare(self, digest: str, places: list[Place]) -> None:
        """Make ready what the files say, listening at these places; the digest says what they ought to say."""
        given, self._sockets = self._sockets, {}
        try:
            configuration = self._configuration(digest)
            wanted = {bind: given.get(_of(bind), []) for bind in configuration.listeners if _of(bind) in places}
            with self._quietly(configuration):
                self._prepared = await self._server.prepare(configuration, wanted)
        except Exception as error:
            close_all(sock for sockets in given.values() for sock in sockets)
            raise Refused(str(error) if isinstance(error, ConfigError) else repr(error)) from error

    def _configuration(self, digest: str) -> Configuration:
        """The one that the supervisor had when it made us; later the one that it has read, read once more."""
        if self._inherited is not None:
            inherited, self._inherited = self._inherited, None
            return inherited
        Log.silent = True   # the supervisor has said what there is to say
        try:
            parsed = self._source.parse()
            if parsed.digest != digest:
                raise ConfigError("the Corefile has changed while it was being read")
            return self._source.build(parsed)
        except NotFound as error:
            raise ConfigError(str(error)) from error
        finally:
            Log.silent = False

    @contextmanager
    def _quietly(self, configuration: Configuration) -> Iterator[None]:
        """What plugins say when they start is the same in all workers: one of them says it."""
        for plugin in configuration.plugins:
            plugin.log.silent = not self._speaks
        try:
            yield
        finally:
            for plugin in configuration.plugins:
                vars(plugin.log).pop("silent", None)

    async def _commit(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            await self._server.commit(prepared)
            gc.collect()
            gc.freeze()   # what is alive now stays; no collection has to look at it again

    async def _abandon(self) -> None:
        close_all(sock for sockets in self._sockets.values() for sock in sockets)
        self._sockets.clear()
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            await self._server.abandon(prepared)


def _place(words: list[object]) -> Place:
    scheme, host, port = words
    return str(scheme), str(host), int(str(port))


def _of(bind: Bind) -> Place:
    return bind.scheme, bind.host, bind.port


__all__ = ["Place", "Worker"]
