"""The programs that can be measured, and how each is told to serve a scenario on one port of the loopback interface.

A configuration has what a user would write, no more and no less; each server has one thread for queries where it lets
us choose. What a server cannot do is no scenario for it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.scenarios import ZONE, Scenario, address, hosts_text, zone_text

Arguments = list[str]


@dataclass(frozen=True)
class Job:
    """A scenario to be served at a port of 127.0.0.1, with files in a folder; `upstream` is its upstream's port."""

    scenario: Scenario
    folder: Path
    port: int
    upstream: int = 0

    def write(self, name: str, text: str) -> Path:
        """Make a file."""
        path = self.folder / name
        path.write_text(text)
        return path


@dataclass(frozen=True)
class Kind:
    """A program: what it is called, how it tells its version, and what makes its configuration."""

    program: str
    version: str
    configure: Callable[[Job], Arguments | None]
    """Writes what is needed; the arguments to start it with, None for a scenario that it cannot serve."""


@dataclass(frozen=True)
class Server:
    """A kind of server that is installed here."""

    name: str
    command: tuple[str, ...]
    kind: Kind

    def start_with(self, job: Job) -> Arguments | None:
        """The whole command for a job; its files are written then."""
        arguments = self.kind.configure(job)
        return None if arguments is None else [*self.command, *arguments]

    def version(self) -> str:
        """What it says its version is; empty where it says nothing that looks like one."""
        told = subprocess.run([*self.command, self.kind.version], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+(\.\d+)?", told.stdout + told.stderr)
        return found[0] if found else ""


# --- Corefiles ---

_COREFILES: Final = {
    "static": f".:PORT {{\n    hosts {{\n        {address(0)} host0.{ZONE}\n    }}\n}}\n",
    "hosts": ".:PORT {\n    hosts hosts\n}\n",
    "zone": f"{ZONE}:PORT {{\n    file zone\n}}\n",
    "cache": ".:PORT {\n    cache\n    forward . 127.0.0.1:UPSTREAM\n}\n",
    "forward": ".:PORT {\n    forward . 127.0.0.1:UPSTREAM\n}\n",
}


def _corefile(job: Job) -> Arguments:
    text = _COREFILES[job.scenario.serves].replace("PORT", str(job.port), 1).replace("UPSTREAM", str(job.upstream))
    if job.scenario.serves == "hosts":
        text = text.replace("hosts hosts", f"hosts {job.write('hosts', hosts_text())}")
    if job.scenario.serves == "zone":
        text = text.replace("file zone", f"file {job.write('zone', zone_text())}")
    return ["-conf", str(job.write("Corefile", text))]


# --- others ---


def _knot(job: Job) -> Arguments | None:
    if job.scenario.upstream or job.scenario.serves == "hosts":
        return None
    names = 1 if job.scenario.serves == "static" else None
    zone = job.write("zone", zone_text() if names is None else zone_text(names))
    text = f"""\
server:
    listen: 127.0.0.1@{job.port}
    rundir: {job.folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {job.folder}
control:
    listen: {job.folder}/control
log:
  - target: stderr
    any: error
zone:
  - domain: {ZONE}
    file: {zone}
    semantic-checks: off
"""
    return ["-c", str(job.write("knot.conf", text))]


def _unbound(job: Job) -> Arguments:
    match job.scenario.serves:
        case "static" | "hosts":
            names = 1 if job.scenario.serves == "static" else job.scenario.names
            data = "".join(f'    local-data: "host{n}.{ZONE}. 3600 A {address(n)}"\n' for n in range(names))
            what = f'    local-zone: "{ZONE}." static\n{data}'
        case "zone":
            zone = job.write("zone", zone_text())
            what = f'auth-zone:\n    name: "{ZONE}"\n    zonefile: "{zone}"\n    for-upstream: no\n'
        case serves:
            cached = "    forward-no-cache: yes\n" if serves == "forward" else ""
            what = f'forward-zone:\n    name: "."\n    forward-addr: 127.0.0.1@{job.upstream}\n{cached}'
    text = f"""\
server:
    interface: 127.0.0.1
    port: {job.port}
    num-threads: 1
    do-daemonize: no
    do-not-query-localhost: no
    module-config: "iterator"
    username: ""
    chroot: ""
    directory: "{job.folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
{what}"""
    return ["-d", "-c", str(job.write("unbound.conf", text))]


def _dnsdist(job: Job) -> Arguments | None:
    local = f'setLocal("127.0.0.1:{job.port}")\nsetACL("127.0.0.0/8")\n'
    upstream = f'newServer{{address="127.0.0.1:{job.upstream}", checkName="host0.{ZONE}."}}\n'
    cache = 'getPool(""):setCache(newPacketCache(100000))\n'
    texts = {
        "static": f'addAction(AllRule(), SpoofAction("{address(0)}"))\n',
        "forward": upstream,
        "cache": upstream + cache,
    }
    if job.scenario.serves not in texts:
        return None
    path = job.write("dnsdist.conf", local + texts[job.scenario.serves])
    return ["--supervised", "--disable-syslog", "-C", str(path)]


KINDS: Final[Mapping[str, Kind]] = {
    "corepy": Kind("corepy", "-version", _corefile),
    "coredns": Kind("coredns", "-version", _corefile),
    "dnsdist": Kind("dnsdist", "--version", _dnsdist),
    "unbound": Kind("unbound", "-V", _unbound),
    "knot": Kind("knotd", "--version", _knot),
}
"""By the names that the command line has."""
_PLACES: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where servers are that are not on everybody's path."""


def chosen(servers: Sequence[Server], names: Sequence[str]) -> list[Server]:
    """Those of the servers that have the names, all without any. Raises ValueError for one that is not among them."""
    known = [server.name for server in servers]
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is not here, only {', '.join(known)}")
    return [server for server in servers if not names or server.name in names]


def installed(paths: Mapping[str, str]) -> list[Server]:
    """All kinds that are here: those with a command in `paths`, and what the search path has.

    corepy is the one beside this file, run by the same Python, unless it is given. Raises ValueError for a kind that is
    unknown, or a command that is not there.
    """
    found = []
    for name in paths:
        if name not in KINDS:
            raise ValueError(f"unknown server {name!r}, expected one of {', '.join(KINDS)}")
    for name, kind in KINDS.items():
        command = tuple(shlex.split(paths[name])) if name in paths else _command(name, kind.program)
        if command and shutil.which(command[0]) is None:
            raise ValueError(f"{command[0]!r} cannot be run")
        if command:
            found.append(Server(name, command, kind))
    return found


def _command(name: str, program: str) -> tuple[str, ...]:
    if name == "corepy":
        return sys.executable, "-m", "corepy"
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    return (found,) if found else ()


__all__ = ["KINDS", "Arguments", "Job", "Kind", "Server", "chosen", "installed"]
