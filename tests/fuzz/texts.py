"""Files and texts that people write, and bodies that others send."""

from __future__ import annotations

import functools
import tempfile
from contextlib import suppress
from pathlib import Path

from corepy import codes, expression
from corepy import wire as w
from corepy.errors import ConfigError
from corepy.exprlang import EvaluationError, ExpressionError, compile_expression
from corepy.gotemplate import TemplateError, compile_template
from corepy.grpcmessage import pack, unpack
from corepy.httpmessage import MAX_BODY, BadRequest, parse
from corepy.plugins.hosts import table
from corepy.queryexpr import FUNCTIONS
from corepy.records import parse_record
from corepy.report import FORMATS
from corepy.source import Source
from corepy.testing import message
from corepy.validate import validate
from corepy.zone.file import load
from tests.fuzz.server import ASKED, MESSAGES, REPLIES, ZONE
from tests.fuzz.target import target
from tests.fuzz.transport import STREAM


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


@target(
    ZONE.encode(), b"$GENERATE 1-3/2 a${0,3,d} A 192.0.2.$\n@ SOA . . 1 2 3 4 5\n", b"$INCLUDE zone\n",
    b'@ 1h IN SOA a b (\n1 2 ; x\n3 4 5 )\nx TYPE65280 \\# 4 01020304\n\\120 TXT "\\""\nl LOC 1 2 3 N 1 2 3 E 1m\n'
    b"k DNSKEY 257 3 13 AAAA\nr RRSIG A 13 2 60 20300101000000 20200101000000 1 . AAAA\nz NSEC a A TYPE1000\n",
)  # fmt: skip
def zonefiles(data: bytes) -> None:
    """A zone file."""
    path = _folder() / "zone"
    path.write_bytes(data)
    with suppress(ConfigError, OSError):
        load(path, w.encode_name("zone.example"))


@target(b"192.0.2.7 www.example.org a # x\n2001:db8::1 b\n::ffff:192.0.2.8 c\n", b"fe80::1%lo d\n\t1.2.3.4\te\r\n")
def hostsfiles(data: bytes) -> None:
    """A hosts file."""
    found = table.parse(data, [b"\0"], ttl=60)
    for rtype in (codes.A, codes.AAAA):
        for key, records in found._names[rtype].items():
            assert table.count(records) >= 1
            assert len(table.under_name(records, key, 30)) >= len(key)


@target(
    MESSAGES.encode(), REPLIES.encode(), STREAM.encode(), b"(a) {\n import b\n}\n. {\n import a {$HOME} {%X%}\n}\n",
    b'a:53 b:54 {\n log . "{remote} {>id}" {\n class all\n }\n dns64 64:ff9b::/96\n}\n',
    b". {\n view x {\n expr name() == 'a.'\n }\n tls a b\n forward . tls://192.0.2.1%x {\n expire 5s\n }\n}\n",
    b"example.org 10.0.0.0/24 {\n bind 127.0.0.1\n rewrite cname regex (.*)a {1}b\n multisocket 2\n reload 3s 2s\n}\n",
)
def corefiles(data: bytes) -> None:
    """A Corefile, up to the objects that would serve it."""
    findings = validate(Source(None, "Corefile", data))
    for write in FORMATS.values():
        write(findings)


@target(
    b"GET /metrics?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.0\nContent-Length: 3\n\nabc",
)
def requests(data: bytes) -> None:
    """An HTTP request."""
    try:
        parsed = parse(data)
    except BadRequest:
        return
    assert parsed is None or 0 < parsed.end <= len(data) + MAX_BODY
    if parsed is not None:
        parsed.request.number("seconds", 1.0)


@target(
    b"{{ .Name }} 60 IN A {{ index .Match 1 }}", b'{{ range $i, $x := .Match }}{{ printf "%05.2f|%q" $i $x }}{{ end }}',
    b'{{ if and (eq .Type "A") (not .No) }}{{- len .Name | print -}}{{ else }}{{ .Group.first }}{{ end }}',
    b'{{ define "t" }}{{ . }}{{ end }}{{ template "t" .Name }}{{ with $x := 1 }}{{ $x }}{{ end }}{{ slice .Name 1 2 }}',
)
def templates(data: bytes) -> None:
    """A Go template, rendered."""
    with suppress(TemplateError):
        compile_template(data.decode(errors="replace")).render(
            {"Name": "www.example.org.", "Type": "A", "Match": ["a", "b"], "Group": {"first": "x"}, "n": 7}
        )


@target(
    b"name() == 'a.' && incidr(client_ip(), '10.0.0.0/8')", b"map(1..9, {# * 2}) | filter({# > 3}) | len()",
    b"[1, 2.5, nil, true][-1] ?? {'a': 1}.a", b"metadata('a/b') matches '^x+$' ? 1 : 'a' + 'b'",
    b"let x = 1; x ** 2 % 3",
)
def expressions(data: bytes) -> None:
    """An expression of view, rewrite and others, run."""
    try:
        program = compile_expression(data.decode(errors="replace"), FUNCTIONS)
    except ExpressionError:
        return
    with suppress(EvaluationError):
        program.run(ASKED[0])


@target(b"^(a+)+$", b"(?P<x>[a-z]*)\\.(\\d{2,3}|\\pL)", b"(?i)\\Qa.b\\E$")
def patterns(data: bytes) -> None:
    """A regular expression."""
    text = data.decode(errors="replace")
    with suppress(ValueError):
        found = expression.compile(text)
        assert found.search(text) is (found.match(text) is not None)


@target(
    b"a. 60 IN A 192.0.2.1", b'a. 60 IN TXT "x" y', b'a. IN SVCB 1 . alpn="h2,h3" ipv4hint=192.0.2.1 key7="x"',
    b'a. 60 IN NAPTR 1 2 "u" "E2U" "!^.*$!x!" .', b'a. 60 IN CAA 0 issue "x"', b"a. 60 IN TYPE1 \\# 4 01020304",
)
def records(data: bytes) -> None:
    """A record as template and others write it."""
    with suppress(ValueError):
        parse_record(data.decode(errors="replace"))


@target(pack(message()), pack(b""), pack(bytes(300)))
def grpcbodies(data: bytes) -> None:
    """What comes back from an upstream over gRPC."""
    with suppress(ValueError):
        assert unpack(data) in data
