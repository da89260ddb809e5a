"""What came of it: a table for people, JSON for programs, and what machine it was."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import Result
from bench.scenarios import SCENARIOS

_HEADINGS = ("CPU an answer", "answers/s", "memory", "start", "lost", "differ")


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    processor: str
    cores: int
    kernel: str
    python: str

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
        cores = len(os.sched_getaffinity(0))
        kernel = platform.release().partition("-")[0]
        return cls(processor or platform.machine(), cores, kernel, platform.python_version())

    def __str__(self) -> str:
        cores = f"{self.cores} core{'s' * (self.cores != 1)}"
        return f"{self.processor}, {cores}; Linux {self.kernel}; Python {self.python}"


def table(results: Iterable[Result]) -> str:
    """A Markdown table, scenario by scenario; the least CPU of each in bold."""
    by_scenario: dict[str, list[Result]] = {}
    for result in results:
        by_scenario.setdefault(result.scenario, []).append(result)
    rows = [["", "", *_HEADINGS], ["---", "---", *["--:"] * len(_HEADINGS)]]
    for name, found in by_scenario.items():
        least = min(result.cpu for result in found)
        for number, result in enumerate(found):
            what = f"**{name}**: {SCENARIOS[name].what}" if name in SCENARIOS else f"**{name}**"
            cpu = f"{result.cpu:.1f} µs"
            rows.append([
                what * (not number), result.server, f"**{cpu}**" if result.cpu == least else cpu,
                f"{result.rate:,.0f}", f"{result.memory:.0f} MiB", f"{result.start * 1000:.0f} ms",
                f"{result.lost:,}", f"{result.differ}",
            ])  # fmt: skip
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def document(results: Sequence[Result], versions: Mapping[str, str], machine: Machine, how: str) -> str:
    """The table, with what is to be known about it."""
    servers = ", ".join(f"{name} {version}".strip() for name, version in versions.items())
    return f"{servers}; {machine}. `{how}`\n\n{table(results)}"


def as_json(results: Sequence[Result], versions: Mapping[str, str], machine: Machine, how: str) -> str:
    """The same for programs; times in microseconds an answer and seconds, memory in MiB."""
    whole = {
        "command": how, "machine": asdict(machine), "versions": dict(versions), "results": [*map(asdict, results)]
    }  # fmt: skip
    return json.dumps(whole, indent=1) + "\n"


__all__ = ["Machine", "as_json", "document", "table"]
