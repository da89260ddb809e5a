"""DNS messages through a whole server, from clients and from upstreams."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from corepy import codes, corefile, registry, site
from corepy import wire as w
from corepy.clock import Clock
from corepy.deferred import Deferred
from corepy.errors import Malformed
from corepy.finish import error_reply
from corepy.listener import PANICS, Listener
from corepy.log import Log
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing import FakeClock, make_query, message
from corepy.testing.upstream import Asked, FakeUpstream
from corepy.upstream import replaced
from corepy.upstream.match import is_whole
from tests.fuzz.target import ENDPOINTS, PEER, target

ZONE = (
    "$ORIGIN zone.example.\n$TTL 60\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\na AAAA 2001:db8::1\n"
    'c CNAME a\n*.w TXT "x" "y"\nd DNAME a\nm MX 10 a\ns SRV 1 2 3 a\n_h HTTPS 1 . alpn=h2 port=53\nsub NS ns.sub\n'
)

class Liar(FakeUpstream):
    """Says what the fuzzer wants, under the right id, and then nothing more."""

    said = b""

    def hear(self, asked: Asked, clock: Clock) -> None:  # noqa: ARG002 - time stands still
        """Answer in the next round of the loop."""
        asyncio.get_running_loop().call_soon(self._answer, asked)

    def _answer(self, asked: Asked) -> None:
        asked.reply(asked.wire[:2] + self.said)
        asked.fail("i/o timeout")


class Chain:
    """A server without sockets for a Corefile, and its upstream."""

    def __init__(self, text: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        (self.folder / "zone").write_text(ZONE)
        (self.folder / "hosts").write_text("192.0.2.7 www.hosts.example\n")
        (self.folder / "resolv.conf").write_text("search one.example hosts.example\n")
        self.far = Liar()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        with replaced(self.far.connect):
            parsed = corefile.load(text.replace("{}", str(self.folder)), "Corefile", known=registry.known())
            configuration = site.build(parsed, default_port=0, clock=self.clock)
            self.loop.run_until_complete(self._start(configuration.plugins))
        [self.listener] = configuration.listeners.values()

    @staticmethod
    async def _start(plugins: Sequence[Any]) -> None:
        for plugin in plugins:
            outcome = plugin.start()
            if isinstance(outcome, Awaitable):
                await outcome

    def answer(self, query: Query) -> bytes:
        """The octets of the reply."""
        before = PANICS.values[()]
        wire = self.loop.run_until_complete(self._answer(self.listener, query))
        assert PANICS.values[()] == before, "a plugin has failed"
        return wire

    def wait(self, seconds: float) -> None:
        """Let time pass."""

        async def advance() -> None:
            self.clock.advance(seconds)

        self.loop.run_until_complete(advance())

    async def _answer(self, listener: Listener, query: Query) -> bytes:
        outcome = listener.answer(query)
        return listener.seal(query, await outcome if isinstance(outcome, Deferred) else outcome)


@functools.cache
def chain(text: str) -> Chain:
    """The server for a Corefile, made once."""
    Log.silent = True
    return Chain(text)


def check(query: Query, wire: bytes) -> None:
    """What holds for every reply."""
    if wire:
        assert wire[:2] == query.wire[:2]
        assert wire[2] & w.QR >> 8
        assert len(wire) <= query.max_size
        assert is_whole(wire)


def check_size(error: bytes) -> None:
    """An error is a header and at most the question, or nothing is said."""
    assert not error or w.HEADER.size <= len(error) <= w.HEADER.size + w.MAX_NAME + 4


MESSAGES = """\
zone.example {
    file {}/zone
    transfer {
        to 192.0.2.9
    }
}
. {
    metadata
    prometheus localhost:0
    log
    errors
    bufsize 1232
    nsid
    acl secret.example {
        block net 192.0.2.0/24
    }
    any
    chaos
    cache 30
    loadbalance
    minimal
    header {
        response set ra
    }
    rewrite stop {
        name regex (.*)\\.rewritten\\.example {1}.hosts.example answer auto
    }
    rewrite edns0 local set 0xffee hello
    autopath {}/resolv.conf
    template IN A made.example {
        match ^(?P<first>[^.]*)\\.
        answer "{{ .Name }} 60 IN A 192.0.2.8"
    }
    hosts {}/hosts hosts.example {
        fallthrough
    }
    forward . 192.0.2.53 {
        max_fails 0
    }
}
"""


@target(
    b"\0" + message(),
    b"\1" + message("www.hosts.example.", edns=1232, do=True, options=b"\0\3\0\0\0\x0a\0\x08abcdefgh"),
    b"\0" + message("x.rewritten.example.", "AAAA"),
    b"\0" + message("x.made.example."),
    b"\1" + message("zone.example.", "AXFR"),
    b"\1" + message("a.d.zone.example.", "ANY", edns=4096),
    b"\0" + message("q.w.zone.example.", "TXT", qclass=3),
    b"\0" + message("version.bind.", "TXT", qclass=3),
    b"\0" + message("www.one.example.", flags=w.RD | w.CD | w.AD),
)
def messages(data: bytes) -> None:
    """A DNS message through a whole server: the first octet chooses UDP or TCP."""
    server = chain(MESSAGES)
    server.far.said = b"\x81\x83" + bytes(8)
    wire = data[1:]
    try:
        query = Query(wire, ENDPOINTS[data[0] & 1 if data else 0], PEER)
    except Malformed as error:
        check_size(error_reply(wire, error.rcode, error.question) if error.rcode is not None else b"")
        return
    check(query, server.answer(query))


REPLIES = """\
. {
    log
    dns64
    cache 30 {
        servfail 0
    }
    loadbalance
    minimal
    header {
        response clear ra
    }
    rewrite name regex (.*)\\.org {1}.net answer auto
    rewrite ttl regex .* 5-60
    rewrite rcode regex .* NXDOMAIN NOERROR
    rewrite cname exact a.example.net. b.example.net.
    forward . 192.0.2.53 {
        prefer_udp
        next SERVFAIL
        max_fails 0
    }
    forward . 192.0.2.54 {
        max_fails 0
    }
}
"""
ASKED = (
    make_query("www.example.org."), make_query("www.example.org.", "AAAA", edns=1232, do=True),
    make_query("www.example.org.", "TXT", transport="tcp"),
)  # fmt: skip


def _replies() -> list[bytes]:
    records = (
        ("www.example.net. 60 IN CNAME a.example.net.", "a.example.net. 60 IN A 192.0.2.7"),
        ("www.example.net. 60 IN AAAA 2001:db8::7", "www.example.net. 60 IN AAAA 2001:db8::8"),
        ('www.example.net. 60 IN TXT "x"', "www.example.net. 60 IN MX 1 a.example.net."),
    )
    seeds = []
    for number, texts in enumerate(records):
        asked = make_query("www.example.net.", ("A", "AAAA", "TXT")[number])
        for made in (Reply.answer(asked, *texts), Reply.failed(asked, codes.NXDOMAIN), Reply.failed(asked)):
            with_opt = w.with_additional(made.wire, w.opt_record(1232, 0, w.DO, b"\0\x0f\0\2\0\1"))
            seeds += [bytes((number,)) + wire[2:] for wire in (made.wire, with_opt)]
    return seeds


@target(*_replies())
def replies(data: bytes) -> None:
    """What an upstream says, through all that looks at replies: the first octet chooses the question."""
    server = chain(REPLIES)
    server.far.said = data[1:]
    query = ASKED[data[0] % len(ASKED) if data else 0]
    check(query, server.answer(query))
    check(query, server.answer(query))  # out of the cache, if it is there
    server.wait(70)
