"""The whole of it: for each scenario all servers side by side, loaded in turns, so that none has the quiet hour."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import dnsperf
from bench.agreement import answers, differences
from bench.processes import Running, running
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import Job, Server
from corepy.testing.layout import free_port

_SAMPLED = 50
_STARTS = 3
_RATE = 80_000
"""Queries a second that no load exceeds: so many names are made where each is to be new."""


@dataclass(frozen=True)
class Result:
    """What one server did in one scenario: the median of the rounds."""

    scenario: str
    server: str
    cpu: float
    """Microseconds of CPU an answer, user and system, of the whole process tree."""
    rate: float
    """Answers a second, while the load generator shares the machine."""
    memory: float
    """MiB after the load."""
    start: float
    """Seconds from the command to the first answer, the least of three: what else the machine does only adds to it."""
    lost: int
    """Queries without a good answer, in all rounds."""
    differ: int
    """Of 50 answers, how many are not as the first server's."""


def measure(
    scenario: Scenario, servers: Sequence[Server], upstream: Server, folder: Path, *, seconds: float, rounds: int
) -> list[Result]:
    """All servers that can serve a scenario, in the order given; `upstream` is behind those that forward."""
    with ExitStack() as stack:
        behind = stack.enter_context(_serving_zone(upstream, folder)) if scenario.upstream else 0
        started: dict[str, Running] = {}
        starts: dict[str, float] = {}
        for server in servers:
            job = _job(scenario, folder / scenario.name / server.name, behind)
            command = server.start_with(job)
            if command is not None:
                started[server.name], starts[server.name] = stack.enter_context(_started(command, job))
        names = list(scenario.questions(_SAMPLED, "sample"))
        said = {name: answers(each.port, names, scenario.transport) for name, each in started.items()}
        loads: dict[str, list[tuple[float, dnsperf.Load]]] = {name: [] for name in started}
        for turn in range(rounds + 1):
            for name, each in started.items():
                load = _load(scenario, each, folder, seconds if turn else min(seconds, 0.5), f"{name}{turn}")
                if turn:   # the first one is for caches to fill and code to get warm
                    loads[name].append(load)
        first = next(iter(said.values()), [])
        return [
            _result(scenario.name, name, each, starts[name], loads[name], differences(first, said[name]))
            for name, each in started.items()
        ]


@contextmanager
def _started(command: Sequence[str], job: Job) -> Iterator[tuple[Running, float]]:
    """A server, and the seconds of its quickest start."""
    name, starts = next(job.scenario.questions(1)), []
    for _ in range(_STARTS - 1):
        with running(command, job.port, job.folder, name) as server:
            starts.append(server.start)
    with running(command, job.port, job.folder, name) as server:
        yield server, min([*starts, server.start])


def _load(
    scenario: Scenario, server: Running, folder: Path, seconds: float, salt: str
) -> tuple[float, dnsperf.Load]:
    """One turn: the CPU that the server used, and the load."""
    count = int(_RATE * seconds) if scenario.unique else max(scenario.names, _SAMPLED)
    questions = dnsperf.write(scenario.questions(count, salt), folder / "questions")
    before = server.cpu()
    load = dnsperf.run(server.port, questions, seconds, scenario.transport, once=scenario.unique)
    return server.cpu() - before, load


def _result(
    scenario: str, name: str, server: Running, start: float, loads: list[tuple[float, dnsperf.Load]], differ: int
) -> Result:
    return Result(
        scenario, name,
        cpu=statistics.median(cpu * 1e6 / max(load.answered, 1) for cpu, load in loads),
        rate=statistics.median(load.answered / load.seconds for _, load in loads),
        memory=server.memory(),
        start=start,
        lost=sum(load.lost for _, load in loads),
        differ=differ,
    )  # fmt: skip


@contextmanager
def _serving_zone(server: Server, folder: Path) -> Iterator[int]:
    """The port at which a server serves the zone."""
    job = _job(SCENARIOS["zone"], folder / "upstream", 0)
    command = server.start_with(job)
    if command is None:
        raise ValueError(f"{server.name} cannot be the upstream")
    with running(command, job.port, job.folder, next(job.scenario.questions(1))):
        yield job.port


def _job(scenario: Scenario, folder: Path, upstream: int) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    return Job(scenario, folder, free_port(), upstream)


__all__ = ["Result", "measure"]
