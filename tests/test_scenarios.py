"""Whole Corefiles as people run them, in front of Knot DNS and Unbound: a cluster's, and a node's cache.

`kubernetes` itself asks a cluster; a zone file and `hosts` stand in its place.
"""

from __future__ import annotations

import http.client
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.reply import Reply
from corepy.testing import Client, message
from tests.programs import program

if TYPE_CHECKING:
    from tests.conftest import Command, Start

FreePort = Callable[[], int]

CLUSTER = """\
.:{port} {{
    errors
    health 127.0.0.1:{health} {{
        lameduck 200ms
    }}
    ready 127.0.0.1:{ready}
    file cluster.local cluster.local
    hosts hosts node.internal in-addr.arpa {{
        fallthrough
    }}
    prometheus 127.0.0.1:{metrics}
    forward . 127.0.0.1:{knot} 127.0.0.1:{unbound} {{
        max_concurrent 1000
    }}
    cache 30
    loop
    reload
    loadbalance
}}
"""
NODE = """\
cluster.local:{port} {{
    errors
    cache {{
        success 9984 30
        denial 9984 5
    }}
    reload
    loop
    bind 127.0.0.10 127.0.0.1
    forward . 127.0.0.1:{knot} 127.0.0.1:{unbound} {{
        force_tcp
    }}
    prometheus 127.0.0.1:{metrics}
    health 127.0.0.1:{health}
}}
in-addr.arpa:{port} {{
    errors
    cache 30
    reload
    loop
    bind 127.0.0.10 127.0.0.1
    forward . 127.0.0.1:{knot} {{
        force_tcp
    }}
    prometheus 127.0.0.1:{metrics}
}}
.:{port} {{
    errors
    cache 30
    reload
    loop
    bind 127.0.0.10 127.0.0.1
    forward . 127.0.0.1:{knot} 127.0.0.1:{unbound}
    prometheus 127.0.0.1:{metrics}
}}
"""
ZONES = {
    "cluster.local": """\
$ORIGIN cluster.local.
$TTL 60
@ SOA ns.dns hostmaster 1 7200 1800 86400 5
@ NS ns.dns
ns.dns A 10.96.0.10
kubernetes.default.svc A 10.96.0.1
web.shop.svc A 10.96.7.1
web.shop.svc A 10.96.7.2
web.shop.svc A 10.96.7.3
_http._tcp.web.shop.svc SRV 0 100 80 web.shop.svc
docs.shop.svc CNAME www.example.net.
""",
    "example.net": """\
$ORIGIN example.net.
$TTL 300
@ SOA ns hostmaster 1 7200 1800 86400 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.80
www AAAA 2001:db8::80
* A 192.0.2.42
""",
    "2.0.192.in-addr.arpa": """\
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@ SOA ns.example.net. hostmaster.example.net. 1 7200 1800 86400 60
@ NS ns.example.net.
80 PTR www.example.net.
""",
}
KNOT = """\
server:
    rundir: .
    listen: 127.0.0.1@{port}
database:
    storage: db
template:
  - id: default
    storage: .
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: cluster.local
    file: cluster.local
  - domain: example.net
    file: example.net
  - domain: 2.0.192.in-addr.arpa
    file: 2.0.192.in-addr.arpa
"""
UNBOUND = """\
server:
    directory: "."
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    interface: 127.0.0.1@{port}
    module-config: "iterator"
    local-zone: "." static
    local-zone: "cluster.local." static
    local-zone: "example.net." redirect
    local-data: "example.net. 300 A 192.0.2.42"
    local-zone: "www.example.net." static
    local-data: "www.example.net. 300 A 192.0.2.80"
    local-data: "www.example.net. 300 AAAA 2001:db8::80"
    local-data: "web.shop.svc.cluster.local. 60 A 10.96.7.1"
    local-data: "web.shop.svc.cluster.local. 60 A 10.96.7.2"
    local-data: "web.shop.svc.cluster.local. 60 A 10.96.7.3"
remote-control:
    control-enable: no
"""


