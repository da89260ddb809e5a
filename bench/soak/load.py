"""Load that does not wait for the server (open loop): checked queries, and as many datagrams as there may be."""

from __future__ import annotations

import asyncio
import random
import select
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.soak.server import HOST
from corepy import codes
from corepy import wire as w
from corepy.datagram import BATCH, BatchSocket
from corepy.stream import frame
from corepy.testing import message


@dataclass
class Outcome:
    """What became of queries."""

    sent: int = 0
    wrong: int = 0
    """Answers to something else."""
    rcodes: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """How long each answer took."""

    @property
    def lost(self) -> int:
        """Queries without any answer."""
        return self.sent - len(self.seconds)

    @property
    def failures(self) -> int:
        """Answers that were SERVFAIL."""
        return self.rcodes[codes.SERVFAIL]

    def within(self, percent: float) -> float:
        """Milliseconds in which so many of the answers came."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] if ordered else 0.0

    def __str__(self) -> str:
        times = f"p50 {self.within(50):.1f} ms, p99 {self.within(99):.1f} ms, max {self.within(100):.0f} ms"
        return f"{self.lost} of {self.sent} lost, {self.wrong} wrong, {self.failures} SERVFAIL, {times}"


# --- checked queries ---


class Asker:
    """Queries at a rate, each name with its own right answer; some over TCP, each on a connection of its own."""

    def __init__(self, port: int, rate: float, *, tcp: float = 0.0, timeout: float = 4.0) -> None:
        self.port, self.rate, self.tcp, self.timeout = port, rate, tcp, timeout
        self.outcome = Outcome()
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> Outcome:
        """Ask for so long, and wait for the last answer."""
        loop = asyncio.get_running_loop()
        begin, number = loop.time(), random.randrange(1 << 20)
        while (now := loop.time()) < begin + seconds:
            while self.outcome.sent < (now - begin) * self.rate:
                number += 1
                self.outcome.sent += 1
                ask = self._over_tcp if random.random() < self.tcp else self._over_udp
                task = loop.create_task(self._asked(ask, number))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0.002)
        await asyncio.gather(*self._tasks)
        return self.outcome

    async def _asked(self, ask: object, number: int) -> None:
        loop, wire = asyncio.get_running_loop(), message(f"n{number}.soak.example.", message_id=number & 0xFFFF)
        started = loop.time()
        try:
            async with asyncio.timeout(self.timeout):
                reply = await ask(wire)  # type: ignore[operator]  # one of the two below
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return
        self.outcome.seconds.append(loop.time() - started)
        self.outcome.rcodes[reply[3] & w.RCODE] += 1
        right = (10 << 24 | number % (1 << 24)).to_bytes(4, "big")
        self.outcome.wrong += reply[:2] != wire[:2] or (not reply[3] & w.RCODE and not reply.endswith(right))

    async def _over_udp(self, wire: bytes) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.connect((HOST, self.port))
            sock.send(wire)
            return await asyncio.get_running_loop().sock_recv(sock, 65535)

    async def _over_tcp(self, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(frame(wire))
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()


# --- as many datagrams as there may be ---

_STAMP = struct.Struct("!d")
_PORTS = 16


def flood(port: int, rate: float, seconds: float, *, window: int = 1 << 30, name: str = "whoami.example.") -> Outcome:
    """Datagrams at a rate, from a few ports; each has the time it was sent at in an EDNS option that comes back.

    No more than `window` are on their way, where they are not lost: with a small one, the server sets the pace.
    """
    outcome = Outcome()
    sockets, to = [], (HOST, port)
    for _ in range(_PORTS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind((HOST, 0))
        sockets.append(BatchSocket(sock))
    peer = socket.AF_INET.to_bytes(2, "little") + to[1].to_bytes(2, "big") + socket.inet_aton(HOST) + bytes(8)
    wire = message(name, edns=1232, options=b"\0\x0a\0\x08" + bytes(8))  # a client's cookie
    head = wire[:-8]
    epoll = select.epoll()
    by_number = {each.fileno(): each for each in sockets}
    for number in by_number:
        epoll.register(number, select.EPOLLIN)
    begin = time.monotonic()
    turn = 0
    while (now := time.monotonic()) < begin + seconds + 1:
        due = min(int((min(now, begin + seconds) - begin) * rate) - outcome.sent, window - outcome.lost)
        due *= now < begin + seconds
        if due > 0:
            turn += 1
            one, octets = sockets[turn % _PORTS], head + _STAMP.pack(now)
            for _ in range(min(due, BATCH)):
                one.put((octets, peer, b""))
            one.flush()
            outcome.sent += min(due, BATCH)
        for number, _ in epoll.poll(0 if due > BATCH else 0.001):
            arrived = by_number[number].receive()
            then = time.monotonic()
            for reply, _, _ in arrived:
                at = reply.find(b"\0\x0a\0\x08", 12)
                if at < 0:
                    outcome.wrong += 1
                    continue
                outcome.seconds.append(then - _STAMP.unpack_from(reply, at + 4)[0])
                outcome.rcodes[reply[3] & w.RCODE] += 1
    epoll.close()
    for one in sockets:
        one.close()
    return outcome
