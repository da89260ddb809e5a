"""What a server has to live through; each phase starts one, and gives what is worth a line."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench.soak.load import Asker, Outcome, flood
from bench.soak.server import HOST, Server, Upstream, header, until_it_answers, whom
from corepy.proxyproto import SIGNATURE
from corepy.stream import frame
from corepy.testing import message
from corepy.testing.layout import free_port

Figures = tuple[bool, str]
"""Whether all is as it should be, and what was seen."""
Phase = Callable[[str, Path, float], Figures]
PHASES: Final[dict[str, Phase]] = {}


def phase(run: Phase) -> Phase:
    """Enter it into the table; its docstring says what it does."""
    PHASES[run.__name__] = run
    return run


def asked_meanwhile(asker: Asker, seconds: float, act: Callable[[], Coroutine[Any, Any, object]]) -> Outcome:
    """Queries for so long, while something happens."""

    async def both() -> Outcome:
        doing = asyncio.create_task(act())
        outcome = await asker.run(seconds)
        await doing
        return outcome

    return asyncio.run(both())


@phase
def reload(command: str, folder: Path, seconds: float) -> Figures:
    """SIGUSR1 three times a second, each with another Corefile, under 400 queries a second, half of them over TCP."""
    with Upstream(folder, free_port()) as far, Server(command, folder, far.port) as server:

        async def change() -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await asyncio.sleep(0.3)
                server.write()
                server.process.send_signal(signal.SIGUSR1)

        outcome = asked_meanwhile(Asker(server.port, 400, tcp=0.5), seconds, change)
        return not outcome.lost + outcome.wrong, f"{server.version - 1} reloads: {outcome}"


@phase
def badcorefile(command: str, folder: Path, seconds: float) -> Figures:
    """SIGUSR1 with a Corefile that is wrong: the old one goes on."""
    with Upstream(folder, free_port()) as far, Server(command, folder, far.port) as server:

        async def change() -> None:
            for _ in range(20):
                await asyncio.sleep(seconds / 21)
                server.write("nonsense {\n")
                server.process.send_signal(signal.SIGUSR1)

        outcome = asked_meanwhile(Asker(server.port, 400, tcp=0.2), seconds, change)
        return not outcome.lost + outcome.wrong + outcome.failures, str(outcome)


@phase
def upstream(command: str, folder: Path, seconds: float) -> Figures:
    """SIGKILL for one of two upstreams, then for the other when the first is back."""
    ports = free_port(), free_port()
    with ExitStack() as stack:
        far = [stack.enter_context(Upstream(folder, port)) for port in ports]
        server = stack.enter_context(Server(command, folder, *ports))

        async def kill() -> None:
            for number in (0, 1):
                await asyncio.sleep(seconds / 4)
                far[number].end(signal.SIGKILL)
                await asyncio.sleep(seconds / 8)
                far[number] = stack.enter_context(await asyncio.to_thread(Upstream, folder, ports[number]))

        outcome = asked_meanwhile(Asker(server.port, 400), seconds, kill)
        return not outcome.lost + outcome.wrong + outcome.failures and outcome.within(100) < 2500, str(outcome)


@phase
def sigterm(command: str, folder: Path, seconds: float) -> Figures:  # noqa: ARG001 - it has its own time
    """SIGTERM while every query takes 1.5 seconds: all that came before are answered."""
    with Upstream(folder, free_port(), 1.5) as far, Server(command, folder, far.port) as server:

        async def end() -> tuple[int, float]:
            await asyncio.sleep(2.1)
            return await asyncio.to_thread(server.end)

        async def both() -> tuple[Outcome, tuple[int, float]]:
            ending = asyncio.create_task(end())
            return await Asker(server.port, 200).run(2.0), await ending

        outcome, (status, took) = asyncio.run(both())
        return not outcome.lost + status and took < 5, f"{outcome}; exit {status} after {took:.1f} s"


# --- clients on TCP ---

BEGINNINGS: Final = {"silent": b"", "half a message": frame(message())[:9], "half a header": SIGNATURE[:7]}


@phase
def idle(command: str, folder: Path, seconds: float) -> Figures:  # noqa: ARG001 - it has its own time
    """Connections by the thousand that say nothing, half a message, or half a PROXY header; others are served."""
    said, well = [], True
    with Upstream(folder, free_port()) as far, Server(command, folder, far.port) as server:
        for what, beginning in BEGINNINGS.items():
            port = server.proxy if "header" in what else server.port
            with ExitStack() as stack:
                crowd = [stack.enter_context(socket.create_connection((HOST, port))) for _ in range(1000)]
                for sock in crowd:
                    sock.sendall(beginning)
                opened = time.monotonic()
                outcome = asyncio.run(Asker(server.port, 100, tcp=0.5).run(2.0))
                for sock in crowd:
                    sock.settimeout(15)
                    if sock.recv(1):
                        well = False
                closed = time.monotonic() - opened
            well = well and not outcome.lost and closed < 10
            said.append(f"{what}: all closed after {closed:.1f} s, {outcome.lost} of {outcome.sent} others lost")
        return well, f"{'; '.join(said)}; {server.memory >> 10} MiB"


@phase
def noread(command: str, folder: Path, seconds: float) -> Figures:  # noqa: ARG001 - it has its own time
    """200 clients that ask for 50 MiB each and read nothing."""
    with Upstream(folder, free_port()) as far, Server(command, folder, far.port) as server:
        before = peak = server.memory
        with ExitStack() as stack:
            for _ in range(200):
                sock = stack.enter_context(socket.create_connection((HOST, server.port)))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                sock.send(frame(message("large.example.", "TXT")) * 1000)
                peak = max(peak, server.memory)
            outcome = asyncio.run(Asker(server.port, 50, tcp=0.5).run(3.0))
            peak = max(peak, server.memory)
        grown = (peak - before) >> 10
        return grown < 128 and not outcome.lost, f"{grown} MiB more; {outcome}"


@phase
def vanish(command: str, folder: Path, seconds: float) -> Figures:  # noqa: ARG001 - it has its own time
    """5,000 clients that ask and reset the connection at once."""
    with Upstream(folder, free_port()) as far, Server(command, folder, far.port) as server:
        for number in range(5000):
            with socket.create_connection((HOST, server.port)) as sock:
                sock.sendall(frame(message(f"n{number}.soak.example.")))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        outcome = asyncio.run(Asker(server.port, 100, tcp=0.5).run(3.0))
        ended = time.monotonic()
        while server.descriptors > 60 and time.monotonic() < ended + 40:  # those to the upstream are kept for a while
            time.sleep(0.5)
        kept = server.descriptors
        return not outcome.lost and kept <= 60, f"{kept} descriptors after {time.monotonic() - ended:.0f} s; {outcome}"


# --- datagrams ---


@phase
def sessions(command: str, folder: Path, seconds: float) -> Figures:  # noqa: ARG001 - it has its own time
    """Headers alone from 200,000 places: the newest is known, the oldest forgotten, the memory bounded."""
    places = [(f"127.{number >> 12 & 255}.{number >> 4 & 255}.9", 20000 + (number & 15)) for number in range(200_000)]
    with Server(command, folder) as server:
        before = server.memory
        for at in range(0, len(places), 16):
            for number in range(at, min(at + 16, len(places))):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind(places[number])
                    sock.sendto(header(number), (HOST, server.proxy))
            if not at % 128:  # so that no receive buffer runs over
                until_it_answers(server.proxy, "whoami.example.", patience=0.3)
        until_it_answers(server.proxy, "whoami.example.", patience=0.3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(places[-1])  # once more, since its first header may have been lost
            sock.sendto(header(len(places) - 1), (HOST, server.proxy))
        newest = whom(server.proxy, places[-1]) == f"198.18.{(len(places) - 1) >> 8 & 255}.{(len(places) - 1) & 255}"
        oldest = whom(server.proxy, places[0]) == places[0][0]
        grown = (server.memory - before) >> 10
        words = f"newest {'known' if newest else 'LOST'}, oldest {'forgotten' if oldest else 'KEPT'}, {grown} MiB more"
        return newest and oldest and grown < 16, words


@phase
def malformed(command: str, folder: Path, seconds: float) -> Figures:
    """A flood of malformed PROXY headers: they do not fill the log."""
    wrong = SIGNATURE + b"\x21\x11\0\x0c" + bytes(12)  # a stream's addresses, in a datagram (CVE-2026-62309)
    with Server(command, folder) as server:
        sent, end = 0, time.monotonic() + seconds
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while time.monotonic() < end:
                for _ in range(500):
                    sock.sendto(wrong, (HOST, server.proxy))
                until_it_answers(server.proxy, "whoami.example.", patience=0.3)
                sent += 500
        lines = len(server.output.read_bytes().splitlines())
        return lines < seconds + 10, f"{sent} datagrams, {lines} lines"


@phase
def overload(command: str, folder: Path, seconds: float) -> Figures:
    """One, two and three times as many datagrams as are answered at best: what is served is served soon."""
    said = []
    with Server(command, folder) as server:
        most = len(flood(server.proxy, 1e6, 3, window=128).seconds) / 3
        for times in (0.5, 2, 3):
            outcome = flood(server.proxy, most * times, min(seconds, 5))
            share = 100 * outcome.lost / outcome.sent
            took = f"p50 {outcome.within(50):.0f} ms, p99 {outcome.within(99):.0f} ms, max {outcome.within(100):.0f} ms"
            said.append(f"{times} times: {share:.0f} % lost, {took}")
        after = asyncio.run(Asker(server.proxy, 100).run(1.0))
        return not after.lost, f"at best {most:.0f} answers a second; {'; '.join(said)}; afterwards {after.lost} lost"
