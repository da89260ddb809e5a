"""The server: opens ports for a configuration, swaps configurations under them, and shuts down without loss.

A configuration is built and its plugins started beside the running one; only when nothing can fail any more are the
ports pointed at it. So a bad Corefile, a port in use or a plugin that does not start leaves the old one serving.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from corepy.clock import SYSTEM, Clock
from corepy.errors import ConfigError
from corepy.log import Log, log
from corepy.ports import DatagramPort, Port, StreamPort

if TYPE_CHECKING:
    from corepy.listener import Listener
    from corepy.plugin import Plugin
    from corepy.site import Bind, Configuration

GRACE: Final = 5.0
"""Seconds that queries on their way get when a configuration ends; CoreDNS's figure, and forward's time limit."""
_TRIES: Final = 20
"""Attempts to find one number that is free for UDP and TCP, IPv4 and IPv6, when any port will do."""


class Server:
    """At most one running configuration and the ports it needs."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.configuration: Configuration | None = None
        self._ports: dict[Bind, list[Port]] = {}

    async def start(self, configuration: Configuration) -> None:
        """Serve a configuration, in place of the running one if there is one.

        Raises ConfigError where a port cannot be bound or a plugin does not start; nothing has changed then.
        """
        opened: dict[Bind, list[Port]] = {}
        started: list[Plugin] = []
        try:
            for bind, listener in configuration.listeners.items():
                if bind not in self._ports:
                    opened[bind] = self._open(bind, listener)
            for plugin in configuration.plugins:
                started.append(plugin)
                await _start(plugin)
        except BaseException:
            for port in _all(opened):
                port.close()
            await self._stop_plugins(started)
            raise
        await self._switch(configuration, opened)

    async def _switch(self, configuration: Configuration, opened: dict[Bind, list[Port]]) -> None:
        old, self.configuration = self.configuration, configuration
        Log.debugging = configuration.debug
        left = {bind: ports for bind, ports in self._ports.items() if bind not in configuration.listeners}
        kept = {bind: ports for bind, ports in self._ports.items() if bind in configuration.listeners}
        for bind, ports in kept.items():
            for port in ports:
                port.listener = configuration.listeners[bind]
        self._ports = {**kept, **opened}
        for port in _all(opened):
            port.serve()
        if old is not None:
            await self._end(old, _all(left))

    async def stop(self) -> None:
        """Answer what has been accepted, then let go of everything."""
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

    def _open(self, bind: Bind, listener: Listener) -> list[Port]:
        """UDP and TCP ports for one address, or for all addresses of both families."""
        hosts = [bind.host] if bind.host else ["0.0.0.0", "::"] if socket.has_ipv6 else ["0.0.0.0"]
        for attempt in range(1, _TRIES + 1):
            try:
                return self._open_all(hosts, bind, listener)
            except OSError as error:
                if bind.port or attempt == _TRIES:
                    raise ConfigError(f"cannot listen on {bind}: {_reason(error)}", bind.at) from error
        raise AssertionError  # the last attempt returns or raises

    def _open_all(self, hosts: list[str], bind: Bind, listener: Listener) -> list[Port]:
        ports: list[Port] = []
        number = bind.port
        try:
            for host in hosts:
                for kind in (DatagramPort, StreamPort):
                    try:
                        port = kind(host, number, listener, self._clock, server=bind.server)
                    except OSError as error:
                        if host == "::" and error.errno != errno.EADDRINUSE:
                            continue   # a machine without IPv6
                        raise
                    ports.append(port)
                    number = port.address.port
        except OSError:
            for port in ports:
                port.close()
            raise
        return ports

    async def _settled(self, configuration: Configuration, ports: list[Port]) -> None:
        """Wait until the queries of a configuration are answered and sent, GRACE seconds at the most."""
        end = self._clock.now() + GRACE
        busy = [*configuration.listeners.values(), *ports]
        while any(each.pending for each in busy) and self._clock.now() < end:  # noqa: ASYNC110 - an event costs a query
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)   # replies of the last round are flushed

    async def _stop_plugins(self, plugins: Iterable[Plugin]) -> None:
        for plugin in plugins:
            try:
                await _maybe(plugin.stop())
            except Exception as error:  # noqa: BLE001 - the others have to be stopped all the same
                log.error(f"plugin/{plugin.name}: {error!r} while it stopped")


def _reason(error: OSError) -> str:
    return "address already in use" if error.errno == errno.EADDRINUSE else str(error.strerror or error).lower()


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
