"""A Corefile served in this process, in a thread of its own: within milliseconds, on a clock of the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import ClassVar, Final

from corepy import registry, site
from corepy.address import Address
from corepy.chain import around
from corepy.clock import SYSTEM, Clock
from corepy.door import Action, Door
from corepy.listener import Admitted
from corepy.log import Log, at_once
from corepy.site import Bind, Configuration
from corepy.testing.clock import FakeClock
from corepy.testing.coverage import Coverage
from corepy.testing.given import Given
from corepy.testing.layout import free_port, move_ports
from corepy.testing.loopback import Upstreams
from corepy.testing.running import Running
from corepy.testing.served import Served, Unsupported
from corepy.testing.session import Session
from corepy.testing.witness import Witness
from corepy.upstream import replaced

_STEP: Final = 0.005
"""Seconds between two looks at whether a server on a clock of the test's has ended."""
_LOCALHOST: Final = bytes((127, 0, 0, 1))


class InProcess(Served):
    """A server in this process. Raises ConfigError where the Corefile cannot be served."""

    witness: Witness

    def __init__(
        self, given: Given, upstreams: Upstreams, *, clock: Clock = SYSTEM, live: bool = False,
        watch: Coverage | None = None,
    ) -> None:
        self.upstreams, self.answers = upstreams, []
        self.stands_still = clock is not SYSTEM
        self._given = given
        self.witness = Witness()
        self._impostors = _Impostors()
        self._ports: dict[int, int] = {}
        self._coverage = watch if given.folder is not None else None
        self._lines: list[str] = []
        with ExitStack() as stack:
            if not live:
                stack.enter_context(replaced(upstreams.reach, upstreams.look_up))
            self.running = stack.enter_context(_Fitted(given.text, clock, self))
            self._stack = stack.pop_all()

    def build(self, text: str, clock: Clock) -> Configuration:
        """What a Corefile asks for, on ports that are free."""
        self.running.wait(_listen_to(self._lines))
        parsed = self._given.read(text, registry.known())
        self._ports = move_ports(parsed, self._choose)
        coverage = self._coverage
        wrap = around(coverage.wrap, self.witness.wrap) if coverage else self.witness.wrap
        configuration = site.build(parsed, default_port=0, clock=clock, wrap=wrap)
        self.witness.learn(parsed, configuration)
        if coverage is not None:
            coverage.watch(parsed, configuration)
        for listener in configuration.listeners.values():
            listener.door = listener.door or self._impostors
        return configuration

    def _choose(self, written: int) -> int:
        """What stands for a port of the Corefile, the same after a reload; the system chooses for the default one."""
        return self._ports.get(written) or (0 if written in (0, 53) else free_port())

    def port(self, written: int = 53) -> int:
        """The port that stands for one of the Corefile's; the only one there is stands for 53, too."""
        return self.running.server.addresses(self._bind(written))[0].address.port

    def _bind(self, written: int) -> Bind:
        binds = list(self._configuration.listeners)
        moved = self._ports.get(written, next(iter(self._ports.values())) if len(self._ports) == 1 else None)
        found = next((bind for bind in binds if bind.port == moved), None)
        if found is None:
            raise KeyError(f"no server block is on port {written}")
        return found

    @property
    def _configuration(self) -> Configuration:
        assert self.running.server.configuration is not None  # noqa: S101 - it has been started
        return self.running.server.configuration

    @property
    def output(self) -> list[str]:
        """The lines that the server has written so far."""
        return list(self._lines)

    def reload(self, text: str) -> None:
        """Serve another Corefile in place of this one, as SIGUSR1 does."""
        self.running.load(text)

    def stop(self) -> None:
        """Answer what has been accepted and end."""
        self._stack.close()

    def _speak_for(self, client: str, session: Session, port: int) -> bytes:
        door = self._configuration.listeners[self._bind(port)].door
        if isinstance(door, _Impostors):
            door.clients[session.address] = Address.of(client, session.address.port)
            return b""
        if isinstance(door, Door) and door.policy.for_peer(_LOCALHOST) not in (Action.USE, Action.REQUIRE):
            raise Unsupported(f"proxyproto does not believe 127.0.0.1 that we are {client}: let it allow 127.0.0.0/8")
        return session.header_for(client)


class _Fitted(Running):
    """The server, with the Corefile fitted to the machine."""

    def __init__(self, text: str, clock: Clock, owner: InProcess) -> None:
        self._owner = owner
        owner.running = self
        super().__init__(text, clock=clock)

    def build(self, text: str) -> Configuration:
        return self._owner.build(text, self.clock)

    def stop(self) -> None:
        if isinstance(self.clock, FakeClock) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pass_time, self.clock)
        super().stop()

    def _pass_time(self, clock: FakeClock) -> None:
        """Let time pass while the server ends, so that it gives up whom it waits for."""
        clock.advance(1)
        self._loop.call_later(_STEP, self._pass_time, clock)


class _Impostors:
    """The door of a listener that has none: it takes sockets of the test for whom they say to be."""

    remembers = False

    def __init__(self) -> None:
        self.clients: dict[Address, Address] = {}

    def datagram(self, wire: bytes, peer: bytes, _now: float) -> Admitted:
        """Everything as it came, from the client that its socket is taken for."""
        return wire, self.clients.get(Address.from_sockaddr(peer))

    def stream(self) -> _Impostors:
        """Itself: there is nothing to remember."""
        return self

    def feed(self, data: bytes, peer: Address, _now: float) -> Admitted:
        """As for a datagram."""
        return data, self.clients.get(peer)

    def adopt(self, _old: object) -> None:
        """What the door before it knew is of no use."""


class _Lines:
    """Lines that servers write, told apart by the thread in which each of them runs."""

    by_thread: ClassVar[dict[int, list[str]]] = {}

    @classmethod
    def take(cls, flush: Callable[[], None]) -> None:
        """What `Log.soon` is while servers are listened to: keep the line, and write it at once."""
        mine = cls.by_thread.get(threading.get_ident())
        if mine is not None:
            mine += Log._waiting  # noqa: SLF001 - nothing else sees a line before it is written
        at_once(flush)


async def _listen_to(lines: list[str]) -> None:
    """Keep the lines that this thread writes from now on."""
    _Lines.by_thread[threading.get_ident()] = lines
    Log.soon = _Lines.take


__all__ = ["InProcess"]
