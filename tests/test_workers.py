"""Worker processes and their supervisor, as a command: they share the work, live, die, reload and end together."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol

import pytest

from corepy import codes
from corepy.address import Address
from corepy.proxyproto import encode_v2
from corepy.testing import Client, ask, make_query
from tests.conftest import Command, Start

FreePort = Callable[[], int]
PID = """\
import os

from corepy.plugin import Plugin, Reply


class Pid(Plugin):
    before = "whoami"

    @classmethod
    def parse(cls, directive):
        plugin = cls()
        plugin.fails = directive.optional() == "fails"
        return plugin

    def start(self):
        self.log.info("started")
        if self.fails and os.getpid() % 2:
            raise OSError("no such luck")

    def serve(self, query):
        return Reply.answer(query, f"{query.name} 0 IN TXT {os.getpid()}")
"""


class Run(Protocol):
    """What the fixture `workers` is."""

    def __call__(self, text: str, *flags: str) -> Command:
        """Start the command with this Corefile and wait until it serves."""


@pytest.fixture
def workers(corepy_command: Start, tmp_path: Path) -> Run:
    (tmp_path / "pid.py").write_text(PID)
    info = tmp_path / "pid-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pid\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[corepy.plugins]\npid = pid:Pid\n")

    def run(text: str, *flags: str) -> Command:
        (tmp_path / "Corefile").write_text(text)
        running = corepy_command(*flags)
        running.until("linux/")
        return running

    return run


def block(port: int, sockets: int, *more: str) -> str:
    return f".:{port} {{\n bind 127.0.0.1\n multisocket {sockets}\n " + "\n ".join(more or ("pid",)) + "\n}\n"


def answerer(client: Client) -> int:
    return int(str(client.ask(qtype="TXT").record.rr[0].rdata).strip('"'))


def answerers(port: int, transport: str = "udp", count: int = 40) -> set[int]:
    """The processes that answer several clients."""
    found = set()
    for _ in range(count):
        with Client("127.0.0.1", port, transport) as client:
            found.add(answerer(client))
    return found


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process."""
    while not condition():
        os.sched_yield()


