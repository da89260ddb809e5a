"""proxyproto: what its lines mean, what is wrong with them, and what it does to a listener."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from corepy.corefile import directives
from corepy.door import Action
from corepy.errors import ConfigError
from corepy.log import Log
from corepy.plugins.proxyproto import ProxyProto
from corepy.site import Site

NETWORKS = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def parse(text: str) -> ProxyProto:
    """The plugin of a text of directives, none of which may be left unread."""
    lines = directives(text)
    [plugin] = ProxyProto.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("proxyproto", {}),
        ("proxyproto {\n}", {}),
        ("proxyproto {\nallow 10.1.2.3/8 2001:db8::/32\n}", {"allow": NETWORKS}),
        ("proxyproto {\nallow 10.0.0.0/8\nallow 2001:db8::/32\n}", {"allow": NETWORKS}),
        ("proxyproto {\nallow 10.0.0.0/8\n}\nproxyproto {\nallow 2001:db8::/32\n}", {"allow": NETWORKS}),
        ("proxyproto {\nallow ::ffff:10.0.0.0/104\n}", {"allow": NETWORKS[:1]}),
        ("proxyproto {\nallow\n}", {}),
        ("proxyproto {\ndefault use\n}", {"default": Action.USE}),
        ("proxyproto {\ndefault IGNORE\n}", {"default": Action.IGNORE}),
        ("proxyproto {\ndefault Reject\n}", {"default": Action.REJECT}),
        ("proxyproto {\ndefault reject\ndefault sKiP\n}", {"default": Action.SKIP}),
        ("proxyproto {\nudp_session_tracking 28s\n}", {"session_ttl": 28}),
        ("proxyproto {\nudp_session_tracking 1h1.5s 7\n}", {"session_ttl": 3601.5, "max_sessions": 7}),
        ("proxyproto {\nudp_session_tracking 1s +7\nudp_session_tracking 2s\n}", {"session_ttl": 2, "max_sessions": 7}),
        ("proxyproto {\nudp_session_tracking 0\n}", {"session_ttl": 0}),
        ("proxyproto {\nudp_session_tracking -1s\n}", {"session_ttl": -1}),
        ("proxyproto {\nrequire\n}", {"require": True}),
    ],
)
def test_lines(text: str, fields: dict[str, Any]) -> None:
    assert parse(text) == ProxyProto(**fields)


@pytest.mark.parametrize(
    ("text", "at", "word"),
    [
        ("proxyproto x", "1:12", "'x'"),
        ("proxyproto {\nbogus\n}", "2:1", "'bogus'"),
        ("proxyproto {\nallow 10.0.0.1\n}", "2:7", "'10.0.0.1'"),
        ("proxyproto {\nallow 10.0.0.0/8 bad\n}", "2:18", "'bad'"),
        ("proxyproto {\nallow 10.0.0.0/255.0.0.0\n}", "2:7", "'10.0.0.0/255.0.0.0'"),
        ("proxyproto {\nallow 010.0.0.0/8\n}", "2:7", "'010.0.0.0/8'"),
        ("proxyproto {\nallow fe80::%eth0/64\n}", "2:7", "'fe80::%eth0/64'"),
        ("proxyproto {\nallow {$NETS}\n}", "2:7", "NETS is not set"),
        ("proxyproto {\ndefault\n}", "2:1", "use, ignore, reject"),
        ("proxyproto {\ndefault require\n}", "2:9", "'require'"),
        ("proxyproto {\ndefault use x\n}", "2:13", "'x'"),
        ("proxyproto {\nudp_session_tracking\n}", "2:1", "duration"),
        ("proxyproto {\nudp_session_tracking 28\n}", "2:22", "'28'"),
        ("proxyproto {\nudp_session_tracking 28s 0\n}", "2:26", "'0'"),
        ("proxyproto {\nudp_session_tracking 28s -2\n}", "2:26", "'-2'"),
        ("proxyproto {\nudp_session_tracking 28s 1_0\n}", "2:26", "'1_0'"),
        ("proxyproto {\nudp_session_tracking 28s 99999999999999999999\n}", "2:26", "'99999999999999999999'"),
        ("proxyproto {\nudp_session_tracking 28s 2 3\n}", "2:28", "'3'"),
        ("proxyproto {\nrequire yes\n}", "2:9", "'yes'"),
        ("proxyproto {\nrequire {\n}\n}", "2:9", "'{'"),
    ],
)
def test_mistakes(text: str, at: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    line = str(caught.value)
    assert line.startswith(f"plugin/proxyproto: Corefile:{at}: ")
    assert word in line


def test_each_listener_has_a_door_and_sessions_of_its_own() -> None:
    site = Site([])
    plugin = parse("proxyproto {\nallow 10.0.0.0/8\nudp_session_tracking 28s 7\n}")
    plugin.configure(site)
    assert site.door is not None
    one, two = plugin.door(), plugin.door()
    assert one.policy.for_peer(b"\x0a\0\0\1") is Action.USE
    assert one.sessions is not None
    assert (one.sessions.ttl, one.sessions.capacity) == (28, 7)
    assert one.sessions is not two.sessions


@pytest.mark.parametrize("ttl", ["0", "0s", "-28s"])
def test_no_time_no_sessions(ttl: str) -> None:
    assert parse(f"proxyproto {{\nudp_session_tracking {ttl} 7\n}}").door().sessions is None


def test_it_is_not_in_the_chain() -> None:
    assert ProxyProto.serve is None


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("proxyproto", True),
        ("proxyproto {\nallow 10.0.0.0/8\n}", False),
        ("proxyproto {\nallow 10.0.0.0/8\ndefault use\n}", True),
        ("proxyproto {\nallow 0.0.0.0/0\n}", True),
        ("proxyproto {\ndefault reject\n}", False),
    ],
)
def test_start_warns_where_everyone_is_believed(text: str, warns: bool, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = parse(text)
    plugin.log = Log("plugin/proxyproto: ")
    plugin.start()
    said = capsys.readouterr().out
    assert said.startswith("[WARNING] plugin/proxyproto: PROXY headers are accepted from every address") is warns
    assert said.count("\n") == warns
