"""A Corefile, served for a test: the real server, in a thread of its own, on ports that are free."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from corepy import corefile, registry, site
from corepy.clock import SYSTEM, Clock
from corepy.reply import Reply
from corepy.server import Server
from corepy.site import Configuration
from corepy.testing.client import PATIENCE, Client

T = TypeVar("T")


class Running:
    """A running server for a Corefile's text; stop it, or use it in a `with`.

    Zones without a port get one that is free: `port`, the same for UDP and TCP, IPv4 and IPv6. Raises ConfigError
    as the command line would report it.
    """

    def __init__(self, text: str, *, clock: Clock = SYSTEM) -> None:
        self.clock = clock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="corepy", daemon=True)
        self._thread.start()
        self.server = Server(clock)
        try:
            self.load(text)
        except BaseException:
            self.stop()
            raise

    def load(self, text: str) -> None:
        """Serve another Corefile in place of this one, as SIGUSR1 does; a bad one raises and changes nothing."""
        self.wait(self.server.start(self.build(text)))

    def build(self, text: str) -> Configuration:
        """What a Corefile asks for; nothing is opened."""
        parsed = corefile.load(text, "Corefile", known=registry.known())
        return site.build(parsed, default_port=0, clock=self.clock)

    @property
    def port(self) -> int:
        """The port of the first zone."""
        assert self.server.configuration is not None  # noqa: S101 - it has been started
        return self.server.addresses(next(iter(self.server.configuration.listeners)))[0].address.port

    def client(self, transport: str = "udp", host: str = "127.0.0.1") -> Client:
        """A client of this server."""
        return Client(host, self.port, transport)

    def ask(
        self,
        name: str = "example.org.",
        qtype: str = "A",
        transport: str = "udp",
        *,
        host: str = "127.0.0.1",
        **how: Any,
    ) -> Reply:
        """Ask this server one question; `how` is for `Client.ask`."""
        with self.client(transport, host) as client:
            return client.ask(name, qtype, **how)

    def call(self, action: Callable[[], T]) -> T:
        """Do something in the server's thread, such as moving a fake clock, and give back what came of it."""

        async def act() -> T:
            return action()

        return self.wait(act())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def stop(self) -> None:
        """Answer what has been accepted and end; harmless when it has ended."""
        if self._loop.is_closed():
            return
        try:
            self.wait(self.server.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


__all__ = ["Running"]
