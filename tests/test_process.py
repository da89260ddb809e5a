"""The command, as a process of its own: its lines, its signals, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import corepy
from corepy import codes, order
from corepy.process import version_lines
from corepy.testing import Client, ask, message

if TYPE_CHECKING:
    from tests.conftest import Command, Start

FreePort = Callable[[], int]
WHOAMI = "example.org:{port} {{\n    whoami\n}}\n"
TERM, INT, QUIT, HUP, USR1 = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], int]:
    """Write a file into the directory that commands run in."""
    return lambda name, text: (tmp_path / name).write_text(text)


Write = Callable[[str, str], int]


# --- it ends without serving ---


def test_version(corepy_command: Start) -> None:
    for arguments in ["-version"], ["--version"], ["-version=true"], ["-conf", "missing", "-version"]:
        code, out, errors = corepy_command(*arguments).end()
        assert (code, out, errors) == (0, version_lines(), [])
    assert out[0] == f"corepy-{corepy.__version__}"
    assert re.fullmatch(r"linux/\w+, python3\.\d+\.\d+\w*, ", out[1])


def test_plugins_are_those_that_are_built_in_chain_order_with_their_origin(corepy_command: Start) -> None:
    code, out, errors = corepy_command("-plugins").end()
    assert (code, errors) == (0, [])
    names = [line.removesuffix(" (corepy)") for line in out]
    assert {"proxyproto", "whoami"} <= set(names)
    theirs = [name for name in names if name in order.DIRECTIVES]   # and some that CoreDNS does not have
    assert theirs == sorted(theirs, key=order.DIRECTIVES.index)


FLAGS = """\
  -conf string
    \tCorefile to load, "stdin" for standard input (default "Corefile")
  -dns.port string
    \tDefault port (default "53")
  -format string
    \tFormat of what -validate finds: "text", "json", "github" or "sarif" (default "text")
  -ignore string
    \tIds of rules that -validate does not warn of, with commas between them
  -log-format string
    \tFormat of log lines: "text" or "json" (default "text")
  -p string
    \tDefault port (default "53")
  -pidfile string
    \tPath to write pid file
  -plugins
    \tList installed plugins
  -quiet
    \tQuiet mode (no initialization output)
  -validate
    \tSay all that is wrong with the Corefile and serve nothing; "=strict": warnings are errors
  -version
    \tShow version"""


@pytest.mark.parametrize(
    ("arguments", "code", "errors"),
    [
        (["-help"], 0, []),
        (["-h"], 0, []),
        (["--help"], 0, []),
        (["-nosuch"], 2, ["flag provided but not defined: -nosuch"]),
        (["--nosuch=3"], 2, ["flag provided but not defined: -nosuch"]),
        (["-conf"], 2, ["flag needs an argument: -conf"]),
        (["---conf"], 2, ["bad flag syntax: ---conf"]),
        (["-quiet=perhaps"], 2, ['invalid boolean value "perhaps" for -quiet: parse error']),
    ],
)
def test_help_and_flags_that_make_no_sense(
    corepy_command: Start, arguments: list[str], code: int, errors: list[str]
) -> None:
    ended, out, said = corepy_command(*arguments).end()
    assert (ended, out) == (code, [])
    assert said == [*errors, "Usage of corepy:", *FLAGS.split("\n")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["extra"], "[extra]"),
        (["-version", "extra"], "[extra]"),
        (["-conf", "good.conf", "more", "words"], "[more words]"),
        (["-"], "[-]"),
        (["--", "-version"], "[-version]"),
    ],
)
def test_extra_arguments(corepy_command: Start, arguments: list[str], words: str) -> None:
    code, out, errors = corepy_command(*arguments).end()
    assert (code, out) == (1, [])
    [line] = errors
    assert re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d extra command line arguments: (.*)", line)
    assert line.endswith(words)


SIGNALLED = """\
import asyncio, os, sys
from corepy.__main__ import main
from corepy.server import Server
start = Server.start
async def slow(self, configuration):
    Server.start = start
    await start(self, configuration)
    os.kill(os.getpid(), int(sys.argv[1]))
    await asyncio.sleep(0.01)