def descriptors(process: int) -> int:
    """How many a process has."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def reload(running: Command, tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "Corefile").write_text(text)
    running.signal(signal.SIGUSR1)
    lines = running.until("Reloading")
    while "complete" not in lines[-1] and "starting with" not in lines[-1]:
        lines.append(running.line())
    return lines


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_all_workers_answer_and_none_of_them_is_the_supervisor(
    workers: Run, free_port: FreePort, transport: str
) -> None:
    port = free_port()
    running = workers(block(port, 3))
    found = answerers(port, transport)
    assert len(found) == 3
    assert running.process.pid not in found


def test_a_session_and_its_client_stay_with_a_worker_over_reloads(
    workers: Run, free_port: FreePort, tmp_path: Path
) -> None:
    port = free_port()
    text = block(port, 2, "proxyproto {\n  udp_session_tracking 28s\n }", "whoami")
    running = workers(text)
    header = encode_v2(Address.of("198.51.100.7", 4242), Address.of("192.0.2.53", 53))
    clients = [Client("127.0.0.1", port) for _ in range(8)]
    for client in clients:
        client.send(header)
    for _ in range(2):
        for client in clients:
            assert str(client.ask().record.ar[0].rdata) == "198.51.100.7"
        assert "Reloading complete" in reload(running, tmp_path, text)[-1]
    for client in clients:
        client.close()


def test_a_killed_worker_is_replaced_and_no_query_is_lost(workers: Run, free_port: FreePort) -> None:
    """Queries wait in the socket until another worker has taken it over."""
    port = free_port()
    running = workers(block(port, 2))
    before = answerers(port)
    victim = min(before)
    os.kill(victim, signal.SIGSTOP)
    with Client("127.0.0.1", port) as client:
        names = {f"n{number}.test." for number in range(40)}
        for name in names:
            client.send(make_query(name, "TXT").wire)
        os.kill(victim, signal.SIGKILL)
        replies = [client.receive() for _ in names]
    assert {str(reply.record.q.qname) for reply in replies} == names
    after = {int(str(reply.record.rr[0].rdata).strip('"')) for reply in replies}
    assert victim not in after
    assert before - {victim} < after
    assert len(after) == 2
    assert f"(pid {victim}) has ended with signal 9, another one takes its place" in running.until("has ended")[-1]


def test_one_peer_keeps_all_workers_busy(workers: Run, free_port: FreePort) -> None:
    """As the one socket of a load balancer does, unless a session holds it to one of them: see above."""
    port = free_port()
    workers(block(port, 2))
    with Client("127.0.0.1", port) as client:
        found = [answerer(client) for _ in range(200)]
    shares = sorted(found.count(pid) for pid in set(found))
    assert len(shares) == 2
    assert shares[0] > 60   # one run in 10^8 is less even than that


def test_a_worker_that_hangs_does_not_hold_up_the_end(
    workers: Run, command: Start, free_port: FreePort, tmp_path: Path
) -> None:
    assert callable(workers)   # has made the plugin
    port = free_port()
    (tmp_path / "Corefile").write_text(block(port, 2))
    impatient = "from corepy import workers, __main__; workers._PULSE = workers._LIFELESS = 0.2; __main__.main()"
    running = command(sys.executable, "-c", impatient)
    running.until("linux/")
    victim = answerers(port).pop()
    os.kill(victim, signal.SIGSTOP)
    running.signal(signal.SIGTERM)
    code, lines, errors = running.end()
    assert (code, errors) == (0, [])
    assert f"(pid {victim}) does not end" in lines[-1]


def test_a_reload_changes_all_workers_and_their_number(workers: Run, free_port: FreePort, tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    running = workers(block(port, 2))
    first = answerers(port)
    assert "complete" in reload(running, tmp_path, block(port, 3) + block(other, 1))[-1]
    more = answerers(port)
    assert first < more
    assert len(more) == 3
    assert len(answerers(other)) == 1
    assert "complete" in reload(running, tmp_path, f".:{port} {{\n bind 127.0.0.1\n pid\n}}\n")[-1]
    assert len(answerers(port)) == 1
    with pytest.raises(ConnectionRefusedError):
        ask("127.0.0.1", other)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (".:{port} {{\n nonsense\n}}\n", "Corefile:2:2: unknown directive 'nonsense'"),
        (".:{port} {{\n bind 127.0.0.1\n multisocket 4\n pid fails\n}}\n", "plugin/pid: cannot start: no such luck"),
        (".:{port} {{\n bind 127.0.0.1\n multisocket 2\n pid\n}}\n. {{\n bind 192.0.2.1\n}}\n", "cannot assign"),
    ],
)
def test_a_reload_that_fails_in_one_worker_changes_nothing_in_any(
    workers: Run, free_port: FreePort, tmp_path: Path, bad: str, why: str
) -> None:
    port = free_port()
    running = workers(block(port, 2))
    before = answerers(port)
    lines = reload(running, tmp_path, bad.format(port=port))
    assert lines[-2].startswith("[ERROR] Restart failed: ")
    assert why in lines[-2]
    assert answerers(port) == before
    assert "complete" in reload(running, tmp_path, block(port, 2))[-1]
    assert answerers(port) == before


def test_a_start_that_fails_in_a_worker_is_a_start_that_fails(
    corepy_command: Start, workers: Run, free_port: FreePort, tmp_path: Path
) -> None:
    assert callable(workers)   # has made the plugin
    (tmp_path / "Corefile").write_text(block(free_port(), 4, "pid fails"))
    code, _, errors = corepy_command("-pidfile", "x.pid").end()
    assert code == 1
    assert errors == ["plugin/pid: cannot start: no such luck"]
    assert not (tmp_path / "x.pid").exists()


def test_a_server_without_a_supervisor_does_not_get_one_by_a_reload(
    workers: Run, free_port: FreePort, tmp_path: Path
) -> None:
    port = free_port()
    running = workers(block(port, 1))
    assert answerers(port) == {running.process.pid}
    lines = reload(running, tmp_path, block(port, 2))
    assert "Restart failed: several processes: a server that was started as one has to be started anew" in lines[-2]
    assert answerers(port) == {running.process.pid}


def test_the_end_of_all(workers: Run, free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    running = workers(block(port, 2), "-pidfile", "x.pid")
    assert (tmp_path / "x.pid").read_text() == f"{running.process.pid}\n"
    pids = answerers(port)
    with Client("127.0.0.1", port, "tcp") as client:
        assert client.ask(qtype="TXT").rcode == codes.NOERROR
        running.signal(signal.SIGTERM)
        code, lines, errors = running.end()
    assert (code, errors) == (0, [])
    assert lines[-1:] == ["[INFO] SIGTERM: Shutting down servers then terminating"]
    assert not (tmp_path / "x.pid").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_workers_end_with_their_supervisor(workers: Run, free_port: FreePort) -> None:
    port = free_port()
    running = workers(block(port, 2))
    pids = answerers(port)
    running.signal(signal.SIGKILL)
    running.process.wait()
    until(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_lines_about_the_start_are_written_once(workers: Run, free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(block(port, 3))
    running = workers(block(port, 3))
    lines = reload(running, tmp_path, block(port, 3))
    assert lines.count("[INFO] plugin/pid: started") == 1
    assert lines[-1] == "[INFO] Reloading complete"


def test_lines_about_the_end_are_written_once_and_health_is_told_to_the_last(
    workers: Run, free_port: FreePort
) -> None:
    port, watched = free_port(), free_port()
    running = workers(block(port, 3, f"health 127.0.0.1:{watched} {{\n  lameduck 1s\n }}", "pid"))
    running.signal(signal.SIGTERM)
    running.until("lameduck")
    assert fetch(watched, "/health") == (200, "OK")
    assert running.end() == (0, [], [])


def test_a_worker_that_hangs_does_not_hold_up_a_reload(
    workers: Run, command: Start, free_port: FreePort, tmp_path: Path
) -> None:
    assert callable(workers)   # has made the plugin
    port = free_port()
    (tmp_path / "Corefile").write_text(block(port, 2))
    impatient = "from corepy import workers, __main__; workers._PATIENCE = 1; __main__.main()"
    running = command(sys.executable, "-c", impatient)
    running.until("linux/")
    pids = answerers(port)
    victim = pids.pop()
    os.kill(victim, signal.SIGSTOP)
    lines = reload(running, tmp_path, block(port, 2, "errors", "pid"))
    assert f"(pid {victim}) does not answer" in " ".join(lines)
    assert lines[-1] == "[INFO] Reloading complete"
    after = answerers(port)
    assert len(after) == 2
    assert pids < after
    assert victim not in after


def test_workers_do_not_hear_signals(workers: Run, free_port: FreePort) -> None:
    port = free_port()
    workers(block(port, 2))
    pids = answerers(port)
    for pid in pids:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
            os.kill(pid, number)
    assert answerers(port) == pids


# --- endpoints ---


def fetch(port: int, path: str) -> tuple[int, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_profiles_are_those_of_one_worker(workers: Run, free_port: FreePort) -> None:
    port, watched = free_port(), free_port()
    workers(block(port, 2, f"pprof 127.0.0.1:{watched}", "pid"))
    path = "/debug/pprof/profile?seconds=0.2&debug=1"
    for which in ("", "&worker=0", "&worker=1"):
        status, text = fetch(watched, path + which)
        assert (status, "function calls" in text) == (200, True)
    assert fetch(watched, f"{path}&worker=2") == (404, "there is no worker 2, there are 0, 1\n")


def test_metrics_are_those_of_all_and_health_is_the_health_of_all(workers: Run, free_port: FreePort) -> None:
    port, watched = free_port(), free_port()
    address = f"127.0.0.1:{watched}"
    running = workers(block(port, 2, f"health {address}", f"ready {address}", f"prometheus {address}", "pid"))
    pids = answerers(port)
    assert [fetch(watched, path) for path in ("/health", "/ready")] == [(200, "OK")] * 2
    [counted] = [line for line in fetch(watched, "/metrics")[1].splitlines() if line.startswith("coredns_dns_requests")]
    assert counted.endswith('type="TXT",view="",zone="."} 40')
    victim = pids.pop()
    os.kill(victim, signal.SIGSTOP)
    assert fetch(watched, "/health")[0] == 503
    os.kill(victim, signal.SIGKILL)
    running.until("has ended")
    until(lambda: fetch(watched, "/health") == (200, "OK"))
