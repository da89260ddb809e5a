"""bench.servers: what is installed, and configurations that say what the scenario does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.scenarios import SCENARIOS
from bench.servers import KINDS, Job, Server, chosen, installed
from corepy import corefile, registry, site

CAN = {
    "corepy": set(SCENARIOS),
    "coredns": set(SCENARIOS),
    "dnsdist": {"static", "cache", "miss", "forward"},
    "unbound": set(SCENARIOS),
    "knot": {"static", "zone", "zone-tcp"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_configurations(tmp_path: Path, kind: str, name: str) -> None:
    server = Server(kind, ("program",), KINDS[kind])
    command = server.start_with(Job(SCENARIOS[name], tmp_path, 20001, 20002))
    assert (command is not None) == (name in CAN[kind])
    if command is None:
        return
    assert command[0] == "program"
    text = Path(command[-1]).read_text()
    assert "20001" in text
    assert ("20002" in text) == SCENARIOS[name].upstream
    if kind == "corepy":   # which is CoreDNS's, too
        built = site.build(corefile.load(text, "Corefile", known=registry.known()))
        assert [bind.port for bind in built.listeners] == [20001]


def test_corepy_is_the_one_beside_the_bench() -> None:
    [corepy] = [server for server in installed({}) if server.name == "corepy"]
    assert corepy.command == (sys.executable, "-m", "corepy")


def test_a_path_that_is_given(tmp_path: Path) -> None:
    program = tmp_path / "some coredns"
    program.write_text("#!/bin/sh\necho CoreDNS-1.2.3\n")
    program.chmod(0o755)
    found = {server.name: server for server in installed({"coredns": f"'{program}'"})}
    assert found["coredns"].command == (str(program),)
    assert found["coredns"].version() == "1.2.3"


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ({"core": "x"}, "unknown server 'core', expected one of corepy, coredns"),
        ({"coredns": "/no/such/program -x"}, "'/no/such/program' cannot be run"),
    ],
)
def test_what_is_not_there(paths: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        installed(paths)


def test_some_of_them() -> None:
    servers = [Server(name, (name,), KINDS[name]) for name in ("corepy", "knot")]
    assert [server.name for server in chosen(servers, ["knot"])] == ["knot"]
    assert chosen(servers, []) == servers
    with pytest.raises(ValueError, match="'nsd' is not here, only corepy, knot"):
        chosen(servers, ["nsd"])
