"""The load: dnsperf (https://www.dns-oarc.net/tools/dnsperf), and what it tells."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CLIENTS: Final = 8
OUTSTANDING: Final = 100
"""Queries that are on their way at one time: a busy server, not a drowning one."""
THREADS: Final = 2


@dataclass(frozen=True)
class Load:
    """What came of one run."""

    sent: int
    answered: int
    seconds: float
    rcodes: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Queries without an answer, or with one that is none."""
        return self.sent - self.rcodes.get("NOERROR", 0)


def is_there() -> bool:
    """Whether the program is installed."""
    return shutil.which("dnsperf") is not None


def write(names: Iterable[str], path: Path) -> Path:
    """Make the file of questions."""
    path.write_text("".join(f"{name} A\n" for name in names))
    return path


def run(port: int, questions: Path, seconds: float, transport: str = "udp", *, once: bool = False) -> Load:
    """Ask for so many seconds, or until each question was asked if `once`. Raises ValueError where that fails."""
    command = [
        "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(questions), "-l", str(seconds), "-m", transport,
        "-c", str(CLIENTS), "-q", str(OUTSTANDING), "-T", str(THREADS), *(["-n", "1"] if once else []),
    ]  # fmt: skip
    return parse(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def parse(text: str) -> Load:
    """What its output says. Raises ValueError where that is no report of a run."""

    def number(label: str) -> float:
        found = re.search(rf"^ *{re.escape(label)}: +([0-9.]+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"dnsperf says nothing of {label!r}: {text[-200:]!r}")
        return float(found[1])

    codes = re.search(r"^ *Response codes: +(.*)$", text, re.MULTILINE)
    rcodes = dict(re.findall(r"([A-Z]\w*) (\d+)", codes[1])) if codes else {}
    return Load(
        int(number("Queries sent")),
        int(number("Queries completed")),
        number("Run time (s)"),
        {name: int(count) for name, count in rcodes.items()},
    )


__all__ = ["Load", "is_there", "parse", "run", "write"]
