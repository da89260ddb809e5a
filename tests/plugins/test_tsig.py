"""tsig: what its lines mean, which queries get through, and that dig and kdig believe the replies."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.corefile import directives
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError, ConfigErrors
from corepy.plugin import Outcome
from corepy.plugins.tsig import Tsig
from corepy.plugins.tsig.keyfile import parse_keys
from corepy.query import Query
from corepy.reply import Reply
from corepy.site import Site
from corepy.stream import frame
from corepy.testing import Client, FakeClock, Running, make_query, message
from corepy.tsig import HMAC_SHA256, Key, Signer, Verifier, find
from tests.programs import program

if TYPE_CHECKING:
    from tests.conftest import Serve

ORG = w.encode_name("example.org")
SECRET = "c2VjcmV0LW51bWJlci1vbmUtZm9yLXRlc3RzLW9ubHk="   # noqa: S105 - of tests
KEY = Key(w.encode_name("one.key"), b"secret-number-one-for-tests-only")
TWO = Key(w.encode_name("two.key"), b"secret-number-two-for-tests-only")
FILE = "keys of named.conf"
NEITHER = "expected all, none, or types such as A"


def parse(text: str) -> Tsig:
    lines = directives(text)
    for line in lines:
        line.zones = (ORG,)
    [plugin] = Tsig.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


def tsig(**fields: object) -> Tsig:
    return Tsig((ORG,), **fields)  # type: ignore[arg-type]  # whichever a row names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tsig", tsig()),
        ("tsig {\n}", tsig()),
        ("tsig a {\n}", Tsig((b"\1a\0",))),
        (f"tsig {{\nsecret ONE.key. {SECRET}\n}}", tsig(keys={KEY.name: KEY})),
        ("tsig {\nsecret a AAAA\nsecret b BBBB\n}",
         tsig(keys={b"\1a\0": Key(b"\1a\0", bytes(3)), b"\1b\0": Key(b"\1b\0", b"\x04\x10\x41")})),
        ("tsig {\nrequire A MX\n}", tsig(types=frozenset((1, 15)))),
        ("tsig {\nrequire None Reserved\n}", tsig(types=frozenset((0, 0xFFFF)))),
        ("tsig {\nrequire A\nrequire MX\n}", tsig(types=frozenset((15,)))),
        ("tsig {\nrequire all A\n}", tsig(every=True)),
        ("tsig {\nrequire all\nrequire none\n}", tsig(every=True)),
        ("tsig {\nrequire A\nrequire none NOTYPE\n}", tsig()),
        ("tsig {\nrequire_opcode NOTIFY UPDATE\n}", tsig(opcodes=frozenset((4, 5)))),
        ("tsig {\nrequire_opcode all\n}", tsig(every=True)),
        ("tsig {\nrequire_opcode none\n}", tsig()),
        ("tsig {\nrequire\n}", f"2:1: 'require' lacks an argument, {NEITHER}"),
        ("tsig {\nrequire A all\n}", f"2:11: unknown type 'all', {NEITHER}"),
        ("tsig {\nrequire axfr\n}", f"2:9: unknown type 'axfr', {NEITHER}"),
        ("tsig {\nrequire_opcode\n}",
         "2:1: 'require_opcode' lacks an argument, expected all, none, or opcodes such as NOTIFY"),
        ("tsig {\nrequire_opcode DELETE\n}",
         "2:16: unknown opcode 'DELETE', expected all, none, or opcodes such as NOTIFY"),
        ("tsig {\nsecret one.key\n}",
         "2:1: 'secret' with 1 arguments, expected the name of a key and its secret in base 64"),
        ("tsig {\nsecret a AAAA BBBB\n}",
         "2:1: 'secret' with 3 arguments, expected the name of a key and its secret in base 64"),
        ("tsig {\nsecret a..b AAAA\n}",
         "2:8: a name of a key that is no domain name, expected the name of a key and its secret in base 64"),
        ("tsig {\nsecret a AAA!\n}",
         "2:10: the secret is not written in base 64, expected what tsig-keygen or keymgr prints"),
        ("tsig {\nsecret a AAAA\nsecret A. BBBB\n}", "3:1: key 'a.' is defined twice"),
        ("tsig {\nsecrets\n}", "2:1: 'secrets' lacks an argument, expected a file with keys, as named.conf has them"),
        ("tsig {\nsecrets no/such\n}", "2:9: cannot read 'no/such': No such file or directory"),
        ("tsig {\nalgorithm hmac-sha256\n}",
         "2:1: unknown option 'algorithm', expected one of secret, secrets, require, require_opcode"),
        ("tsig\ntsig", "2:1: given twice in a server block, first at Corefile:1:1"),
    ],
)  # fmt: skip
def test_lines(text: str, expected: Tsig | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/tsig: Corefile:")
    assert result == expected


@pytest.mark.parametrize("line", ["secret a SECRET!", "secret SECRET", "secret a SECRET b", "secert a SECRET"])
def test_no_error_shows_a_secret(line: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        Running(f". {{\n tsig {{\n  {line}\n  require NOTYPE\n }}\n}}")
    text = caught.value.explain()
    assert "SECRET" not in text
    assert "\n      require NOTYPE\n" in text   # other lines are


# --- files ---


def read(text: str) -> list[Key] | str:
    """The keys of a file, or what is wrong with it."""
    try:
        return parse_keys(text)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (f'key "one.key" {{\n    algorithm hmac-sha256;\n    secret "{SECRET}";\n}};\n', [KEY]),
        (f"key ONE.key. {{\n    secret {SECRET}\n}}\n", [KEY]),
        (f'# BIND\nkey one.key{{secret "{SECRET}";algorithm x;}};// end\n/* not\nthis */key a {{ secret AAAA; }};',
         [KEY, Key(b"\1a\0", bytes(3))]),
        ("key a { algorithm HMAC-SHA512.; secret AAAA; };",
         [Key(b"\1a\0", bytes(3), w.encode_name("hmac-sha512"))]),
        ("key a { algorithm hmac-md5; secret AAAA; };", [Key(b"\1a\0", bytes(3))]),
        ('zone "a" { };', "line 1 has something that is no key"),
        ("key\n", "line 2 ends before the name of a key"),
        ("key {", "line 1 has '{' in place of the name of a key"),
        ("key a {\nalgorithm;\nsecret AAAA;\n}", "line 2 has ';' in place of an algorithm"),
        ("key a {\nsecret };", "line 2 has '}' in place of a secret"),
        ("key a..b {", "line 1 has a name of a key that is no domain name"),
        ("key a secret AAAA;", "line 1 has a key without a block"),
        ("key a {\n};", "line 2 has the key a. without a secret"),
        ("key a {\nsecret AAAA;\n", "line 3 ends before the end of a key"),
        ("key a {\ncolour red;\n};", "line 2 has a key with more than an algorithm and a secret"),
        ("key a {\nsecret A!;\n};", "line 2 is wrong: the secret is not written in base 64"),
        ("key a {\nsecret AAAA;\n}; key A. {\nsecret AAAA;\n};", "line 5 has the key a. twice"),
        ('key "a', "line 1 has a quote that does not end"),
    ],
)  # fmt: skip
def test_files(text: str, expected: list[Key] | str) -> None:
    assert read(text) == expected


@given(st.text(alphabet='key secret{};"\n/*#A=', max_size=60))
def test_any_text_is_keys_or_an_error(text: str) -> None:
    found = read(text)
    assert found.startswith("line ") if isinstance(found, str) else all(key.name and key.secret for key in found)


def test_keys_of_a_file_and_of_the_corefile(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f'key one.key {{ secret "{SECRET}"; }};')
    assert parse(f"tsig {{\nsecrets {path}\n}}").tsig_key(KEY.name) == KEY
    with pytest.raises(ConfigError, match=r"Corefile:3:1: key 'one\.key\.' is defined twice"):
        parse(f"tsig {{\nsecret one.key AAAA\nsecrets {path}\n}}")
    path.write_text("key one.key { };")
    with pytest.raises(ConfigError, match=r"Corefile:2:9: '.*' line 1 has the key one\.key\. without a secret"):
        parse(f"tsig {{\nsecrets {path}\n}}")


# --- queries ---


class Server:
    """The plugin in front of one that answers all, on a clock that stands still."""

    def __init__(self, text: str = "") -> None:
        self.plugin = parse(f"tsig {{\nsecret one.key {SECRET}\n{text}\n}}")
        self.clock = self.plugin.clock = FakeClock()
        self.plugin.next = self.answer
        self.plugin.configure(Site([]))
        self.plugin.start()
        self.seen: list[Query] = []

    def answer(self, query: Query) -> Outcome:
        self.seen.append(query)
        return Reply.build(query, flags=w.AA)

    def query(self, name: str = "www.example.org", key: Key | None = KEY, **how: object) -> Query:
        wire = message(name, **how)  # type: ignore[arg-type]  # whatever a test says
        if key is not None:
            wire = Signer(key, HMAC_SHA256, self.clock.wall).sign(wire)
        return Query(wire, Endpoint("udp", "dns://:53"), b"")

    def ask(self, query: Query) -> str:
        """The rcode, and what the signature of the reply says."""
        reply = self.plugin.serve(query)
        assert isinstance(reply, Reply)
        if query.signed is None or query.signed.seal is None:
            return codes.rcode_name(reply.rcode)
        signature = find(query.signed.seal.sign(reply.wire))
        assert signature is not None
        return f"{codes.rcode_name(reply.rcode)} {signature.error} {'signed' if signature.mac else 'unsigned'}"


def test_plugins_behind_see_neither_signature_nor_whoever_has_none() -> None:
    server = Server("require all")
    assert server.ask(server.query(edns=1232)) == "NOERROR 0 signed"
    assert server.seen[0].wire == message("www.example.org", edns=1232)
    assert server.seen[0].signed is not None
    assert server.seen[0].signed.key == KEY.name
    assert server.ask(server.query(key=None)) == "REFUSED"
    assert server.ask(server.query(key=TWO)) == "NOTAUTH 17 unsigned"
    assert server.ask(server.query(key=Key(KEY.name, b"x"))) == "NOTAUTH 16 unsigned"
    assert len(server.seen) == 1


def test_what_has_to_be_signed() -> None:
    server = Server("require MX\nrequire_opcode NOTIFY")
    assert server.ask(server.query(key=None)) == "NOERROR"
    assert server.ask(server.query(key=None, qtype="MX")) == "REFUSED"
    assert server.ask(server.query(key=None, qtype="SOA", flags=codes.NOTIFY << 11)) == "REFUSED"
    assert server.ask(server.query(qtype="SOA", flags=codes.NOTIFY << 11)) == "NOERROR 0 signed"
    assert server.ask(server.query("www.example.net", key=None, qtype="MX")) == "NOERROR"


def test_other_zones_are_not_looked_at() -> None:
    server = Server("require all")
    query = server.query("www.example.net", TWO)
    assert server.ask(query) == "NOERROR"
    assert server.seen == [query]


def test_clocks_that_differ() -> None:
    server = Server()
    query = server.query()
    server.clock.advance(301)
    assert server.ask(query) == "NOTAUTH 18 signed"
    assert server.seen == []


def test_a_signature_that_is_no_signature_is_malformed() -> None:
    server = Server()
    query = server.query()
    assert query.signed is not None
    assert server.ask(Query(w.with_additional(query.wire, w.opt_record(1232)), query.endpoint, b"")) == "FORMERR"
    assert server.seen == []


def test_a_plugin_in_front_may_ask_again_but_not_past_a_wrong_signature() -> None:
    server = Server("require all")
    for key, expected in (KEY, "NOERROR 0 signed"), (TWO, "NOTAUTH 17 unsigned"):
        query = server.query(key=key)
        for other in query, query.with_wire(message("other.example.org")):
            assert server.ask(other) == expected


def test_what_is_known_of_the_key() -> None:
    server = Server()
    query = server.query()
    query.metadata = {}
    server.ask(query)
    assert query.metadata == {"tsig/key": "one.key."}
    notes: list[str] = []
    server.plugin.note = lambda _query, text, _at=None, /: notes.append(text)
    server.ask(server.query(key=TWO))
    server.plugin.every = True
    server.ask(make_query())
    assert notes == ["signature rejected: BADKEY", "refused, since it is not signed"]


@given(st.binary(max_size=100))
def test_whatever_is_in_a_tsig_record_there_is_a_reply(data: bytes) -> None:
    server = Server()
    record = KEY.name + w.RECORD.pack(codes.TSIG, 255, 0, len(data)) + data
    query = Query(w.with_additional(message("www.example.org"), record), Endpoint("udp", ""), b"")
    assert server.ask(query) in ("FORMERR", "NOTAUTH 16 unsigned")


# --- in a server ---

ZONE = "$TTL 60\n@ SOA ns root 1 3600 3600 3600 5\n@ NS ns\nns A 192.0.2.1\n"


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Running:
    """A zone of which a transfer takes several messages, and another block that has the key."""
    rows = "".join(f"h{number} TXT {'x' * 200}\nbig TXT {number}\n" for number in range(900))
    (tmp_path / "db").write_text(ZONE + rows)
    return serve(f"""example.org {{
        tsig {{
            secret two.key c2VjcmV0LW51bWJlci10d28tZm9yLXRlc3RzLW9ubHk=
            require all
        }}
        file {tmp_path}/db
        transfer {{
            to *
        }}
    }}
    example.net {{
        tsig {{
            secret one.key {SECRET}
        }}
        whoami
    }}""")


def test_every_message_of_a_transfer_is_signed(served: Running) -> None:
    made = Signer(KEY, HMAC_SHA256, served.clock.wall)
    query = made.sign(message("example.org", "AXFR"))
    check = Verifier(KEY, HMAC_SHA256, served.clock.wall, made.mac)
    with served.client("tcp") as client:
        client.send(frame(query))
        messages, names = 0, 0
        while names < 1800 + 4:
            messages += 1
            names += int.from_bytes(check.take(client.receive().wire)[6:8], "big")
    assert messages == 4
    assert check.complete


def test_failures_and_refusals_are_signed_too(served: Running) -> None:
    for name, rcode in ("no.example.org", codes.NXDOMAIN), ("example.org", codes.REFUSED):
        made = Signer(KEY, HMAC_SHA256, served.clock.wall)
        query = made.sign(message(name, "AXFR" if rcode == codes.REFUSED else "A"))
        with Client("127.0.0.1", served.port) as client:
            client.send(query)
            reply = Verifier(KEY, HMAC_SHA256, served.clock.wall, made.mac).take(client.receive().wire)
        assert reply[3] & w.RCODE == rcode


@pytest.mark.parametrize("tool", ["kdig", "dig"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([f"hmac-sha256:one.key:{SECRET}", "www.example.org"], "status: NXDOMAIN"),
        ([f"hmac-sha1:one.key:{SECRET}", "ns.example.org", "+tcp", "+noedns"], "status: NOERROR"),
        ([f"hmac-sha512:one.key:{SECRET}", "big.example.org", "TXT", "+bufsize=512", "+ignore"], "lags: qr aa tc"),
        ([f"hmac-sha384:one.key:{SECRET}", "AXFR", "example.org"], "h899.example.org."),
        ([f"hmac-sha224:one.key:{SECRET}", "IXFR=1", "example.org"], "SOA"),
        ([f"hmac-sha256:two.key:{SECRET}", "www.example.org"], "BADSIG"),
        ([f"hmac-sha256:six.key:{SECRET}", "www.example.org"], "BADKEY"),
    ],
    ids=["NXDOMAIN", "tcp", "small", "AXFR", "IXFR", "BADSIG", "BADKEY"],
)
def test_dig_believes_the_replies(served: Running, tool: str, options: list[str], expected: str) -> None:
    key, *rest = options
    command = [program(tool), "@127.0.0.1", "-p", str(served.port), "-y", key, "+norec", *rest]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - see above
    said = done.stdout + done.stderr
    assert expected in said
    wrong = ("verify", "bad TSIG", "invalid", "Transfer failed", "WARNING", "failed")
    assert expected.startswith("BAD") or not any(word in said for word in wrong), said
