"""Who may what: rules that can be walked around are no rules.

Each rule of `acl`, `transfer` and `view` on its own is shown by the tests of its plugin, and that `auto` follows no
link out of its directory by tests/plugins/test_auto.py.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepy import codes
from corepy.testing import Client, FakeUpstreams, Running

if TYPE_CHECKING:
    from tests.conftest import Serve

BLOCKED = "127.0.0.9"
"""The address that the rules of these tests block."""


def blocked(running: Running) -> Client:
    return Client("127.0.0.1", running.port, source=BLOCKED)


def test_a_blocked_client_gets_nothing_of_what_others_have_filled_the_cache_with() -> None:
    text = f". {{\n acl {{\n block net {BLOCKED}/32\n }}\n cache\n forward . 192.0.2.53\n}}\n"
    with FakeUpstreams() as upstreams, Running(text) as running, blocked(running) as other:
        upstreams["192.0.2.53"].answer("example.org. 300 IN A 192.0.2.7")
        for _ in range(2):
            assert running.ask().rcode == codes.NOERROR
            assert other.ask().rcode == codes.REFUSED
        assert len(upstreams["192.0.2.53"].asked) == 1


def test_a_name_that_is_rewritten_is_judged_as_what_it_becomes(serve: Serve, tmp_path: Path) -> None:
    """CVE-2026-26017: the name was judged before it was another one."""
    (tmp_path / "hosts").write_text("192.0.2.7 secret.internal.example open.example\n")
    running = serve(
        ". {\n rewrite name open.example secret.internal.example\n"
        f" acl internal.example {{\n block net {BLOCKED}/32\n }}\n hosts {tmp_path}/hosts\n}}\n"
    )
    with blocked(running) as client:
        assert client.ask("secret.internal.example.").rcode == codes.REFUSED
        assert client.ask("open.example.").rcode == codes.REFUSED
    assert running.ask("open.example.").rcode == codes.NOERROR


def test_a_search_path_leads_nobody_around_a_rule(serve: Serve, tmp_path: Path) -> None:
    """CoreDNS #8290: names that autopath made up were not judged."""
    (tmp_path / "resolv.conf").write_text("search one.example secret.example\n")
    (tmp_path / "hosts").write_text("192.0.2.7 www.secret.example\n")
    running = serve(
        f". {{\n autopath {tmp_path}/resolv.conf\n"
        f" acl secret.example {{\n block net {BLOCKED}/32\n }}\n hosts {tmp_path}/hosts secret.example\n"
        " template ANY ANY one.example {\n rcode NXDOMAIN\n }\n}\n"
    )
    assert running.ask("www.one.example.").rcode == codes.NOERROR
    with blocked(running) as client:
        reply = client.ask("www.one.example.")
        assert not reply.record.rr


def test_what_a_template_looks_up_is_judged_too(serve: Serve) -> None:
    running = serve(
        f". {{\n acl secret.example {{\n block net {BLOCKED}/32\n }}\n"
        ' template IN A open.example {\n answer "{{ .Name }} 60 IN CNAME www.secret.example."\n }\n'
        ' template IN A secret.example {\n answer "{{ .Name }} 60 IN A 192.0.2.7"\n }\n}\n'
    )
    with blocked(running) as client:
        reply = client.ask("open.example.")
        assert all(str(record.rdata) != "192.0.2.7" for record in reply.record.rr)


# --- zone transfers ---


@pytest.fixture
def zones(serve: Serve, tmp_path: Path) -> Running:
    for zone in ("example.org", "sub.example.org"):
        (tmp_path / zone).write_text(f"$ORIGIN {zone}.\n@ 60 IN SOA ns admin 1 2 3 4 5\n@ IN NS ns\n")
    return serve(
        "sub.example.org {\n transfer {\n to 127.0.0.2\n }\n"
        f" file {tmp_path}/sub.example.org\n}}\n"
        "example.org {\n transfer {\n to *\n }\n"
        f" file {tmp_path}/example.org\n}}\n"
    )


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("qtype", ["AXFR", "IXFR"])
def test_the_right_to_a_zone_is_no_right_to_the_zone_below_it(zones: Running, qtype: str, transport: str) -> None:
    """CVE-2026-33489: of two rules the shorter name won."""
    reply = zones.ask("sub.example.org.", qtype, transport)
    assert reply.rcode != codes.NOERROR or not reply.record.rr
    if (qtype, transport) == ("AXFR", "tcp"):
        assert zones.ask("example.org.", qtype, transport).rcode == codes.NOERROR


def test_who_has_the_right_gets_the_zone(zones: Running) -> None:
    with Client("127.0.0.1", zones.port, "tcp", source="127.0.0.2") as secondary:
        assert secondary.ask("sub.example.org.", "AXFR").rcode == codes.NOERROR


def test_a_proxy_gives_no_right_to_a_zone_but_its_clients(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "zone").write_text("$ORIGIN example.org.\n@ 60 IN SOA ns admin 1 2 3 4 5\n@ IN NS ns\n")
    running = serve(
        "example.org {\n proxyproto {\n allow 127.0.0.0/8\n }\n transfer {\n to 127.0.0.1\n }\n"
        f" file {tmp_path}/zone\n}}\n"
    )
    header = b"PROXY TCP4 192.0.2.66 192.0.2.53 4242 53\r\n"
    assert running.ask(qtype="AXFR", transport="tcp", proxy=header).rcode != codes.NOERROR


# --- paths ---


@pytest.mark.parametrize("path", ["/../etc/passwd", "//etc/passwd", "/metrics/../../etc/passwd", "/%2e%2e/etc/passwd"])
def test_no_path_of_an_endpoint_leads_to_a_file(serve: Serve, path: str) -> None:
    running = serve(". {\n health 127.0.0.1:0\n whoami\n}\n")
    assert running.server.configuration is not None
    [health] = [plugin for plugin in running.server.configuration.plugins if plugin.name == "health"]
    port = health.endpoint.port  # type: ignore[attr-defined]  # health has one
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        status = client.makefile("rb").readline()
    assert status.split()[1] in (b"404", b"400")


def test_names_of_zones_lead_to_no_file_beside_their_directory(serve: Serve, tmp_path: Path) -> None:
    inside = tmp_path / "zones"
    inside.mkdir()
    (tmp_path / "db.secret.example").write_text("$ORIGIN secret.example.\n@ 60 IN SOA ns a 1 2 3 4 5\n@ IN NS ns\n")
    (inside / "db.secret.example").symlink_to(tmp_path / "db.secret.example")
    (inside / "db.open.example").write_text("$ORIGIN open.example.\n@ 60 IN SOA ns a 1 2 3 4 5\n@ IN NS ns\n")
    running = serve(f". {{\n auto {{\n directory {inside}\n }}\n}}\n")
    assert running.ask("open.example.", "SOA").rcode == codes.NOERROR
    assert running.ask("secret.example.", "SOA").rcode != codes.NOERROR