class Scene:
    """A directory with zones, a port for everybody, and the programs that were started there."""

    def __init__(self, command: Start, corepy_command: Start, free_port: FreePort, path: Path) -> None:
        self._start, self._serve, self._path = command, corepy_command, path
        names = ("port", "health", "ready", "metrics", "knot", "unbound")
        self.ports = {name: free_port() for name in names}
        for name, text in ZONES.items():
            (path / name).write_text(text)
        (path / "db").mkdir()
        (path / "hosts").write_text("192.0.2.7 one.node.internal\n")
        (path / "knot.conf").write_text(KNOT.format(port=self.ports["knot"]))
        (path / "unbound.conf").write_text(UNBOUND.format(port=self.ports["unbound"]))
        self.programs = {"knot": program("knotd"), "unbound": program("unbound")}

    def start(self, name: str) -> Command:
        """Start an upstream, and wait until it answers."""
        running = self._start(self.programs[name], "-c", f"{name}.conf")
        while True:
            assert running.process.poll() is None, running.end()
            try:
                with Client("127.0.0.1", self.ports[name], "tcp") as client:
                    if client.ask("www.example.net").rcode == codes.NOERROR:
                        return running
            except OSError:   # it is still starting
                continue

    def kill(self, name: str, running: Command) -> None:
        """End an upstream without a word; nothing that it held is in the way of the next one."""
        running.signal(signal.SIGKILL)
        assert running.process.wait(10) == -signal.SIGKILL
        (self._path / f"{name}.pid").unlink(missing_ok=True)

    def serve(self, corefile: str) -> Command:
        """Start corepy, and wait until it serves."""
        (self._path / "Corefile").write_text(corefile.format(**self.ports))
        running = self._serve()
        running.until("linux/")
        return running

    def ask(self, name: str, qtype: str = "A", *, host: str = "127.0.0.1", transport: str = "udp") -> Reply:
        """Ask corepy."""
        with Client(host, self.ports["port"], transport) as client:
            return client.ask(name, qtype)

    def get(self, what: str, path: str) -> str:
        """What an endpoint says; its status must be 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[what], timeout=20)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        assert response.status == http.client.OK, text
        return text


@pytest.fixture
def scene(command: Start, corepy_command: Start, free_port: FreePort, tmp_path: Path) -> Scene:
    return Scene(command, corepy_command, free_port, tmp_path)


def rows(reply: Reply) -> list[str]:
    """The answer section: type and data, sorted."""
    return sorted(f"{codes.type_name(rr.rtype)} {rr.rdata}" for rr in reply.record.rr)


def test_a_cluster(scene: Scene) -> None:
    scene.start("knot")
    scene.start("unbound")
    corepy = scene.serve(CLUSTER)

    inside = scene.ask("web.shop.svc.cluster.local")
    assert rows(inside) == ["A 10.96.7.1", "A 10.96.7.2", "A 10.96.7.3"]
    assert inside.record.header.aa == 1
    assert len({str(scene.ask("web.shop.svc.cluster.local").record.rr[0].rdata) for _ in range(40)}) == 3
    assert rows(scene.ask("_http._tcp.web.shop.svc.cluster.local", "SRV")) == [
        "SRV 0 100 80 web.shop.svc.cluster.local."
    ]
    gone = scene.ask("nothing.shop.svc.cluster.local", transport="tcp")
    assert (gone.rcode, gone.record.auth[0].rtype, gone.record.auth[0].ttl) == (codes.NXDOMAIN, codes.SOA, 5)
    assert scene.ask("kubernetes.default.svc.cluster.local", "AAAA").record.auth[0].rtype == codes.SOA
    assert rows(scene.ask("docs.shop.svc.cluster.local")) == ["A 192.0.2.80", "CNAME www.example.net."]

    assert rows(scene.ask("one.node.internal")) == ["A 192.0.2.7"]
    assert rows(scene.ask("7.2.0.192.in-addr.arpa", "PTR")) == ["PTR one.node.internal."]

    for transport in ("udp", "tcp"):
        outside = scene.ask("www.example.net", "AAAA", transport=transport)
        assert rows(outside) == ["AAAA 2001:db8::80"]
        assert outside.record.rr[0].ttl <= 30   # cache 30
    assert scene.ask("nothing.invalid").rcode in (codes.NXDOMAIN, codes.REFUSED)   # Unbound, or Knot

    assert scene.get("health", "/health") == "OK"
    assert scene.get("ready", "/ready") == "OK"
    metrics = scene.get("metrics", "/metrics")
    assert 'coredns_cache_hits_total{server="dns://' in metrics
    assert "coredns_forward_" in metrics or "coredns_proxy_" in metrics

    corepy.signal(signal.SIGTERM)
    corepy.until("Shutting down")
    assert rows(scene.ask("web.shop.svc.cluster.local")) == rows(inside)   # a lame duck still answers
    assert corepy.end()[0] == 0


def test_a_cache_on_a_node(scene: Scene) -> None:
    scene.start("knot")
    scene.start("unbound")
    scene.serve(NODE)
    for host in ("127.0.0.10", "127.0.0.1"):
        web = scene.ask("web.shop.svc.cluster.local", host=host)
        assert rows(web) == ["A 10.96.7.1", "A 10.96.7.2", "A 10.96.7.3"]
        assert web.record.rr[0].ttl <= 30
        gone = scene.ask("nothing.shop.svc.cluster.local", host=host)
        assert gone.rcode == codes.NXDOMAIN
        assert all(each.ttl <= 5 for each in gone.record.auth)
        assert rows(scene.ask("80.2.0.192.in-addr.arpa", "PTR", host=host)) == ["PTR www.example.net."]
        assert rows(scene.ask("www.example.net", host=host, transport="tcp")) == ["A 192.0.2.80"]
    metrics = scene.get("metrics", "/metrics")
    assert f'server="dns://127.0.0.10:{scene.ports["port"]}"' in metrics
    assert 'zone="cluster.local."' in metrics
    assert scene.get("health", "/health") == "OK"


# --- an upstream dies under load ---


LOAD = 900
"""Queries of a test, a millisecond apart: the upstream is gone for a third of the time."""
SECONDS_TO_ANSWER = 10.0
"""Far more than any answer takes; what was not answered by then is lost."""


def under_load(port: int, names: Iterator[str], events: dict[int, Callable[[], object]]) -> list[Reply]:
    """Ask for a name each millisecond, do what is to be done after so many, and wait for all replies, in any order."""
    replies: dict[int, Reply] = {}
    end = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, selectors.DefaultSelector() as selector:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.connect(("127.0.0.1", port))
        selector.register(sock, selectors.EVENT_READ)
        for number in range(LOAD):
            if number in events:
                events[number]()
            sock.send(message(next(names), message_id=number))
            end = time.monotonic() + 0.001
            while selector.select(max(0.0, end - time.monotonic())):
                take(sock, replies)
        end = time.monotonic() + SECONDS_TO_ANSWER
        while len(replies) < LOAD and selector.select(max(0.0, end - time.monotonic())):
            take(sock, replies)
    return list(replies.values())


def take(sock: socket.socket, replies: dict[int, Reply]) -> None:
    """Receive one reply."""
    reply = Reply(sock.recv(4096))
    assert reply.record.header.id not in replies, "answered twice"
    replies[reply.record.header.id] = reply


@pytest.mark.parametrize("corefile", [CLUSTER, NODE.replace("cluster.local:", "example.net:")], ids=["udp", "tcp"])
@pytest.mark.parametrize("victim", ["knot", "unbound"])
def test_an_upstream_dies_and_comes_back(scene: Scene, corefile: str, victim: str) -> None:
    running = {name: scene.start(name) for name in ("knot", "unbound")}
    scene.serve(corefile)
    names = (f"n{number}.example.net" for number in range(LOAD))
    events: dict[int, Callable[[], object]] = {
        LOAD // 3: lambda: scene.kill(victim, running[victim]),
        2 * LOAD // 3: lambda: scene.start(victim),
    }
    replies = under_load(scene.ports["port"], names, events)
    assert len(replies) == LOAD
    assert {(reply.rcode, *rows(reply)) for reply in replies} == {(codes.NOERROR, "A 192.0.2.42")}
    other = {"knot": "unbound", "unbound": "knot"}[victim]
    scene.kill(other, running[other])   # the one that came back is used again
    assert rows(scene.ask("last.example.net")) == ["A 192.0.2.42"]
