"""Fake upstreams with real sockets on loopback: for servers in this process, in others, and for a real CoreDNS.

    with Upstreams() as upstreams:
        upstreams.answer("www.example.org. 300 IN A 192.0.2.1")
        upstreams["192.0.2.53"].servfail(once=True).drop()

An `Upstreams` answers for every upstream that was told nothing by itself. What one was told holds in that order: the
first rule that is for a question is what happens, `once` for one question only. A question that no rule is for is
unexpected: it is REFUSED, and `check()` raises. Health probes (`. NS`) get an empty reply unless a rule for everything
says otherwise.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from corepy import codes
from corepy.address import Address
from corepy.clock import Clock
from corepy.endpoint import Endpoint
from corepy.errors import Malformed
from corepy.finish import finish
from corepy.query import Query
from corepy.reply import Reply
from corepy.stream import frame
from corepy.testing.client import PATIENCE
from corepy.testing.told import Pattern, Question, Rule, read_records, seconds
from corepy.upstream import Host, Options, Target, Upstream, connect_by_kind, read_targets
from corepy.upstream.plain import PlainUpstream

T = TypeVar("T")
HOST = "127.0.0.1"
_PROBE = (". NS", ". SOA")
"""What health checks ask."""
_NOBODYS = bytes((240, 0))
"""The reserved network 240.0.0.0/16, for hosts that a Corefile has by name (RFC 1112 4)."""
_WELL_KNOWN = frozenset((53, 443, 853))
"""On these ports of loopback stands a resolver of the machine, which asks others."""


class LoopbackUpstream:
    """One fake: a UDP and a TCP socket, opened when somebody wants its address."""

    def __init__(self, name: str, loop: _Loop, otherwise: LoopbackUpstream | None = None) -> None:
        self.name = name
        self._otherwise = otherwise
        """Who answers as long as this one was told nothing."""
        self.queries: list[Question] = []
        """What it was asked, in order; probes that no rule is for aside."""
        self.unexpected: list[Question] = []
        self._rules: list[Rule] = []
        self._told = False
        self._loop = loop
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    def answer(
        self, *records: str, to: str = "", rcode: str = "NOERROR", delay: str | float = 0, truncate: bool = False,
        once: bool = False,
    ) -> Self:
        """Answer with records, written as in a zone file: whoever asks for one gets it, behind its CNAMEs.

        With `to`, as `"www.example.org. AAAA"`, `"*.example.org."` or `"*"`, they are the reply to exactly these
        questions; without records it is empty. `delay` is `"300ms"` or seconds, `truncate` sends UDP clients to TCP.
        Raises ValueError for text that is no record, question or time.
        """
        number = codes.RCODES.get(rcode.upper())
        if number is None:
            raise ValueError(f"{rcode!r} is no rcode")
        pattern = Pattern.read(to) if to else None
        return self._tell(Rule(pattern, read_records(records), number, False, truncate, seconds(delay), once))

    def servfail(self, to: str = "", *, delay: str | float = 0, once: bool = False) -> Self:
        """Answer SERVFAIL."""
        return self.answer(to=to, rcode="SERVFAIL", delay=delay, once=once)

    def nxdomain(self, to: str = "", *, delay: str | float = 0, once: bool = False) -> Self:
        """Answer NXDOMAIN."""
        return self.answer(to=to, rcode="NXDOMAIN", delay=delay, once=once)

    def drop(self, to: str = "", *, once: bool = False) -> Self:
        """Keep silent."""
        return self._tell(Rule(Pattern.read(to) if to else None, silent=True, once=once))

    def reset(self) -> Self:
        """Forget what it was told and asked."""
        self._rules, self.queries, self.unexpected, self._told = [], [], [], False
        return self

    def check(self) -> None:
        """Raise AssertionError where it was asked what it was not told to expect."""
        if self.unexpected:
            told = [f"  {rule}" for rule in self._rules] or ["  nothing"]
            asked = [f"  {question} over {question.transport}" for question in self.unexpected]
            hint = f'if that is right: .answer(..., to="{self.unexpected[0]}")'
            raise AssertionError("\n".join([f"{self.name} was asked", *asked, "and was told of", *told, hint]))

    @property
    def address(self) -> str:
        """Where it is: `127.0.0.1:PORT`, for UDP and TCP."""
        if self._sockets is None:
            self._sockets = _open_pair()
            self._loop.run(self._serve(*self._sockets))
        return f"{HOST}:{self._sockets[0].getsockname()[1]}"

    def connect(self, target: Target, options: Options, clock: Clock) -> Upstream:
        """An upstream for a plugin that believes to talk to `target`, over UDP and TCP whatever its kind."""
        [mine] = read_targets(self.address)
        assert isinstance(mine, Target)  # noqa: S101 - it is an address
        made = PlainUpstream(mine, replace(options, source=None), clock)
        made.name = str(target)
        return made

    def hear(self, wire: bytes, transport: str) -> tuple[bytes, float] | None:
        """The reply to a message, and after how many seconds it is sent; None for silence."""
        if self._otherwise is not None and not self._told:
            return self._otherwise.hear(wire, transport)
        try:
            query = Query(wire, Endpoint(transport, f"dns://{HOST}"), Address.of(HOST, 0))
        except Malformed:
            return None
        question = Question.of(query)
        probe = str(question) in _PROBE
        rule = next((rule for rule in self._rules if rule.fits(question) and not (probe and rule.once)), None)
        if rule is None and probe:
            return finish(query, Reply.build(query)), 0.0
        self.queries.append(question)
        if rule is None:
            self.unexpected.append(question)
            return finish(query, Reply.refused(query)), 0.0
        if rule.once:
            self._rules.remove(rule)
        return None if rule.silent else (finish(query, rule.reply(query)), rule.delay)

    def _tell(self, rule: Rule) -> Self:
        self._rules.append(rule)
        self._told = True
        return self

    async def _serve(self, udp: socket.socket, tcp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        server = await asyncio.start_server(self._connection, sock=tcp)
        self._loop.closing += [transport.close, server.close]

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer message after message of a connection, each in its time."""
        self._loop.closing.append(writer.close)
        # Cancelled at the end, it returns: the server of asyncio's streams would report anything else.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                outcome = self.hear(await reader.readexactly(size), "tcp")
                if outcome is not None:
                    asyncio.get_running_loop().call_later(outcome[1], writer.write, frame(outcome[0]))
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP socket of a fake."""

    def __init__(self, fake: LoopbackUpstream) -> None:
        self._fake = fake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        outcome = self._fake.hear(data, "udp")
        if outcome is not None:
            asyncio.get_running_loop().call_later(outcome[1], self._transport.sendto, outcome[0], addr)


class Upstreams(LoopbackUpstream):
    """All upstreams of a test; itself the one that answers for those which were told nothing."""

    def __init__(self) -> None:
        super().__init__("dns_upstream", _Loop())
        self._by_address: dict[Address, LoopbackUpstream] = {}
        self.named: set[Target] = set()
        """Those that were named apart."""
        self._hosts: dict[str, int] = {}

    def __getitem__(self, to: str) -> LoopbackUpstream:
        """The one that a Corefile names so: `"192.0.2.1"`, `"192.0.2.1:5353"`, `"tls://192.0.2.1"`, `"ns.example"`."""
        [target] = map(self.resolve, read_targets(to))
        self.named.add(target)
        fake = self._of(target.address)
        fake.name = f'dns_upstream["{to}"]'
        return fake

    def _of(self, address: Address) -> LoopbackUpstream:
        fake = self._by_address.get(address)
        if fake is None:
            fake = self._by_address[address] = LoopbackUpstream(f'dns_upstream["{address}"]', self._loop, self)
        return fake

    @property
    def everyone(self) -> list[LoopbackUpstream]:
        """Itself, and those that were named."""
        return [self, *self._by_address.values()]

    @property
    def heard(self) -> list[Question]:
        """What was asked of any of them, one after the other."""
        return [question for one in self.everyone for question in one.queries]

    def resolve(self, one: Target | Host) -> Target:
        """What stands for a host by name: an address that nobody can have, the same for each of its ports."""
        if isinstance(one, Target):
            return one
        number = self._hosts.setdefault(one.name.lower().rstrip("."), len(self._hosts) + 1)
        return Target(Address(_NOBODYS + number.to_bytes(2, "big"), one.port), one.kind, one.server_name)

    async def look_up(self, name: str) -> list[Address]:
        """The addresses of a host; no packet asks for them."""
        return [self.resolve(Host(name, 0)).address]

    def at(self, address: Address) -> LoopbackUpstream | None:
        """The fake for an address of a Corefile; None for a port on loopback, which is reached as it is.

        A well-known port is no such: a resolver of this machine would ask the world.
        """
        if address.ip.is_loopback and address.port not in _WELL_KNOWN and address not in self._by_address:
            return None
        return self._of(address)

    def reach(self, target: Target, options: Options, clock: Clock) -> Upstream:
        """What `corepy.upstream.replaced` takes: no packet leaves loopback."""
        fake = self.at(target.address)
        if fake is None:
            return connect_by_kind(target, options, clock)
        return fake.connect(target, options, clock)

    def check(self) -> None:
        """Raise AssertionError with everything that any of them was asked unexpectedly."""
        wrong = []
        for one in self.everyone:
            try:
                LoopbackUpstream.check(one)
            except AssertionError as error:
                wrong.append(str(error))
        if wrong:
            raise AssertionError("\n".join(wrong))

    def close(self) -> None:
        """Close all sockets."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is None:
            self.check()


class _Loop:
    """An event loop in a thread of its own, begun when first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.closing: list[Callable[[], object]] = []
        """What closes the things that were opened there."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and wait for it."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="upstreams", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def close(self) -> None:
        """End, with everything that was opened there."""
        if self._loop is None or self._thread is None:
            return
        self.run(self._close_all())
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(PATIENCE)
        loop.close()

    async def _close_all(self) -> None:
        for close in self.closing:
            close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # transports let go of their sockets in the round after


def _open_pair() -> tuple[socket.socket, socket.socket]:
    """Sockets for UDP and TCP on one port that is free for both."""
    while True:
        tcp = socket.create_server((HOST, 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:  # somebody else has it for UDP: another one
            tcp.close()
            udp.close()
            continue
        return udp, tcp


__all__ = ["LoopbackUpstream", "Upstreams"]
