"""The command: `python -m bench`, in a checkout."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import dnsperf
from bench.measure import Result, measure
from bench.plot import svg
from bench.processes import DidNotStartError
from bench.report import Machine, as_json, document, table
from bench.scenarios import SCENARIOS
from bench.servers import KINDS, chosen, installed

_DESCRIPTION = """\
Run corepy beside other name servers that are installed, on the same questions: check that the answers agree, measure
in turns, and write a table, JSON and a plot."""
_NO_DNSPERF = "bench: dnsperf makes the load and is not here: apt install dnsperf, or https://www.dns-oarc.net/tools/dnsperf"


def arguments() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser("python -m bench", description=_DESCRIPTION)
    add = parser.add_argument
    add("--server", action="append", default=[], metavar="NAME=PATH", help=f"where a server is: {', '.join(KINDS)}")
    add("--only", metavar="NAME,...", help="measure these servers alone")
    add("-s", "--scenario", action="append", choices=list(SCENARIOS), help="all, if not given")
    add("-l", "--seconds", type=float, default=3.0, help="of each load (default: %(default)s)")
    add("-r", "--rounds", type=int, default=5, help="loads for each server and scenario (default: %(default)s)")
    add("-o", "--out", type=Path, metavar="FOLDER", help="write bench.md, bench.json and bench.svg there")
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print the table; the exit status: 1 where it could not be done, or answers differ."""
    options = arguments().parse_args(given)
    if not dnsperf.is_there():
        print(_NO_DNSPERF, file=sys.stderr)
        return 1
    try:
        found = installed(dict(each.partition("=")[::2] for each in options.server))
        servers = chosen(found, options.only.split(",") if options.only else [])
        results: list[Result] = []
        upstream = next((each for each in found if each.name == "knot"), found[0])
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            for name in options.scenario or SCENARIOS:
                print(f"{name}: {SCENARIOS[name].what} ...", file=sys.stderr, flush=True)
                results += measure(
                    SCENARIOS[name], servers, upstream, Path(folder), seconds=options.seconds, rounds=options.rounds
                )
    except (ValueError, DidNotStartError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.out is None:
        print(table(results))
    else:
        versions = {server.name: server.version() for server in servers}
        how = shlex.join(["python", "-m", "bench", "-l", f"{options.seconds:g}", "-r", str(options.rounds)])
        said = results, versions, Machine.here(), how
        options.out.mkdir(parents=True, exist_ok=True)
        texts = {"bench.md": document(*said), "bench.json": as_json(*said), "bench.svg": svg(results)}
        for name, text in texts.items():
            options.out.joinpath(name).write_text(text)
            print(options.out / name)
    return int(any(result.differ for result in results))


if __name__ == "__main__":
    sys.exit(main())
