"""Live through it: reloads under load, dead upstreams, bad clients, floods; `python -m bench.soak --help`.

Every phase starts each server with the same Corefile and does the same to it; the output is a table in Markdown. The
exit status is 1 where corepy, or the only server there is, does not do as it should. Loopback only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.soak.phases import PHASES


def main() -> int:
    """The phases that were asked for, on the servers that were given."""
    parser = argparse.ArgumentParser(prog="bench.soak", description="What a name server has to live through.")
    parser.add_argument("phases", nargs="*", metavar="PHASE", help=f"some of {', '.join(PHASES)}; all if none is said")
    parser.add_argument(
        "--server", action="append", metavar="NAME=COMMAND", help="run as COMMAND -conf Corefile; the first one decides"
    )
    parser.add_argument("--seconds", type=float, default=15, help="how long each phase is that has no time of its own")
    arguments = parser.parse_args()
    servers = dict(each.split("=", 1) for each in arguments.server or [f"corepy={sys.executable} -m corepy"])
    if unknown := set(arguments.phases) - PHASES.keys():
        parser.error(f"no such phase: {', '.join(sorted(unknown))}")
    print("| phase | " + " | ".join(servers) + " |\n| --- |" + " --- |" * len(servers))
    failed = False
    for name in arguments.phases or PHASES:
        cells = []
        for number, command in enumerate(servers.values()):
            with tempfile.TemporaryDirectory(prefix="soak-") as folder:
                well, words = PHASES[name](command, Path(folder), arguments.seconds)
            cells.append(words if well else f"**{words}**")
            failed |= not well and not number
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
