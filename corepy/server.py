"""The server: serves a configuration, puts another one in its place, and shuts down without loss.

A reload has two phases. `prepare` binds what is new and starts the new plugins beside the old ones: whatever is wrong
shows there, and then the old configuration goes on as if nothing had been. `commit` cannot fail: between two datagrams
the ports are pointed at the new generation, which takes over from the old one what it still wants (`succession`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from corepy.clock import SYSTEM, Clock
from corepy.errors import ConfigError
from corepy.log import Log, log
from corepy.ports import Port, open_port
from corepy.sockets import close_all, open_sockets
from corepy.succession import hand_over

if TYPE_CHECKING:
    from corepy.plugin import Plugin
    from corepy.site import Bind, Configuration

GRACE: Final = 5.0
"""Seconds that queries on their way get when a configuration ends; CoreDNS's figure, and forward's time limit."""

Sockets = Mapping["Bind", Sequence[socket.socket]]
"""Bound sockets by what they were opened for."""


@dataclass
class Prepared:
    """A configuration that is ready to serve: commit it or abandon it."""

    configuration: Configuration
    kept: dict[Bind, list[Port]]
    """Ports that the running configuration has too."""
    opened: dict[Bind, list[Port]] = field(default_factory=dict)
    """Ports that the running configuration does not have."""
    started: list[Plugin] = field(default_factory=list)


class Server:
    """At most one running configuration and the ports it needs.

    Where several processes do the same, one of them `speaks` of what all of them do.
    """

    forks: Final = False

    def __init__(self, clock: Clock = SYSTEM, *, speaks: bool = True) -> None:
        self._clock = clock
        self._speaks = speaks
        self._stopping = False
        self.configuration: Configuration | None = None
        self._ports: dict[Bind, list[Port]] = {}

    async def start(self, configuration: Configuration) -> None:
        """Serve a configuration, in place of the running one if there is one.

        Raises ConfigError where a port cannot be bound or a plugin does not start; nothing has changed then.
        """
        prepared = await self.prepare(configuration)
        if self._stopping:
            await self.abandon(prepared)
            raise ConfigError("the server is about to end")
        await self.commit(prepared)

    async def prepare(self, configuration: Configuration, sockets: Sockets | None = None) -> Prepared:
        """Make a configuration ready; the running one is not touched.

        It will listen where it wants to, or where `sockets` has a place, on the sockets that stand there. What is
        listened on already stays open. Raises ConfigError as `start` does.
        """
        wanted = [bind for bind in configuration.listeners if sockets is None or bind in sockets]
        prepared = Prepared(configuration, {bind: self._ports[bind] for bind in wanted if bind in self._ports})
        try:
            for bind in wanted:
                if bind not in self._ports:
                    prepared.opened[bind] = self._open(bind, configuration, sockets)
            for plugin in configuration.plugins:
                prepared.started.append(plugin)
                await _start(plugin)
        except BaseException:
            await self.abandon(prepared)
            raise
        return prepared

    async def abandon(self, prepared: Prepared) -> None:
        """Give back what was made ready; the running configuration stays."""
        for port in _all(prepared.opened):
            port.close()
        await self._stop_plugins(prepared.started)

    async def commit(self, prepared: Prepared) -> None:
        """Serve what was made ready, at once; returns when the old configuration has answered its last query."""
        configuration = prepared.configuration
        old, self.configuration = self.configuration, configuration
        Log.debugging = configuration.debug
        if old is not None:
            hand_over(old, configuration)
        left = [ports for bind, ports in self._ports.items() if bind not in prepared.kept]
        for bind, ports in prepared.kept.items():
            for port in ports:
                port.listener = configuration.listeners[bind]
        self._ports = {**prepared.kept, **prepared.opened}
        for port in _all(prepared.opened):
            port.serve()
        if old is not None:
            await self._end(old, [port for ports in left for port in ports])

    async def stop(self) -> None:
        """Answer what has been accepted, then let go of everything."""
        self._stopping = True
        if self.configuration is not None:
            await self._leave(self.configuration.plugins)
        old, self.configuration = self.configuration, None
        ports, self._ports = _all(self._ports), {}
        if old is not None:
            await self._end(old, ports)

    async def _end(self, configuration: Configuration, ports: list[Port]) -> None:
        """Close ports and stop plugins when the last reply of a configuration has left."""
        for port in ports:
            port.drain()
        try:
            await self._settled(configuration, ports)
        finally:
            for port in ports:
                port.close()
        await self._stop_plugins(configuration.plugins)

    def close(self) -> None:
        """Give the ports back, whoever waits for a reply."""
        for port in _all(self._ports):
            port.close()
        self._ports = {}

    def addresses(self, bind: Bind) -> list[Port]:
        """The open ports of one of the configuration's binds."""
        return self._ports[bind]

    def _open(self, bind: Bind, configuration: Configuration, sockets: Sockets | None) -> list[Port]:
        """The ports for one address; whatever goes wrong, the sockets are closed."""
        bound = list(sockets[bind]) if sockets is not None else open_sockets(bind)[0]
        try:
            listener = configuration.listeners[bind]
            return [open_port(sock, listener, self._clock, server=bind.server) for sock in bound]
        except BaseException:
            close_all(bound)
            raise

    async def _settled(self, configuration: Configuration, ports: list[Port]) -> None:
        """Wait until the queries of a configuration are answered and sent, GRACE seconds at the most."""
        end = self._clock.now() + GRACE
        busy = [*configuration.listeners.values(), *ports]
        while any(each.pending for each in busy) and self._clock.now() < end:  # noqa: ASYNC110 - an event costs a query
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)   # replies of the last round are flushed

    async def _leave(self, plugins: Iterable[Plugin]) -> None:
        """Tell plugins that the end is near and give them the time they want, all at once."""
        Log.silent = not self._speaks
        try:
            leaving = [plugin.leave() for plugin in plugins]
        finally:
            Log.silent = False
        for outcome in await asyncio.gather(*filter(None, leaving), return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error(f"{outcome!r} before the end")

    async def _stop_plugins(self, plugins: Iterable[Plugin]) -> None:
        for plugin in plugins:
            try:
                async with asyncio.timeout(GRACE):
                    await _maybe(plugin.stop())
            except TimeoutError:
                log.error(f"plugin/{plugin.name}: has not stopped within {GRACE:.0f}s")
            except Exception as error:  # noqa: BLE001 - the others have to be stopped all the same
                log.error(f"plugin/{plugin.name}: {error!r} while it stopped")


def _all(ports: dict[Bind, list[Port]]) -> list[Port]:
    return [port for some in ports.values() for port in some]


async def _start(plugin: Plugin) -> None:
    """Start a plugin; whatever keeps it from that is an error of the configuration."""
    try:
        await _maybe(plugin.start())
    except ConfigError as error:
        error.plugin = error.plugin or plugin.name
        raise
    except Exception as error:
        what = str(error) if isinstance(error, OSError) else repr(error)
        raise ConfigError(f"cannot start: {what}", plugin=plugin.name) from error


async def _maybe(result: object) -> None:
    """Wait for what a plugin may have returned."""
    if result is not None:
        await result  # type: ignore[misc]  # start() and stop() return None or an awaitable
