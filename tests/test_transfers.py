"""Zone transfers with the servers that people have: both ways, whole zones and differences, signed and not.

In each test a program is the primary of example.org, whose secondary we are, and the secondary of example.net. Both
zones are fetched, then changed: NOTIFY goes out, and the differences follow.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from corepy import codes
from corepy.testing import Running, ask
from tests import programs

if TYPE_CHECKING:
    from tests.conftest import Command, Start

FreePort = Callable[[], int]
SECRET = "c2VjcmV0LW51bWJlci1vbmUtZm9yLXRlc3RzLW9ubHk="   # noqa: S105 - of tests
ROWS = "".join(f"h{number} TXT {'x' * 100}\n" for number in range(1000))
"""So that a whole zone takes several messages."""


class Program(NamedTuple):
    """A server that others have written."""

    name: str
    arguments: tuple[str, ...]
    configuration: str
    """`{port}` is the program's, `{other}` ours; `{keys}`, and what `signed` has, fit without keys, too."""
    keys: str
    """The key, for `{keys}`."""
    signed: dict[str, str]
    """What stands in places where a key may be used."""
    unsigned: dict[str, str]
    """What stands there without one."""


KNOT = Program(
    "knotd", ("-c", "conf"),
    """
server:
    rundir: {path}
    listen: 127.0.0.1@{port}
log:
  - target: stdout
    any: info
database:
    storage: {path}/db
{keys}
remote:
  - id: corepy
    address: 127.0.0.1@{other}
    {key}
acl:
  - id: all
    action: [transfer, notify]
    {key}
template:
  - id: default
    storage: {path}
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    acl: all
zone:
  - domain: example.org
    file: example.org
    notify: corepy
  - domain: example.net
    file: fetched
    master: corepy
""",
    f"key:\n  - id: transfer.key.\n    algorithm: hmac-sha256\n    secret: {SECRET}\n",
    {"key": "key: transfer.key."},
    {"key": ""},
)  # fmt: skip

NSD = Program(
    "nsd", ("-d", "-c", "conf"),
    """
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    zonesdir: "{path}"
    pidfile: "{path}/pid"
    xfrdfile: "{path}/xfrd"
    xfrdir: "{path}"
    zonelistfile: "{path}/zones"
    database: ""
    server-count: 1
    xfrd-reload-timeout: 0
remote-control:
    control-enable: no
{keys}
zone:
    name: example.org
    zonefile: example.org
    store-ixfr: yes
    create-ixfr: yes
    notify: 127.0.0.1@{other} {key}
    provide-xfr: 127.0.0.1 {key}
zone:
    name: example.net
    zonefile: fetched
    request-xfr: 127.0.0.1@{other} {key}
    allow-notify: 127.0.0.1 {key}
""",
    f"key:\n    name: transfer.key.\n    algorithm: hmac-sha256\n    secret: {SECRET}\n",
    {"key": "transfer.key."},
    {"key": "NOKEY"},
)  # fmt: skip

BIND = Program(
    "named", ("-g", "-c", "conf"),
    """
options {{
    directory "{path}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    notify explicit;
    notify-delay 0;
    allow-transfer {{ {allow}; }};
}};
controls {{ }};
{keys}
zone example.org {{
    type primary;
    file "example.org";
    ixfr-from-differences yes;
    also-notify {{ 127.0.0.1 port {other} {key}; }};
}};
zone example.net {{
    type secondary;
    file "fetched";
    masterfile-format text;
    primaries {{ 127.0.0.1 port {other} {key}; }};
}};
""",
    f'key transfer.key. {{ algorithm hmac-sha256; secret "{SECRET}"; }};',
    {"key": "key transfer.key.", "allow": "key transfer.key."},
    {"key": "", "allow": "127.0.0.1"},
)  # fmt: skip


def zone(serial: int, *rows: str) -> str:
    head = f"$TTL 60\n@ SOA ns root {serial} 3600 3600 3600 5\n@ NS ns\nns A 192.0.2.1\n"
    return head + ROWS + "\n".join(rows) + "\n"


def eventually(port: int, name: str) -> None:
    """Ask a server for a name until it knows it. Programs outside do not go by a clock of ours."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if ask("127.0.0.1", port, name).rcode == codes.NOERROR:
                return
        except ConnectionRefusedError:   # it is still starting
            pass
        threading.Event().wait(0.02)
    raise TimeoutError(name)


def started(program: Program, key: bool, port: int, other: int, path: Path, command: Start) -> Command:
    """The program, once it serves example.org."""
    path_of_it = programs.program(program.name)
    keys, uses = (program.keys, program.signed) if key else ("", program.unsigned)
    text = program.configuration.format(path=path, port=port, other=other, keys=keys, **uses)
    (path / "db").mkdir()   # Knot's journal
    (path / "conf").write_text(text)
    (path / "example.org").write_text(zone(5, "old TXT a"))
    running = command(path_of_it, *program.arguments)
    eventually(port, "old.example.org")
    return running


@pytest.mark.parametrize("key", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("program", [KNOT, NSD, BIND], ids=lambda program: program.name)
def test_zones_go_both_ways(
    program: Program, key: bool, tmp_path: Path, command: Start, free_port: FreePort,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    port, other = free_port(), free_port()
    (tmp_path / "example.net").write_text(zone(5, "old TXT a"))
    with_key = "key transfer.key." if key else ""
    corefile = f"""example.org:{other} example.net:{other} {{
        tsig {{
            secret transfer.key. {SECRET}
            require {"AXFR IXFR" if key else "none"}
            require_opcode {"NOTIFY" if key else "none"}
        }}
        secondary example.org {{
            transfer from 127.0.0.1:{port} {with_key}
        }}
        file {tmp_path}/example.net example.net {{
            reload 50ms
        }}
        transfer example.net {{
            to 127.0.0.1:{port} {with_key}
        }}
    }}"""
    with Running(corefile):
        running = started(program, key, port, other, tmp_path, command)
        eventually(other, "old.example.org")
        eventually(port, "old.example.net")
        assert "zone example.net. is handed out, to 127.0.0.1, serial 5" in capsys.readouterr().out
        (tmp_path / "new").write_text(zone(6, "new TXT a"))
        (tmp_path / "new").rename(tmp_path / "example.net")
        eventually(port, "new.example.net")
        assert ask("127.0.0.1", port, "old.example.net").rcode == codes.NXDOMAIN
        said = ""
        for serial in range(6, 12):
            (tmp_path / "example.org").write_text(zone(serial, f"new{serial} TXT a"))
            running.signal(signal.SIGHUP)
            eventually(other, f"new{serial}.example.org")
            assert ask("127.0.0.1", other, "old.example.org").rcode == codes.NXDOMAIN
            said += capsys.readouterr().out
            if "zone example.org. brought" in said:
                break   # else a process of NSD's that has only the version before was asked for the differences
    assert "zone example.net. is handed out from serial 5 on, to 127.0.0.1, serial 6" in said
    assert "zone example.org. brought up to date from 127.0.0.1" in said
    assert "WARNING" not in said   # no NOTIFY was refused, no differences led to nothing