Server.start = slow
sys.exit(main([]))
"""


@pytest.mark.parametrize(
    ("number", "said"), [(TERM, "SIGTERM: Shutting down servers then terminating"), (USR1, "Reloading complete")]
)
def test_a_signal_comes_before_the_start_is_over(
    command: Start, write: Write, free_port: FreePort, number: signal.Signals, said: str
) -> None:
    write("Corefile", WHOAMI.format(port=free_port()))
    running = command(sys.executable, "-c", SIGNALLED, str(int(number)))
    running.until(said)
    if number == USR1:
        running.signal(TERM)
    assert running.end()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-conf", "missing.conf"], "loading Caddyfile via flag: open missing.conf: no such file or directory"),
        (["-conf", "folder"], "loading Caddyfile via flag: read folder: is a directory"),
        (["-conf", "-"], "loading Caddyfile via flag: open -: no such file or directory"),
        (["-p", "x"], "error inspecting server blocks: zone is not a valid domain name: .:x"),
        (["-p", "+-5"], "error inspecting server blocks: zone is not a valid domain name: .:+-5"),
        (["-p", "\u00b2"], "error inspecting server blocks: zone is not a valid domain name: .:\u00b2"),
        (["-p", "99999"], "address 99999: invalid port"),
        (["-p", "-1"], "address -1: invalid port"),
    ],
)
def test_what_cannot_be_served(corepy_command: Start, tmp_path: Path, arguments: list[str], error: str) -> None:
    (tmp_path / "folder").mkdir()
    assert corepy_command(*arguments).end() == (1, [], [error])


BAD = "example.org {\n    forwrd . 192.0.2.53\n}\n"
BAD_LINES = [
    "bad.conf:2:5: unknown directive 'forwrd', expected a directive of CoreDNS or of an installed plugin",
    "        forwrd . 192.0.2.53",
    "        ^",
    '    did you mean "forward"?',
]


@pytest.mark.parametrize(
    "arguments",
    [["-conf", "bad.conf"], ["-quiet", "-conf", "bad.conf"], ["-conf", "good.conf", "-conf", "bad.conf"]],
    ids=" ".join,
)
def test_a_bad_corefile(corepy_command: Start, write: Write, arguments: list[str]) -> None:
    write("good.conf", WHOAMI.format(port=0))
    write("bad.conf", BAD)
    code, out, errors = corepy_command(*arguments, "-pidfile", "x.pid").end()
    assert (code, out) == (1, [])
    assert errors == BAD_LINES


def test_a_bad_corefile_on_standard_input(corepy_command: Start) -> None:
    code, _, errors = corepy_command("-conf", "stdin", stdin=BAD.encode()).end()
    assert code == 1
    assert errors[0] == BAD_LINES[0].replace("bad.conf", "/dev/stdin")


def test_all_that_is_wrong_is_said_in_one_go_in_the_order_of_the_file(corepy_command: Start, write: Write) -> None:
    write("bad.conf", "example.org {\n whoami extra\n azure\n proxyproto extra\n}\nexample.net:x {\n}\n")
    code, _, errors = corepy_command("-conf", "bad.conf").end()
    assert code == 1
    assert [line.split(" ")[0] for line in errors if "bad.conf:" in line] == [
        "plugin/whoami:",
        "plugin/azure:",
        "plugin/proxyproto:",
        "bad.conf:6:1:",
    ]


def test_a_port_in_use(corepy_command: Start, write: Write, free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    write("Corefile", WHOAMI.format(port=port))
    with socket.create_server(("127.0.0.1", port)):
        code, out, errors = corepy_command("-pidfile", "x.pid").end()
    assert (code, out) == (1, [])
    assert errors[0] == f"Corefile:1:1: cannot listen on dns://:{port}: address already in use"
    assert not (tmp_path / "x.pid").exists()


def test_whatever_bytes_a_corefile_has_there_is_no_traceback(corepy_command: Start) -> None:
    code, _, errors = corepy_command("-conf", "stdin", stdin=b'\xff\0{ \n } " \\').end()
    assert code == 1
    assert errors[0].startswith("/dev/stdin:2:")


# --- it serves ---


def stop(running: Command) -> None:
    running.signal(TERM)
    assert running.end() == (0, ["[INFO] SIGTERM: Shutting down servers then terminating"], [])


def test_start_lines_and_answers(corepy_command: Start, write: Write, free_port: FreePort) -> None:
    port = free_port()
    write("good.conf", WHOAMI.format(port=port))
    for flags in ["-conf", "good.conf"], ["--conf=good.conf"], ["-conf", "bad.conf", "-conf=good.conf"]:
        running = corepy_command(*flags)
        assert running.lines(3) == [f"example.org.:{port}", *version_lines()]
        assert ask("127.0.0.1", port).rcode == codes.NOERROR
        assert ask("::1", port, transport="tcp").rcode == codes.NOERROR
        stop(running)


def test_quiet_says_nothing_at_the_start(
    corepy_command: Start, write: Write, free_port: FreePort, tmp_path: Path
) -> None:
    port = free_port()
    write("Corefile", WHOAMI.format(port=port))
    running = corepy_command("-quiet", "-pidfile", "x.pid")
    until_it_answers(port)
    assert ask("127.0.0.1", port).rcode == codes.NOERROR
    stop(running)
    assert not (tmp_path / "x.pid").exists()


def until_it_answers(port: int) -> None:
    """Wait until somebody listens; only for commands that say nothing."""
    while True:
        try:
            Client("127.0.0.1", port, "tcp").close()
        except ConnectionRefusedError:
            continue
        return


@pytest.mark.parametrize("flag", ["-p", "-dns.port"])
def test_the_built_in_corefile(corepy_command: Start, free_port: FreePort, flag: str) -> None:
    port = free_port()
    running = corepy_command(flag, str(port))
    assert running.lines(3) == [f".:{port}", *version_lines()]
    with Client("127.0.0.1", port) as client:
        assert client.ask("anything.example").rcode == codes.NOERROR
        assert running.line().startswith(f'[INFO] 127.0.0.1:{client.address.port} - 4660 "A IN anything.example. udp ')
    running.signal(USR1)
    assert running.lines(2) == [
        "[INFO] SIGUSR1: Reloading",
        "[ERROR] SIGUSR1: no Caddyfile loader with which to reload Caddyfile",
    ]
    assert ask("127.0.0.1", port).rcode == codes.NOERROR
    running.until("udp")
    stop(running)


@pytest.mark.parametrize(
    ("arguments", "files", "stdin"),
    [
        (["-conf", "empty"], {"empty": ""}, b""),
        (["-conf", "comments"], {"comments": "# nothing\n\n   # else\n"}, b""),
        (["-conf", "stdin"], {}, b""),
        (["-conf", "stdin"], {}, b"# nothing\n"),
        (["-conf", ""], {}, b""),
    ],
)
def test_nothing_in_a_corefile_means_the_built_in_one(
    corepy_command: Start, write: Write, arguments: list[str], files: dict[str, str], stdin: bytes
) -> None:
    for name, text in files.items():
        write(name, text)
    running = corepy_command(*arguments, "-p", "0", stdin=stdin)
    assert running.line() == ".:0"
    running.lines(2)
    stop(running)


def test_standard_input_is_read_once_and_reloads_as_it_was(corepy_command: Start, free_port: FreePort) -> None:
    port = free_port()
    running = corepy_command("-conf", "stdin", stdin=WHOAMI.format(port=port).encode())
    assert running.lines(3)[0] == f"example.org.:{port}"
    running.signal(USR1)
    assert running.lines(3) == ["[INFO] SIGUSR1: Reloading", "[INFO] Reloading", "[INFO] Reloading complete"]
    assert ask("127.0.0.1", port).rcode == codes.NOERROR
    stop(running)


def test_the_port_flag_is_for_blocks_without_a_port(corepy_command: Start, write: Write, free_port: FreePort) -> None:
    one, two, three = free_port(), free_port(), free_port()
    write("plain.conf", f"example.org {{\n whoami\n}}\nexample.net:{two} {{\n whoami\n}}\n")
    running = corepy_command("-conf", "plain.conf", "-dns.port", str(three), "-p", str(one))
    assert set(running.lines(2)) == {f"example.org.:{one}", f"example.net.:{two}"}
    running.lines(2)
    assert ask("127.0.0.1", one, "example.org").rcode == codes.NOERROR
    assert ask("127.0.0.1", two, "example.net").rcode == codes.NOERROR
    stop(running)


def test_an_odd_zone_is_served_with_a_warning(corepy_command: Start, write: Write) -> None:
    write("Corefile", "_odd.example:0 {\n whoami\n}\n")
    running = corepy_command()
    assert running.lines(2) == [
        'Warning: Domain "_odd.example." does not follow RFC1035 preferred syntax',
        "_odd.example.:0",
    ]
    running.lines(2)
    stop(running)


@pytest.mark.parametrize("number", [TERM, INT, QUIT])
def test_the_pidfile_lives_as_long_as_the_server(corepy_command: Start, tmp_path: Path, number: signal.Signals) -> None:
    running = corepy_command("-p", "0", "-pidfile", "x.pid")
    running.lines(3)
    assert (tmp_path / "x.pid").read_text() == f"{running.process.pid}\n"
    running.signal(number)
    assert running.end()[0] == 0
    assert not (tmp_path / "x.pid").exists()


def test_a_pidfile_that_cannot_be_written_is_an_error_line_and_no_more(corepy_command: Start) -> None:
    running = corepy_command("-p", "0", "-pidfile", "nodir/x.pid")
    assert running.lines(4) == [
        ".:0",
        "[ERROR] Could not write pidfile: open nodir/x.pid: no such file or directory",
        *version_lines(),
    ]
    stop(running)


def test_it_serves_on_where_nobody_reads_its_lines(write: Write, free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    write("Corefile", f". {{\n log\n whoami\n}}\n.:{port} {{\n log\n whoami\n}}\n")
    reader, writer = os.pipe()
    os.close(reader)
    environment = {"PYTHONPATH": str(Path(corepy.__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-m", "corepy", "-p", "0"], cwd=tmp_path, env=environment, stdout=writer, stderr=writer
    ) as process:
        os.close(writer)
        try:
            until_it_answers(port)
            assert ask("127.0.0.1", port).rcode == codes.NOERROR
            assert ask("127.0.0.1", port).rcode == codes.NOERROR
            assert process.poll() is None
        finally:
            process.kill()


def test_every_line_may_be_json(corepy_command: Start, write: Write) -> None:
    write("Corefile", ".:0 {\n whoami\n}\n")
    running = corepy_command("-log-format", "json")
    assert [json.loads(line)["msg"] for line in running.lines(3)] == [".:0", *version_lines()]
    running.signal(TERM)
    code, [line], _ = running.end()
    assert (code, json.loads(line)["level"]) == (0, "INFO")
    _, out, [line] = corepy_command("-log-format=json", "-conf", "gone").end()
    assert (out, json.loads(line)["level"]) == ([], "ERROR")
    code, out, errors = corepy_command("-log-format=xml").end()
    assert (code, out, errors[:2]) == (2, [], ['invalid value "xml" for flag -log-format', "Usage of corepy:"])


# --- signals ---


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (TERM, "[INFO] SIGTERM: Shutting down servers then terminating"),
        (INT, "[INFO] SIGINT: Shutting down"),
        (QUIT, "[INFO] SIGQUIT: Quitting process immediately"),
    ],
)
def test_signals_that_end_it(corepy_command: Start, number: signal.Signals, line: str) -> None:
    running = corepy_command("-p", "0")
    running.lines(3)
    running.signal(number)
    assert running.end() == (0, [line], [])


def test_hup_changes_nothing(corepy_command: Start, free_port: FreePort) -> None:
    port = free_port()
    running = corepy_command("-p", str(port))
    running.lines(3)
    running.signal(HUP)
    assert ask("127.0.0.1", port).rcode == codes.NOERROR
    running.line()
    stop(running)


SLOW = """\
from corepy.plugin import Deferred, Plugin


