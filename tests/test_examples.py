"""The files under examples/ name what there is: flags, plugins, ports, versions."""

from __future__ import annotations

import re
import textwrap
from configparser import ConfigParser
from pathlib import Path

import corepy
from corepy import corefile, registry, site
from corepy.__main__ import FLAGS
from corepy.flags import parse
from corepy.plugins.health import Health
from corepy.plugins.prometheus import Prometheus
from corepy.plugins.ready import Ready
from corepy.sockets import close_all, open_sockets

EXAMPLES = Path(__file__).parents[1] / "examples"


def words(json_list: str) -> list[str]:
    return re.findall(r'"([^"]*)"', json_list)


def unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit file; one that is there several times has several values."""
    settings: dict[str, list[str]] = {}
    for line in (EXAMPLES / "systemd" / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings.setdefault(key, []).append(value)
    return settings


def test_the_service_starts_and_reloads_as_the_server_does() -> None:
    parser = ConfigParser(strict=True, interpolation=None)
    parser.read(EXAMPLES / "systemd" / "corepy.service")
    service = parser["Service"]
    program, *arguments = service["ExecStart"].split()
    values, rest = parse(arguments, FLAGS)
    assert (Path(program).name, rest) == ("corepy", [])
    assert Path(str(values["conf"])).parent == Path(service["WorkingDirectory"])
    assert (service["Type"], service["ReloadSignal"]) == ("notify-reload", "SIGUSR1")


def test_the_sockets_are_those_that_the_server_wants() -> None:
    [bind] = site.build(corefile.load(".:0 {\n}\n", "Corefile")).listeners
    [wanted] = open_sockets(bind)
    kinds = sorted((f"{sock.getsockname()[0]}", sock.type.name) for sock in wanted)
    close_all(wanted)
    settings = unit("corepy.socket")
    given = [(address, "SOCK_DGRAM") for address in settings["ListenDatagram"]]
    given += [(address, "SOCK_STREAM") for address in settings["ListenStream"]]
    assert sorted((address.removesuffix(":53").strip("[]"), kind) for address, kind in given) == kinds


def test_the_image_runs_the_command_as_nobody() -> None:
    text = (EXAMPLES / "docker" / "Dockerfile").read_text()
    last = dict(line.split(" ", 1) for line in text.rpartition("\nFROM ")[2].splitlines()[1:] if line)
    assert last["USER"].split(":")[0] not in ("0", "root")
    values, rest = parse(words(last["CMD"]), FLAGS)
    assert rest == []
    assert str(values["conf"]).startswith(last["WORKDIR"])


def test_the_manifest_names_what_its_corefile_serves() -> None:
    text = (EXAMPLES / "kubernetes" / "corepy.yaml").read_text()
    config = re.search(r"  Corefile: \|\n((?:    .*\n)+)", text)
    assert config is not None
    source = textwrap.dedent(config[1]).replace("/etc/resolv.conf", "192.0.2.53")
    built = site.build(corefile.load(source, "Corefile", known=registry.known()))
    ports = {int(port) for port in re.findall(r"(?:containerPort|port): (\d+)", text)}
    endpoints = {each.port for each in built.plugins if isinstance(each, Health | Ready)}
    endpoints |= {each.port for each in built.plugins if isinstance(each, Prometheus)}
    assert ports == {bind.port for bind in built.listeners} | endpoints
    arguments = re.search(r"args: (\[.*\])", text)
    assert arguments is not None
    assert parse(words(arguments[1]), FLAGS)[1] == []
    assert f"image: corepy:{corepy.__version__}\n" in text
