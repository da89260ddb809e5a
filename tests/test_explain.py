"""Explanations: which server block, what each plugin did, and that nothing leaves the machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from corepy import codes, corefile, registry, site
from corepy import wire as w
from corepy.address import Address
from corepy.errors import ConfigError
from corepy.explain import Asked, Explanation, Stubs, Trace, as_json, as_text, explain, explain_each
from corepy.plugin import Failure, Outcome, Plugin, Query, Reply, after
from corepy.testing import FakeUpstreams, Running, message


def ask(
    text: str,
    name: str = "www.example.org.",
    qtype: str = "A",
    *,
    stubs: Stubs | None = None,
    client: str = "127.0.0.1",
    proxied: Address | None = None,
    stream: bool = False,
    to: Address | None = None,
) -> Explanation:
    """What a Corefile does with a question."""
    parsed = corefile.load(text, "Corefile", known=registry.known())
    asked = Asked(message(name, qtype), Address.of(client, 4242), proxied, stream, to)
    return asyncio.run(explain(parsed, asked, stubs))


def plugins(found: Explanation) -> list[str]:
    """The lines about plugins, their columns one space apart."""
    text = as_text(found)
    if ";; PLUGINS:" not in text:
        return []
    lines = text.partition(";; PLUGINS:\n")[2].partition("\n\n")[0].split("\n")
    return [" ".join(line.split()) for line in lines]


def why(found: Explanation) -> list[str]:
    return [f"{zone.at.line} {zone.zone} {zone.why}" for zone in found.zones]


# --- the way down and back ---


_NO_NEXT = "plugin/rewrite: no next plugin found"
_FOLLOWING = (
    "b.test {\n hosts {\n  192.0.2.9 w.b.test\n }\n}\n"
    'a.test {\n template IN A {\n  answer "{{.Name}} 60 IN CNAME w.b.test."\n }\n}'
)


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        (". {\n whoami\n}", "www.example.org. A", ["whoami Corefile:2 answered NOERROR without records"]),
        (
            ". {\n hosts {\n  192.0.2.9 a.example.org\n  fallthrough\n }\n errors\n forward . 192.0.2.1\n}",
            "b.example.org. A",
            [
                "errors Corefile:6 passed on",
                "hosts Corefile:2 no entry, falls through; passed on",
                "forward Corefile:7 would ask 192.0.2.1:53 over udp; answered NOERROR without records",
            ],
        ),
        (
            ". {\n forward . tls://192.0.2.1 {\n  tls_servername a.test\n }\n}",
            "b.test. A",
            ["forward Corefile:2 would ask 192.0.2.1:853 over tls; answered NOERROR without records"],
        ),
        (
            ". {\n forward . dns.example:5353\n}",
            "b.test. A",
            ["forward Corefile:2 would ask dns.example:5353 over udp; answered NOERROR without records"],
        ),
        (
            "a.test {\n rewrite stop name www.a.test w.b.test\n errors\n}",
            "www.a.test. A",
            [
                "errors Corefile:3 passed on",
                f"rewrite Corefile:2 rule 1 at Corefile:2:2 applies; failed, SERVFAIL: {_NO_NEXT}",
            ],
        ),
        (
            _FOLLOWING,
            "www.a.test. A",
            [
                "template Corefile:7 the template at Corefile:7:2 matches; asks the server itself: w.b.test. IN A",
                "hosts Corefile:2 the entry at Corefile:3:3 is for it; answered NOERROR with 1 record",
                "template Corefile:7 reply: answered NOERROR with 2 records",
            ],
        ),
        (
            ". {\n acl {\n  drop\n }\n whoami\n}",
            "www.a.test. A",
            ["acl Corefile:2 dropped by rule 1 at Corefile:3:3; there is no reply"],
        ),
    ],
)
def test_plugins_in_the_order_of_the_chain(text: str, question: str, expected: list[str]) -> None:
    shown = plugins(ask(text, *question.split()))
    assert [line for line in shown if line in expected] == expected, shown


def test_a_rewrite_and_its_way_back() -> None:
    text = "example.org {\n rewrite stop name www.example.org w.test\n forward . 192.0.2.1\n}"
    found = ask(text, stubs=Stubs(["w.test. 60 IN A 192.0.2.7"]))
    lines = plugins(found)
    passed_on = "passed on as www.example.org. IN A -> w.test. IN A"
    assert lines[0] == f"rewrite Corefile:2 rule 1 at Corefile:2:2 applies; {passed_on}"
    assert lines[-3:] == [
        "rewrite Corefile:2 reply: question w.test. IN A -> www.example.org. IN A",
        "answer - w.test. 60 IN A 192.0.2.7",
        "answer + www.example.org. 60 IN A 192.0.2.7",
    ]
    assert "www.example.org. 60 IN A 192.0.2.7" in as_text(found).partition(";; REPLY:")[2]


class Changes(Plugin):
    """Makes of each query what a test says, and of its reply, too."""

    def __init__(self, query: Callable[[bytes], bytes], reply: Callable[[Query, Reply], Reply]) -> None:
        self._query, self._reply = query, reply

    def serve(self, query: Query) -> Outcome:
        if self.note is not None:
            self.note(query, "before")
        outcome = after(self.next(query.with_wire(self._query(query.wire))), lambda reply: self._reply(query, reply))
        if self.note is not None:
            self.note(query, "behind")
        return outcome


def _flags(wire: bytes) -> bytes:
    return wire[:3] + bytes((wire[3] | w.CD,)) + wire[4:]


def _edns(wire: bytes) -> bytes:
    return w.with_additional(wire, w.opt_record(1232, 0, w.DO, w.option(3, b"")))


def _case(wire: bytes) -> bytes:
    return wire.replace(b"www", b"wWw")


def _same(_query: Query, reply: Reply) -> Reply:
    return reply


def _answer(*texts: str) -> Callable[[Query, Reply], Reply]:
    return lambda query, _: Reply.answer(query, *texts, authoritative=False)


_FIVE = [f"www.example.org. 60 IN A 192.0.2.{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "reply", "down", "back"),
    [
        (_flags, _same, "passed on as flags +cd", []),
        (_edns, _same, "passed on as EDNS: none -> size 1232, do, options 3", []),
        (_case, _same, "passed on as the name spelled in another case", []),
        (bytes, _same, "passed on", []),
        (bytes, _answer("www.example.org. 5 IN A 192.0.2.7"), "passed on", ["flags -ra", "answer TTL 60 -> 5"]),
        (bytes, _answer(), "passed on", ["flags -ra", "answer - www.example.org. 60 IN A 192.0.2.7"]),
        (
            bytes, _answer(*_FIVE), "passed on",
            ["flags -ra", "answer - www.example.org. 60 IN A 192.0.2.7", *(f"answer + {text}" for text in _FIVE[:4]),
             "answer + 1 more"],
        ),
        (bytes, lambda query, _: Reply.refused(query), "passed on",
         ["NOERROR -> REFUSED", "flags -ra", "answer - www.example.org. 60 IN A 192.0.2.7"]),
        (bytes, lambda *_: Reply.SILENCE, "passed on", ["there is no reply"]),
        (bytes, lambda _, reply: Reply(reply.wire[:-1]), "passed on",
         ["changed the reply, which is not readable: record data cut short"]),
    ],
)  # fmt: skip
def test_what_is_changed(
    directives: Callable[..., None],
    query: Callable[[bytes], bytes],
    reply: Callable[[Query, Reply], Reply],
    down: str,
    back: list[str],
) -> None:
    class Mine(Changes):
        before = "forward"

        def __init__(self) -> None:
            super().__init__(query, reply)

    directives(mine=Mine)
    found = ask(". {\n mine\n forward . 192.0.2.1\n}", stubs=Stubs(["www.example.org. 60 IN A 192.0.2.7"]))
    [mine, _] = found.trace.steps
    assert mine.on_the_way() == ["before", down]
    assert mine.on_the_way_back() == ["behind", *back]


def test_failures_and_who_makes_a_reply_of_them(directives: Callable[..., None]) -> None:
    class Saves(Plugin):
        def serve(self, query: Query) -> Outcome:
            try:
                return self.next(query)
            except Failure:
                return Reply.failed(query, codes.NXDOMAIN)

    class Breaks(Plugin):
        def serve(self, query: Query) -> Outcome:
            if query.qtype == codes.A:
                raise Failure("it is late")
            raise ZeroDivisionError

    directives(breaks=Breaks, arms=Saves)
    text = ". {\n arms\n breaks\n}"
    assert plugins(ask(text)) == [
        "arms Corefile:2 passed on",
        "breaks Corefile:3 failed, SERVFAIL: it is late",
        "arms Corefile:2 reply: answered NXDOMAIN in place of the failure",
    ]
    found = ask(text, qtype="AAAA")
    assert "by a mistake in the plugin: ZeroDivisionError()" in as_text(found)
    assert [step.outcome for step in found.trace.steps] == ["passed", "failed"]
    assert found.reply[3] & w.RCODE == codes.SERVFAIL


# --- server blocks ---

_ZONES = ". {\n whoami\n}\norg {\n whoami\n}\nexample.org a.example.org {\n}\n"


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("com.", "A", ["1 . chosen: the longest zone"]),
        ("x.org.", "A", ["4 org. chosen: the longest zone", "1 . not chosen: a longer zone fits"]),
        ("a.example.org.", "DS", [
            "7 a.example.org. not chosen: DS is above the zone cut",
            "7 example.org. not chosen: DS is above the zone cut",
            "4 org. chosen: the topmost zone but the root: DS is above the zone cut",
            "1 . not chosen: DS is above the zone cut",
        ]),
        ("a.example.org.", "A", [
            "7 a.example.org. chosen: the longest zone",
            "7 example.org. not chosen: a longer zone fits",
            "4 org. not chosen: a longer zone fits",
            "1 . not chosen: a longer zone fits",
        ]),
    ],
)  # fmt: skip
def test_the_server_block(name: str, qtype: str, expected: list[str]) -> None:
    assert why(ask(_ZONES, name, qtype)) == expected


def test_a_block_without_plugins_refuses() -> None:
    found = ask(_ZONES, "example.org.")
    assert plugins(found) == []
    assert "status: REFUSED" in as_text(found)


def test_no_block_for_the_name() -> None:
    found = ask("example.org {\n whoami\n}", "example.com.")
    assert ";; SERVER BLOCKS on dns://:53:\nnone for this name\n" in as_text(found)
    assert as_json(found)["block"] is None


def test_views() -> None:
    view = "org {\n view v {\n  expr client_ip() == '192.0.2.1'\n }\n whoami\n}\n"
    text = f"{view}org {{\n hosts\n}}"
    assert why(ask(text, client="192.0.2.1")) == [
        "1 org. chosen: view v, the longest zone",
        "7 org. not chosen: an earlier block fits",
    ]
    assert why(ask(text)) == [
        "1 org. not chosen: its view v does not take the query",
        "7 org. chosen: the longest zone",
    ]


def test_the_listener() -> None:
    text = "org:1053 {\n whoami\n}\ncom:1054 {\n bind 192.0.2.1\n whoami\n}"
    assert ask(text).listener == "dns://:1053"
    assert ask(text, "a.com.").listener == "dns://192.0.2.1:1054"
    assert ask(text, "a.com.", to=Address.of("127.0.0.1", 1053)).listener == "dns://:1053"
    with pytest.raises(ConfigError, match=r"no server block listens on 127\.0\.0\.1:1054"):
        ask(text, to=Address.of("127.0.0.1", 1054))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("options", "peer", "door", "client"),
    [
        ("", "127.0.0.1", "is believed: the client is 198.51.100.7:7", "198.51.100.7"),
        ("allow 192.0.2.0/24", "127.0.0.1", "is not believed: the client is the peer", "127.0.0.1"),
        ("default reject", "192.0.2.1", "not let in: no header is accepted from there", "192.0.2.1"),
    ],
)
def test_the_door(options: str, peer: str, door: str, client: str, *, stream: bool) -> None:
    text = f". {{\n proxyproto {{\n  {options}\n }}\n whoami\n}}"
    found = ask(text, client=peer, proxied=Address.of("198.51.100.7", 7), stream=stream)
    assert found.door.endswith(door)
    assert found.client.host == client
    assert bool(found.reply) == ("not let in" not in door)


def test_a_header_that_nobody_expects() -> None:
    found = ask(". {\n whoami\n}", proxied=Address.of("198.51.100.7", 7))
    assert found.door.startswith("no proxyproto on this listener")
    assert "not a query: opcode" in found.door
    assert not ask(". {\n whoami\n}", proxied=Address.of("198.51.100.7", 7), stream=True).reply


# --- plugins' own words ---

_ACL = "example.org {\n acl {\n  allow type AAAA\n  block net 192.0.2.0/24\n  filter type MX\n }\n whoami\n}"
_HOSTS = "example.org {\n hosts h example.org {\n  192.0.2.9 a.example.org\n  fallthrough b.example.org\n }\n whoami\n}"
_TEMPLATE = (
    '. {\n template IN A {\n  match ^a[.]\n  answer "{{.Name}} 60 IN A 192.0.2.1"\n  fallthrough example.org\n }\n'
    " whoami\n}"
)


@pytest.mark.parametrize(
    ("text", "question", "client", "words"),
    [
        (_ACL, "a.example.org. AAAA", "192.0.2.1", "allowed by rule 1 at Corefile:3:3"),
        (_ACL, "a.example.org. A", "192.0.2.1", "blocked by rule 2 at Corefile:4:3"),
        (_ACL, "a.example.org. MX", "127.0.0.1", "filtered by rule 3 at Corefile:5:3"),
        (_ACL, "a.example.org. A", "127.0.0.1", "allowed: no rule is for the query"),
        (_HOSTS, "b.example.org. A", "127.0.0.1", "no entry, falls through"),
        (_HOSTS, "c.example.org. A", "127.0.0.1", "no entry, and no fallthrough for the name"),
        (_HOSTS.replace("h example.org", "h example.com"), "a.example.org. A", "127.0.0.1",
         "the name is in none of its zones"),
        (_TEMPLATE, "a.example.org. A", "127.0.0.1", "the template at Corefile:2:2 matches"),
        (_TEMPLATE, "b.example.com. A", "127.0.0.1",
         "the template at Corefile:2:2 does not match, and has no fallthrough for the name"),
        (". {\n rewrite type MX A\n rewrite name b.test c.test\n whoami\n}", "b.test. A", "127.0.0.1",
         "rule 2 at Corefile:3:2 applies"),
        (". {\n forward com 192.0.2.1\n forward org 192.0.2.2\n}", "b.org. A", "127.0.0.1",
         "the name is not below FROM, or it is excepted"),
        (". {\n forward . 192.0.2.1 {\n  next NOERROR\n }\n forward . 192.0.2.2\n}", "b.org. A", "127.0.0.1",
         "NOERROR: the next forward line is asked"),
        (". {\n cache\n whoami\n}", "b.org. A", "127.0.0.1", "miss"),
        (". {\n cache com\n whoami\n}", "b.org. A", "127.0.0.1", "the name is in none of its zones"),
    ],
)  # fmt: skip
def test_plugins_say_why(
    text: str, question: str, client: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h").write_text("")
    monkeypatch.chdir(tmp_path)
    found = ask(text, *question.split(), client=client)
    assert words in [note for step in found.trace.steps for note in (*step.notes, *step.notes_back)]


# --- what it is not ---


@cache
def _watch_sockets() -> list[bool]:
    """A switch: while it is on, whatever wants to use the network fails."""
    on = [False]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        # The event loop wakes itself over a pair of UNIX sockets, which are no network.
        if on[0] and event.startswith("socket.") and not (event == "socket.__new__" and arguments[1] == 1):
            raise AssertionError(f"{event} {arguments}")

    sys.addaudithook(hook)
    return on


EVERYTHING = """
example.org:5300 {
    errors
    log
    health :8080
    ready
    loop
    prometheus localhost:9153
    pprof
    cache
    rewrite name suffix .org .test
    hosts {
        fallthrough
    }
    forward . 192.0.2.1 dns.example tls://192.0.2.2 {
        policy sequential
        health_check 100ms
    }
}
"""


def test_offline_nothing_touches_the_network() -> None:
    switch = _watch_sockets()
    switch[0] = True
    try:
        found = ask(EVERYTHING)
    finally:
        switch[0] = False
    assert [step.plugin.name for step in found.trace.steps][-1] == "forward"
    assert "would ask 192.0.2.1:53 over udp" in as_text(found)
    assert "offline: no upstream is asked" in as_text(found)


def test_what_plugins_log_is_not_the_explanation(capsys: pytest.CaptureFixture[str]) -> None:
    ask(". {\n log\n whoami\n}")
    written = capsys.readouterr()
    assert not written.out
    assert '"A IN www.example.org.' in written.err


def test_stubs_need_records() -> None:
    with pytest.raises(ValueError, match="is no record"):
        Stubs(["nonsense"])


def test_a_plugin_that_cannot_start(directives: Callable[..., None]) -> None:
    class Stuck(Plugin):
        stopped = False

        def serve(self, query: Query) -> Outcome:
            return self.next(query)

        def start(self) -> None:
            raise PermissionError(13, "Permission denied")

        def stop(self) -> None:
            Stuck.stopped = True

    directives(stuck=Stuck)
    with pytest.raises(ConfigError, match=r"plugin/stuck: cannot start: .* Permission denied"):
        ask(". {\n stuck\n}")
    assert Stuck.stopped


def test_json() -> None:
    found = as_json(ask("org {\n errors\n forward . 192.0.2.1\n}", stubs=Stubs(["www.example.org. 60 IN A 192.0.2.7"])))
    assert found["block"] == {"at": "Corefile:1:1", "zone": "org."}
    assert found["plugins"][1] == {
        "plugin": "forward",
        "at": "Corefile:3:2",
        "depth": 0,
        "question": "www.example.org. IN A",
        "outcome": "answered",
        "said": ["would ask 192.0.2.1:53 over udp", "answered NOERROR with 1 record"],
        "reply": [],
    }
    assert found["reply"]["answer"] == ["www.example.org. 60 IN A 192.0.2.7"]
    assert found["reply"]["flags"] == ["qr", "rd", "ra"]
    assert as_json(ask(". {\n acl {\n  drop\n }\n}"))["reply"] is None


# --- live ---


def test_live_upstreams_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstreams() as upstreams:
        upstreams["192.0.2.1"].fail("connection refused")
        upstreams["192.0.2.2"].answer(rcode=codes.SERVFAIL)
        upstreams["192.0.2.3"].answer("www.example.org. 60 IN A 192.0.2.7")
        monkeypatch.setattr("corepy.explain.stubs.connect_by_kind", upstreams._connect)
        options = "  policy sequential\n  max_fails 0\n  failover SERVFAIL\n"
        text = f". {{\n forward . 192.0.2.1 192.0.2.2 192.0.2.3 {{\n{options} }}\n}}"
        found = ask(text, stubs=Stubs(live=True))
    assert plugins(found) == [
        "forward Corefile:2 asks 192.0.2.1:53 over udp",
        "192.0.2.1:53 does not answer: connection refused",
        "asks 192.0.2.2:53 over udp",
        "192.0.2.2:53 says SERVFAIL",
        "SERVFAIL: the next upstream is asked",
        "asks 192.0.2.3:53 over udp",
        "192.0.2.3:53 says NOERROR",
        "answered NOERROR with 1 record",
    ]
    assert "offline" not in as_text(found)


def test_loop_looks_for_itself_and_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstreams() as upstreams:
        upstreams["127.0.0.1"].fail("connection refused")   # where nobody serves, since this is no server
        upstreams["192.0.2.1"].answer("www.example.org. 60 IN A 192.0.2.7")
        monkeypatch.setattr("corepy.explain.stubs.connect_by_kind", upstreams._connect)
        found = ask(". {\n loop\n forward . 192.0.2.1\n}", stubs=Stubs(live=True))
    assert plugins(found)[0] == "loop Corefile:2 passed on"
    assert plugins(found)[-1].endswith("answered NOERROR with 1 record")


# --- several questions ---


def each(text: str, times: int, **how: object) -> list[Explanation]:
    parsed = corefile.load(text, "Corefile", known=registry.known())
    asked = Asked(message("www.example.org."), Address.of("127.0.0.1", 4242), **how)  # type: ignore[arg-type]
    return asyncio.run(explain_each(parsed, [asked] * times))


def test_a_cache_finds_what_it_kept() -> None:
    text = '. {\n cache\n template IN A {\n  answer "{{.Name}} 9 IN A 192.0.2.1"\n }\n}'
    miss, hit, again = each(text, 3)
    assert plugins(miss)[0] == "cache Corefile:2 miss; passed on as flags +ad"
    assert plugins(hit) == ["cache Corefile:2 hit; answered NOERROR with 1 record"] == plugins(again)


def test_a_session_of_a_proxy() -> None:
    text = ". {\n proxyproto {\n  allow 127.0.0.0/8\n  udp_session_tracking 28s\n }\n whoami\n}"
    for found in each(text, 2, proxied=Address.of("198.51.100.7", 7), session=True):
        assert found.door == "a session of 127.0.0.1:4242 is believed: the client is 198.51.100.7:7"
    [found] = each(text.replace("udp_session_tracking 28s", ""), 1, proxied=Address.of("198.51.100.7", 7), session=True)
    assert found.client.host == "127.0.0.1"


# --- it is what serves ---

_SERVED = """\
example.org {
    errors
    acl {
        block type TXT
        filter type MX
    }
    rewrite name prefix old. new.
    rewrite type SRV A
    cache 30
    hosts {
        192.0.2.9 new.a.example.org b.example.org
        fallthrough a.example.org c.example.org
    }
    template IN AAAA c.example.org {
        match ^x
        answer "{{.Name}} 60 IN AAAA 2001:db8::1"
        fallthrough x.c.example.org
    }
    template IN A c.example.org {
        match ^alias
        answer "{{.Name}} 60 IN CNAME b.example.org."
        fallthrough
    }
    forward c.example.org 192.0.2.1 {
        except z.c.example.org
    }
}
org {
    template IN ANY {
        rcode NXDOMAIN
    }
}
"""
_ASKED = [
    f"{name} {qtype}"
    for name in ("old.a.example.org.", "b.example.org.", "alias.c.example.org.", "x.c.example.org.", "z.c.example.org.")
    for qtype in ("A", "AAAA", "TXT", "MX", "SRV")
] + ["example.com. A", "other.org. A", "example.org. DS"]


@pytest.mark.parametrize("question", _ASKED)
def test_the_served_chain_does_the_same(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that a running server leaves, asked over UDP, are those of the explanation."""
    stubs, trace = Stubs(["c.example.org. 60 IN A 192.0.2.7"]), Trace()
    explained = ask(_SERVED, *question.split(), stubs=Stubs(stubs.records))
    stubs.watch(trace)
    monkeypatch.setattr(site, "build", partial(site.build, wrap=trace.wrap))
    with stubs.in_place(), Running(_SERVED) as server:
        reply = server.ask(*question.split())
    assert reply.wire == explained.reply
    assert _told(trace) == _told(explained.trace)


def _told(trace: Trace) -> list[tuple[str, int, list[str], list[str]]]:
    return [(step.plugin.name, step.depth, step.on_the_way(), step.on_the_way_back()) for step in trace.steps]