class Slow(Plugin):
    before = "whoami"

    def serve(self, query):
        self.log.info("holding a query")
        return Deferred()
"""


@pytest.fixture
def _slow(tmp_path: Path) -> None:
    """A package with a plugin that never answers, where commands find it: in the directory that they run in."""
    (tmp_path / "slow.py").write_text(SLOW)
    info = tmp_path / "slow-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[corepy.plugins]\nslow = slow:Slow\n")


@pytest.mark.usefixtures("_slow")
def test_a_second_interrupt_ends_it_at_once(
    corepy_command: Start, write: Write, free_port: FreePort, tmp_path: Path
) -> None:
    port = free_port()
    write("Corefile", f".:{port} {{\n slow\n}}\n")
    running = corepy_command("-pidfile", "x.pid")
    running.lines(3)
    with Client("127.0.0.1", port) as client:
        client.send_message(message())
        running.until("holding a query")
        running.signal(INT)
        running.until("[INFO] SIGINT: Shutting down")
        running.signal(INT)
        assert running.end() == (2, ["[INFO] SIGINT: Force quit"], [])
    assert not (tmp_path / "x.pid").exists()


@pytest.mark.usefixtures("_slow")
def test_quit_waits_for_nobody(
    corepy_command: Start, write: Write, free_port: FreePort
) -> None:
    port = free_port()
    write("Corefile", f".:{port} {{\n slow\n}}\n")
    running = corepy_command()
    running.lines(3)
    with Client("127.0.0.1", port) as client:
        client.send_message(message())
        running.until("holding a query")
        running.signal(TERM)
        running.until("[INFO] SIGTERM")
        running.signal(QUIT)
        assert running.end() == (0, ["[INFO] SIGQUIT: Quitting process immediately"], [])


@pytest.mark.usefixtures("_slow")
def test_installed_plugins_are_listed_with_their_origin(corepy_command: Start) -> None:
    code, out, errors = corepy_command("-plugins").end()
    assert (code, errors) == (0, [])
    assert out.index("slow (slow)") == out.index("whoami (corepy)") - 1


@pytest.mark.usefixtures("_slow")
def test_a_broken_package_is_listed_as_such_and_named_in_errors(
    corepy_command: Start, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text("this is no Python\n")
    code, out, errors = corepy_command("-plugins").end()
    assert (code, errors) == (0, [])
    [line] = [line for line in out if line.startswith("slow")]
    assert line.startswith("slow (slow): the plugin cannot be loaded: ")
    write("Corefile", ".:0 {\n whoami extra\n slow\n}\n")
    code, out, errors = corepy_command().end()
    assert (code, out) == (1, [])
    assert errors[0].startswith("plugin/whoami: Corefile:2:9: ")
    assert errors[3].startswith("plugin/slow: Corefile:3:2: the plugin cannot be loaded: ")


# --- reload ---

RELOADING = ["[INFO] SIGUSR1: Reloading", "[INFO] Reloading"]


def test_reload_good_bad_and_gone(
    corepy_command: Start, write: Write, free_port: FreePort, tmp_path: Path
) -> None:
    port, other = free_port(), free_port()
    write("Corefile", WHOAMI.format(port=port))
    running = corepy_command()
    running.lines(3)
    with Client("127.0.0.1", port, "tcp") as client:
        assert client.ask().rcode == codes.NOERROR

        write("Corefile", WHOAMI.format(port=port).replace("org", "net"))
        running.signal(USR1)
        assert running.lines(3) == [*RELOADING, "[INFO] Reloading complete"]
        assert client.ask().rcode == codes.REFUSED
        assert client.ask("example.net").rcode == codes.NOERROR

        write("Corefile", "example.org {\n nonsense\n}\n")
        running.signal(USR1)
        reason = "Corefile:2:2: unknown directive 'nonsense', expected a directive of CoreDNS or of an installed plugin"
        failed = [
            *RELOADING,
            f"[ERROR] Restart failed: {reason}",
            f"[ERROR] SIGUSR1: starting with listener file descriptors: {reason}",
        ]
        assert running.lines(4) == failed

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", other))
            write("Corefile", WHOAMI.format(port=other))
            running.signal(USR1)
            assert running.lines(4)[2] == (
                f"[ERROR] Restart failed: Corefile:1:1: cannot listen on dns://:{other}: address already in use"
            )

        (tmp_path / "Corefile").unlink()
        running.signal(USR1)
        assert running.lines(2) == [
            "[INFO] SIGUSR1: Reloading",
            "[ERROR] SIGUSR1: loading updated Caddyfile: open Corefile: no such file or directory",
        ]
        assert client.ask("example.net").rcode == codes.NOERROR
    stop(running)


@pytest.mark.usefixtures("_slow")
def test_a_plugin_that_breaks_while_it_is_read_again_leaves_the_old_one_serving(
    corepy_command: Start, write: Write, free_port: FreePort, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW + "    @classmethod\n    def parse(cls, directive):\n        1 / 0\n")
    port = free_port()
    write("Corefile", WHOAMI.format(port=port))
    running = corepy_command()
    running.lines(3)
    write("Corefile", f"example.org:{port} {{\n slow\n}}\n")
    running.signal(USR1)
    assert running.until("starting with listener")[2] == "[ERROR] Restart failed: ZeroDivisionError('division by zero')"
    assert ask("127.0.0.1", port).rcode == codes.NOERROR
    stop(running)


# --- ways to call it ---


def test_the_console_script_is_the_same_program(command: Start, tmp_path: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["corepy"].split(":")
    assert callable(getattr(import_module(module), function))
    script = tmp_path / "corepy"
    script.write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    code, out, errors = command(sys.executable, str(script), "-version").end()
    assert (code, out, errors) == (0, version_lines(), [])
    _, _, errors = command(sys.executable, str(script), "-help").end()
    assert errors[0] == "Usage of corepy:"
