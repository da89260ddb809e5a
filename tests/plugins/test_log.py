"""log: which queries are written, and what their lines say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyClass
from corepy.corefile import directives
from corepy.deferred import Deferred, settle
from corepy.errors import ConfigError, Failure
from corepy.log import Log
from corepy.plugins.log import QueryLog
from corepy.plugins.log.format import COMBINED, COMMON, Format
from corepy.plugins.log.log import Rule
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.testing import FakeClock, make_query

ORG, NET, ROOT = b"\7example\3org\0", b"\7example\3net\0", b"\0"
DENIAL, ERROR = ReplyClass.DENIAL, ReplyClass.ERROR
CLASSES = "expected one of all, success, denial, error"


def parse(text: str) -> QueryLog:
    lines = directives(text)
    [plugin] = QueryLog.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


def ready(plugin: QueryLog, answer: Callable[[Query], Outcome]) -> tuple[QueryLog, FakeClock]:
    """The plugin as the core would set it up, in front of `answer`."""
    clock = FakeClock()
    plugin.clock, plugin.log, plugin.next = clock, Log("plugin/log: "), answer
    return plugin, clock


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log", [Rule()]),
        ("log {\n}", [Rule()]),
        ("log example.org", [Rule(ORG)]),
        ("log EXAMPLE.Org.", [Rule(ORG)]),
        ("log example.org example.net", [Rule(ORG), Rule(NET)]),
        ('log example.org example.net "{name}"', [Rule(ORG, Format("{name}")), Rule(NET, Format("{name}"))]),
        ('log . "{common}"', [Rule()]),
        ('log . "{combined} x"', [Rule(ROOT, Format(COMMON + ' "{>opcode}" x'))]),
        ('log "{type}"', [Rule(b"\6{type}\0")]),
        ("log example.org name", [Rule(ORG), Rule(b"\4name\0")]),
        ("log example.org\nlog", [Rule(ORG), Rule()]),
        ("log {\nclass denial\n}", [Rule(classes=frozenset([DENIAL]))]),
        ("log . {\nclass error denial\nclass error\n}", [Rule(classes=frozenset([DENIAL, ERROR]))]),
        ("log . {\nclass denial\nclass all\n}", [Rule()]),
        ("log {\nclass error\n}\nlog", [Rule(classes=frozenset([ERROR])), Rule()]),
        ("log {\nclass\n}", "plugin/log: Corefile:2:1: 'class' lacks an argument, expected a class"),
        ("log {\nclass success failure\n}", f"plugin/log: Corefile:2:15: invalid argument 'failure', {CLASSES}"),
        ("log {\nclasses all\n}", "plugin/log: Corefile:2:1: unknown option 'classes', expected class"),
        ("log . a..b", "plugin/log: Corefile:1:7: 'a..b' has an empty label, expected a domain name"),
    ],
)
def test_lines(text: str, expected: list[Rule] | str) -> None:
    try:
        result: object = parse(text).rules
    except ConfigError as error:
        result = str(error)
    assert result == expected


def test_a_format_that_is_taken_for_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(parse('log "{name}"\nlog . "{type}"'), Reply.refused)
    plugin.start()
    assert capsys.readouterr().out.splitlines() == [
        '[WARNING] plugin/log: a single argument is a name and not a format: log . "{name}" would write every query so'
    ]


def test_json_lines_have_the_query_as_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Log, "structured", True)
    plugin = parse('log . "{name}"')
    plugin.clock = clock = FakeClock()

    def answer(query: Query) -> Outcome:
        clock.advance(0.25)
        return Reply(b"") if query.name == "silent." else Reply.refused(query)

    plugin.next = answer
    plugin.serve(make_query("Example.org.", "AAAA", client="2001:db8::7"))
    plugin.serve(make_query("silent."))
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["level"], first["plugin"], first["msg"]) == ("INFO", "log", "example.org.")
    assert first["fields"] == {
        "client_ip": "2001:db8::7", "client_port": 4242, "proto": "udp", "id": 4660, "qname": "example.org.",
        "qtype": "AAAA", "qclass": "IN", "rcode": "REFUSED", "request_size": 29, "response_size": 29,
        "duration_seconds": 0.25,
    }  # fmt: skip
    assert second["fields"]["rcode"] is None


# --- formats ---


def answer(query: Query) -> Reply:
    """An A record, a compressed name, flags."""
    body = b"\xc0\x0c" + w.RECORD.pack(codes.A, codes.IN, 60, 4) + b"\xc0\0\2\1"
    return Reply.build(query, flags=w.AA | w.RA | w.AD, counts=(1, 0, 0), body=body)


QUERY = make_query("Www.Example.org", "AAAA")
V6 = make_query("org", "TYPE65280", client="2001:db8::1", transport="tcp", flags=w.CD, edns=1400, do=True)


@pytest.mark.parametrize(
    ("text", "expected", "expected_v6"),
    [
        ("{type}", "AAAA", "TYPE65280"),
        ("{name}", "www.example.org.", "org."),
        ("{class}", "IN", "IN"),
        ("{proto}", "udp", "tcp"),
        ("{remote}", "192.0.2.1", "[2001:db8::1]"),
        ("{port}", "4242", "4242"),
        ("{local}", "192.0.2.53", "192.0.2.53"),
        ("{size}", "33", "32"),
        ("{>id}", "4660", "4660"),
        ("{>opcode}", "0", "0"),
        ("{>do}", "false", "true"),
        ("{>bufsize}", "512", "65535"),
        ("{rcode}", "NOERROR", "NOERROR"),
        ("{rsize}", "64", "40"),
        ("{>rflags}", "qr,aa,rd,ra,ad", "qr,aa,ra,ad,cd"),
        ("{duration}", "0.00025s", "0.00025s"),
        ("{/foo/bar}", "-", "-"),
        ("{/}", "-", "-"),
        ("{unknown} {>ID} {} {>nothing}", "{unknown} {>ID} {} {>nothing}", "{unknown} {>ID} {} {>nothing}"),
        ("{ {type} } } {", "{ AAAA } } {", "{ TYPE65280 } } {"),
        ("{x{type}y}{type}", "{xAAAAy}AAAA", "{xTYPE65280y}TYPE65280"),
        ("100% %s {type}", "100% %s AAAA", "100% %s TYPE65280"),
        ("plain", "plain", "plain"),
        (
            COMMON,
            '192.0.2.1:4242 - 4660 "AAAA IN www.example.org. udp 33 false 512" NOERROR qr,aa,rd,ra,ad 64 0.00025s',
            '[2001:db8::1]:4242 - 4660 "TYPE65280 IN org. tcp 32 true 65535" NOERROR qr,aa,ra,ad,cd 40 0.00025s',
        ),
        ("{combined}", None, None),
    ],
)
def test_placeholders(text: str, expected: str | None, expected_v6: str | None) -> None:
    for query, line in ((QUERY, expected), (V6, expected_v6)):
        full = Format(COMMON).line(query, answer(query), 0.00025) + ' "0"'
        assert Format(text).line(query, answer(query), 0.00025) == (full if line is None else line)


def test_types_and_rcodes_have_the_names_of_corednss_logs() -> None:
    reply = Reply(w.with_additional(Reply.build(QUERY).wire, w.opt_record(1232, codes.BADVERS >> 4)))
    names = (("{type}", "TYPE0", "None"), ("{type}", "TYPE65535", "Reserved"), ("{rcode}", "A", "BADSIG"))
    for text, qtype, expected in names:
        assert Format(text).line(make_query("a", qtype), reply, 0) == expected


def test_the_common_format_is_what_its_fields_say() -> None:
    for query in (QUERY, V6):
        for reply in (answer(query), Reply.refused(query), Reply.SILENCE):
            assert Format(COMMON).line(query, reply, 0.00025) + "." == Format(COMMON + ".").line(query, reply, 0.00025)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (1, "1s"), (10, "10s"), (0.1, "0.1s"), (1e-9, "0.000000001s"), (2.5, "2.5s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert Format("{duration}").line(QUERY, Reply.refused(QUERY), seconds) == text


def test_formats_are_equal_by_what_they_say() -> None:
    assert Format("{combined}") == Format(COMBINED)
    assert hash(Format("{combined}")) == hash(Format(COMBINED))
    assert Format("{name}") != Format("{type}")
    assert Format("{name}") != "{name}"
    assert repr(Format("{name}")) == "Format('{name}')"


def test_silence_has_neither_rcode_nor_flags() -> None:
    assert Format("{rcode} {>rflags} {rsize}").line(QUERY, Reply.SILENCE, 0) == "- - 0"


def test_an_extended_rcode() -> None:
    reply = Reply(w.with_additional(Reply.failed(QUERY, 7).wire, w.opt_record(1232, 1)))
    assert Format("{rcode}").line(QUERY, reply, 0) == "BADCOOKIE"


def test_tc_where_the_reply_is_going_to_be_truncated() -> None:
    record = b"\xc0\x0c" + w.RECORD.pack(codes.TXT, codes.IN, 60, 300) + bytes(300)
    for query, flags in ((QUERY, "qr,tc,rd"), (make_query(edns=1232), "qr,rd"), (make_query(transport="tcp"), "qr,rd")):
        reply = Reply.build(query, counts=(2, 0, 0), body=record * 2)
        assert Format("{>rflags}").line(query, reply, 0) == flags


def test_a_reply_that_is_no_message_is_logged_too() -> None:
    garbled = Reply(Reply.refused(QUERY).wire[:6] + b"\0\1\0\0\0\0\7exam")
    assert Format("{rcode} {rsize}").line(QUERY, garbled, 0) == "REFUSED 17"


# --- which queries ---


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_first_line_with_the_name_counts(capsys: pytest.CaptureFixture[str]) -> None:
    text = 'log b.org "b {name}"\nlog org NET. "other {name}"\nlog a.b.org "a {name}"'
    plugin, _ = ready(parse(text), Reply.refused)
    for name in ("x.a.b.org", "b.org", "ab.org", "Www.Net", "xnet", "com", "."):
        plugin.serve(make_query(name))
    assert lines(capsys) == ["[INFO] b x.a.b.org.", "[INFO] b b.org.", "[INFO] other ab.org.", "[INFO] other www.net."]


def test_the_first_line_counts_even_if_its_class_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(parse('log org "a {name}" {\nclass success\n}\nlog . "b {name}"'), Reply.refused)
    plugin.serve(make_query("a.org"))
    plugin.serve(make_query("a.net"))
    assert lines(capsys) == ["[INFO] b a.net."]


@pytest.mark.parametrize(
    ("classes", "written"),
    [
        ("success", ["NOERROR"]),
        ("denial", ["NXDOMAIN"]),
        ("error", ["REFUSED", "-"]),
        ("error success", ["NOERROR", "REFUSED", "-"]),
        ("denial all", ["NOERROR", "NXDOMAIN", "REFUSED", "-"]),
    ],
)
def test_classes(classes: str, written: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(parse(f'log . "{{rcode}}" {{\nclass {classes}\n}}'), Reply.refused)
    replies = [answer(QUERY), Reply.failed(QUERY, codes.NXDOMAIN), Reply.refused(QUERY), Reply.SILENCE]
    for reply in replies:
        plugin.next = lambda _, reply=reply: reply  # type: ignore[misc]  # one for each round
        assert plugin.serve(QUERY) is reply
    assert lines(capsys) == [f"[INFO] {each}" for each in written]


def test_a_reply_that_comes_later(capsys: pytest.CaptureFixture[str]) -> None:
    waiting, reply = Deferred(), Reply.refused(QUERY)
    plugin, clock = ready(parse('log . "{rcode} {duration}"'), lambda _: waiting)
    assert plugin.serve(QUERY) is waiting
    clock.advance(1.5)
    assert lines(capsys) == []
    waiting.settle(reply)
    assert waiting.result is reply
    assert lines(capsys) == ["[INFO] REFUSED 1.5s"]


def test_the_reply_of_a_coroutine(capsys: pytest.CaptureFixture[str]) -> None:
    async def later() -> Reply:
        await asyncio.sleep(0)
        return Reply.refused(QUERY)

    async def main() -> Reply:
        plugin, _ = ready(parse('log . "{rcode}"'), lambda _: later())
        return await settle(plugin.serve(QUERY))

    assert asyncio.run(main()).rcode == codes.REFUSED
    assert lines(capsys) == ["[INFO] REFUSED"]


FAILED = Failure("broken", rcode=codes.REFUSED)


@pytest.mark.parametrize(("error", "rcode"), [(FAILED, "REFUSED"), (ZeroDivisionError("a bug"), "SERVFAIL")])
def test_a_failure_goes_on(error: Exception, rcode: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_query: Query) -> Outcome:
        raise error

    plugin, _ = ready(parse('log . "{rcode} {>rflags} {size} {rsize}" {\nclass error\n}'), fail)
    with pytest.raises(type(error)) as caught:
        plugin.serve(QUERY)
    assert caught.value is error
    assert lines(capsys) == [f"[INFO] {rcode} qr,rd 33 33"]


def test_a_failure_that_comes_later(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = Deferred()
    plugin, _ = ready(parse('log . "{rcode}"'), lambda _: waiting)
    plugin.serve(QUERY)
    waiting.settle(FAILED)
    assert waiting.result is FAILED
    assert lines(capsys) == ["[INFO] REFUSED"]


def test_nobody_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    plugin, _ = ready(parse('log . "{name} {type}"'), Reply.refused)
    plugin.serve(make_query(r"a\010[ERROR]\032b\".\255\{rcode}%s.org"))
    assert lines(capsys) == [r"[INFO] a\010[error]\ b\".\255{rcode}%s.org. A"]


def test_nobody_asks_for_the_time_unless_it_is_written() -> None:
    def now() -> float:
        raise AssertionError

    plugin, clock = ready(parse('log . "{name}"'), Reply.refused)
    clock.now = now  # type: ignore[method-assign]
    plugin.serve(QUERY)
