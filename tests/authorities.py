"""Other authoritative servers of this machine, with zones of ours: what they say is what ours is compared with."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final

from corepy import codes
from corepy import wire as w
from tests.programs import program
from tests.zonegen import Question

_BATCH: Final = 64
"""Questions that wait on a connection: more would fill the sockets' buffers, and both sides would wait to write."""
_PATIENCE: Final = 30.0
_OPT: Final = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"
"""An OPT record with DO."""

Zones = Mapping[str, Path]
"""Files by the names of zones, which end with a dot."""


def _knot(directory: Path, port: int, zones: Zones) -> list[str]:
    rows = "".join([f"  - domain: {name}\n    file: {path}\n" for name, path in zones.items()])
    config = directory / "knot.conf"
    config.write_text(
        f"server:\n  rundir: {directory}\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  tcp-workers: 1\n"
        f"  background-workers: 1\ndatabase:\n  storage: {directory}\ntemplate:\n  - id: default\n"
        f"    semantic-checks: off\n    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n"
        f"zone:\n{rows}"
    )
    return ["knotd", "-c", str(config)]


def _nsd(directory: Path, port: int, zones: Zones) -> list[str]:
    rows = "".join([f"zone:\n  name: {name}\n  zonefile: {path}\n" for name, path in zones.items()])
    config = directory / "nsd.conf"
    config.write_text(
        f'server:\n  ip-address: 127.0.0.1@{port}\n  username: ""\n  pidfile: "{directory}/pid"\n  database: ""\n'
        f'  zonelistfile: "{directory}/zones"\n  xfrdfile: "{directory}/xfrd"\n  xfrdir: "{directory}"\n'
        f"  server-count: 1\n  minimal-responses: no\n  tcp-query-count: 0\n"
        f"remote-control:\n  control-enable: no\n{rows}"
    )
    return ["nsd", "-d", "-c", str(config)]


def _coredns(directory: Path, port: int, zones: Zones) -> list[str]:
    rows = "".join([f" file {path} {name}\n" for name, path in zones.items()])
    config = directory / "Corefile"
    config.write_text(f".:{port} {{\n bind 127.0.0.1\n{rows}}}\n")
    return ["coredns", "-conf", str(config)]


_SERVERS: Final[Mapping[str, Callable[[Path, int, Zones], list[str]]]] = {
    "knot": _knot, "nsd": _nsd, "coredns": _coredns,
}  # fmt: skip


@contextmanager
def serving(server: str, directory: Path, port: int, zones: Zones) -> Iterator[None]:
    """Run a server with these zones on a port of 127.0.0.1; without its program the test is skipped."""
    name, *arguments = _SERVERS[server](directory, port, zones)
    path = program(name)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([path, *arguments], stdout=log, stderr=log, cwd=directory)  # noqa: S603 - as above
    try:
        _wait(process, port, zones, directory / "log")
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait(process: subprocess.Popen[bytes], port: int, zones: Zones, log: Path) -> None:
    """Until the server has all zones."""
    end = time.monotonic() + _PATIENCE
    questions = [Question(w.encode_name(name), codes.SOA, do=False) for name in zones]
    while True:
        try:
            if all(wire[3] & 15 == 0 for wire in ask(port, questions)):
                return
        except OSError:
            pass   # it does not listen yet
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            raise AssertionError(f"it has ended: {log.read_text()[-2000:]}")
        assert time.monotonic() < end, f"it lacks zones: {log.read_text()[-2000:]}"


def ask(port: int, questions: Iterable[Question]) -> Iterator[bytes]:
    """What a server on 127.0.0.1 answers, in the order of the questions; over TCP, so that messages are whole."""
    waiting = iter(questions)
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as sock, sock.makefile("rb") as stream:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while batch := list(islice(waiting, _BATCH)):
            sock.sendall(b"".join([_framed(number, question) for number, question in enumerate(batch)]))
            replies: dict[int, bytes] = {}
            for _ in batch:
                size = struct.unpack("!H", stream.read(2))[0]
                wire = stream.read(size)
                replies[int.from_bytes(wire[:2], "big")] = wire
            yield from (replies[number] for number in range(len(batch)))


def _framed(number: int, question: Question) -> bytes:
    """A query behind its length."""
    opt = _OPT if question.do else b""
    asked = question.name + w.QUESTION.pack(question.qtype, codes.IN)
    wire = w.HEADER.pack(number, 0, 1, 0, 0, len(opt) > 0) + asked + opt
    return len(wire).to_bytes(2, "big") + wire
