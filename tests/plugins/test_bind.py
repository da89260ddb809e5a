"""bind: addresses, interfaces and exceptions."""

from __future__ import annotations

import pytest

from corepy import interfaces
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.bind import Bind
from corepy.site import Site

INTERFACES = {
    "lo": ["127.0.0.1", "::1"],
    "eth0": ["192.0.2.1", "192.0.2.2", "2001:db8::1", "fe80::1%eth0"],
    "eth1": [],
}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with known interfaces."""
    monkeypatch.setattr(interfaces, "addresses", INTERFACES.__getitem__)
    monkeypatch.setattr(interfaces, "names", lambda: list(INTERFACES))


def parse(text: str) -> Bind:
    lines = directives(text)
    [plugin] = Bind.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


EXPECTED = "expected an IP address or the name of an interface"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bind 127.0.0.1", ["127.0.0.1"]),
        ("bind ::1 127.0.0.1\nbind 192.0.2.1", ["::1", "127.0.0.1", "192.0.2.1"]),
        ("bind 127.0.0.1 lo 127.0.0.1\nbind lo", ["127.0.0.1", "::1"]),
        ("bind 0:0:0::1 2001:DB8::A", ["::1", "2001:db8::a"]),
        ("bind ::ffff:192.0.2.1", ["192.0.2.1"]),
        ("bind 0.0.0.0 ::", ["0.0.0.0", "::"]),
        ("bind fe80::7%lo", ["fe80::7%lo"]),
        ("bind eth0", ["192.0.2.1", "192.0.2.2", "2001:db8::1", "fe80::1%eth0"]),
        ("bind eth1 127.0.0.1", ["127.0.0.1"]),
        ("bind lo {\nexcept 127.0.0.1\n}", ["::1"]),
        ("bind lo {\nexcept 0::1\n}", ["127.0.0.1"]),
        ("bind lo {\n}", ["127.0.0.1", "::1"]),
        ("bind eth0 lo {\nexcept lo 192.0.2.2 9.9.9.9\nexcept fe80::1%eth0\n}", ["192.0.2.1", "2001:db8::1"]),
        ("bind lo {\nexcept 127.0.0.1\n}\nbind 127.0.0.1", ["::1", "127.0.0.1"]),
        ("bind", f"plugin/bind: Corefile:1:1: 'bind' lacks an argument, {EXPECTED}"),
        ("bind 192.0.2.300", f"plugin/bind: Corefile:1:6: '192.0.2.300' is no address or interface here, {EXPECTED}"),
        ("bind lo eht0", f"plugin/bind: Corefile:1:9: 'eht0' is no address or interface here, {EXPECTED}"),
        ("bind 127.1", f"plugin/bind: Corefile:1:6: '127.1' is no address or interface here, {EXPECTED}"),
        ("bind fe80::1%no0", f"plugin/bind: Corefile:1:6: 'fe80::1%no0' is no address or interface here, {EXPECTED}"),
        ("bind 127.0.0.1:53", f"plugin/bind: Corefile:1:6: '127.0.0.1:53' is no address or interface here, {EXPECTED}"),
        ('bind ""', f"plugin/bind: Corefile:1:6: '' is no address or interface here, {EXPECTED}"),
        ("bind lo {\nexcept\n}", f"plugin/bind: Corefile:2:1: 'except' lacks an argument, {EXPECTED}"),
        ("bind lo {\nexcept x\n}", f"plugin/bind: Corefile:2:8: 'x' is no address or interface here, {EXPECTED}"),
        ("bind lo {\nwithout ::1\n}", "plugin/bind: Corefile:2:1: unknown option 'without', expected except"),
        ("bind lo {\nexcept lo\n}", "plugin/bind: Corefile:1:1: no address is left to listen on"),
        ("bind eth1", "plugin/bind: Corefile:1:1: no address is left to listen on"),
    ],
)
def test_lines(text: str, expected: list[str] | str) -> None:
    try:
        result: object = parse(text).hosts
    except ConfigError as error:
        result = str(error)
    assert result == expected


def test_a_guess_at_the_interface_that_was_meant() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("bind eht0")
    assert caught.value.hint == 'did you mean "eth0"?'


def test_a_kernel_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> list[str]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(interfaces, "addresses", refuse)
    assert parse("bind 127.0.0.1").hosts == ["127.0.0.1"]
    with pytest.raises(ConfigError, match="cannot look up 'lo': Operation not permitted"):
        parse("bind 127.0.0.1 lo")


def test_tells_the_site() -> None:
    site = Site([])
    Bind(["127.0.0.1", "::1"]).configure(site)
    assert site.hosts == ["127.0.0.1", "::1"]
    assert Bind.serve is None
