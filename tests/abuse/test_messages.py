"""Messages that are made to hurt: whoever sends them gets an error or silence, and everybody else an answer at once.

The list of what goes wrong in parsers of DNS records is RFC 9267's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.testing import Client, FakeUpstreams, Running, message

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
PLENTY = 60
"""TXT records of the large name: 15 KiB."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with what looks at messages most: a zone, a cache, rewriting, a template, an upstream."""
    folder = tmp_path_factory.mktemp("zones")
    large = "".join(f'large IN TXT "{number:03d}{"x" * 240}"\n' for number in range(PLENTY))
    (folder / "zone").write_text(f"$ORIGIN zone.example.\n@ 60 IN SOA ns admin 1 2 3 4 5\n@ IN NS ns\n{large}")
    with FakeUpstreams() as upstreams:
        upstreams["192.0.2.53"].answer("there.example. 60 IN A 192.0.2.7")
        with Running(corefile(folder)) as server:
            yield server


def corefile(folder: Path) -> str:
    return (
        f"zone.example {{\n file {folder}/zone\n transfer {{\n to 192.0.2.9\n }}\n}}\n"
        ". {\n cache 30\n rewrite stop name regex (.*)\\.rewritten\\.example {1}.example answer auto\n"
        ' template IN A made.example {\n answer "{{ .Name }} 60 IN A 192.0.2.8"\n }\n'
        " forward . 192.0.2.53\n}\n"
    )


HEAD = message()[:12]
QUESTION = message()[12:]
ADDITIONAL = w.HEADER.pack(0x1234, w.RD, 1, 0, 0, 1) + QUESTION
POINTER_TO_ITSELF = b"\xc0\x0c"


def head(questions: int = 1, answers: int = 0, authority: int = 0, additional: int = 0, flags: int = w.RD) -> bytes:
    return w.HEADER.pack(0x1234, flags, questions, answers, authority, additional)


HURTFUL = {
    # Section counts: what they promise is not there.
    "a bomb of answers": head(1, 65535, 65535, 65535) + QUESTION,
    "a bomb of questions": head(65535) + QUESTION,
    "a bomb of both": head(65535, 65535, 65535, 65535) + QUESTION * 40,
    "no question": head(0),
    "two questions": head(2) + QUESTION * 2,
    # Names (RFC 9267 2, 3).
    "a pointer to itself": head() + POINTER_TO_ITSELF + b"\0\1\0\1",
    "two pointers in a circle": head() + b"\xc0\x0e\xc0\x0c\0\1\0\1",
    "a pointer forward": head() + b"\xc0\x20\0\1\0\1" + bytes(32),
    "a pointer behind the end": head() + b"\xff\xff\0\1\0\1",
    "half of a pointer": head() + b"\xc0",
    "a label longer than the message": head() + b"\x3fabc",
    "a label of 64 octets": head() + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
    "a label type that nobody has": head() + b"\x80\0\0\1\0\1",
    "a name without its end": head() + b"\1a\1b\1c",
    "a name of 256 octets": head() + (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0\0\1\0\1",
    "a name of 60,000 octets": head() + (b"\x3f" + b"a" * 63) * 940 + b"\0\0\1\0\1",
    "200 labels": head() + b"\1a" * 200 + b"\0\0\1\0\1",
    # Records (RFC 9267 4, 5, 6).
    "a record without type": ADDITIONAL + b"\0",
    "data that ends behind the message": ADDITIONAL + b"\0\0\x29\4\xd0\0\0\0\0\xff\xff",
    "an option that ends behind its record": ADDITIONAL + b"\0\0\x29\4\xd0\0\0\0\0\0\4\0\3\xff\xff",
    "half of an option": ADDITIONAL + b"\0\0\x29\4\xd0\0\0\0\0\0\2\0\3",
    "the owner of OPT in a circle": ADDITIONAL + bytes((0xC0, len(ADDITIONAL))) + b"\0\x29\4\xd0\0\0\0\0\0\0",
    "two OPT records": head(additional=2) + QUESTION + w.opt_record(1232, 0, 0, b"") * 2,
    "an OPT that has a name": ADDITIONAL + b"\1a\0\0\x29\4\xd0\0\0\0\0\0\0",
    # Types and classes.
    "type 65535": message(qtype="TYPE65535"),
    "type 0": message(qtype="TYPE0"),
    "a question for OPT": message(qtype="TYPE41"),
    "a question for TSIG": message(qtype="TYPE250"),
    "class 0": message(qclass=0),
    "class 65535": message(qclass=65535),
    "128 labels": head() + b"\1a" * 127 + b"\0\0\1\0\1",
    "any octets in a name": head() + b"\x10" + bytes(range(16)) + b"\0\0\1\0\1",
}
"""Messages, which end as they end."""


@BOTH
@pytest.mark.parametrize("what", HURTFUL)
def test_nobody_else_feels_it(running: Running, what: str, transport: str) -> None:
    wire = HURTFUL[what]
    with running.client(transport) as client, running.client() as bystander:
        started = time.monotonic()
        for _ in range(5):
            client.send_message(wire)
        assert bystander.ask("made.example.").rcode == codes.NOERROR
        for _ in range(5):
            client.send_message(message("made.example.", message_id=4711))
        while (reply := client.receive()).wire[:2] != b"\x12\x67":
            assert reply.flags & w.QR
            assert len(reply.wire) <= 512 or transport == "tcp"
        assert time.monotonic() - started < 5, "a machine that is busy included"


@BOTH
def test_what_is_a_response_is_never_answered(running: Running, transport: str) -> None:
    with running.client(transport) as client:
        for opcode in range(16):
            client.send_message(message(flags=w.QR | opcode << 11))
            client.send_message(HURTFUL["a bomb of answers"][:2] + b"\x80" + HURTFUL["a bomb of answers"][3:])
        assert client.ask("made.example.", message_id=4711).wire[:2] == b"\x12\x67"


@BOTH
def test_dynamic_updates_and_what_nobody_knows_go_nowhere(transport: str) -> None:
    with FakeUpstreams() as upstreams, Running(". {\n forward . 192.0.2.53\n}\n") as running:
        far = upstreams["192.0.2.53"].answer("example.org. 60 IN A 192.0.2.7")
        with running.client(transport) as client:
            for opcode in (1, 2, 3, 5, 6, 7, 15):  # IQUERY, STATUS, UPDATE, DSO and some that are unassigned
                client.send_message(message(flags=opcode << 11))
                assert client.receive().rcode == codes.NOTIMP
            assert running.call(lambda: far.asked) == []
            assert client.ask().rcode == codes.NOERROR
        assert len(running.call(lambda: far.asked)) == 1


# --- amplification ---


@given(
    size=st.one_of(st.none(), st.integers(0, 65535)),
    qtype=st.sampled_from(["TXT", "ANY", "AXFR", "IXFR", "SOA", "RRSIG", "TYPE65535"]),
    do=st.booleans(),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_datagram_is_never_larger_than_the_client_takes(
    running: Running, size: int | None, qtype: str, *, do: bool
) -> None:
    reply = running.ask("large.zone.example.", qtype, edns=size, do=do)
    assert len(reply.wire) <= max(512, size or 0)
    if qtype == "TXT" and max(512, size or 0) < PLENTY * 240:
        assert reply.flags & w.TC


def test_errors_are_no_larger_than_what_they_answer(running: Running) -> None:
    with running.client() as client:
        for wire in HURTFUL.values():
            client.send(wire)
            client.send(message("made.example.", message_id=4711))
            while (reply := client.receive()).wire[:2] != b"\x12\x67":
                assert len(reply.wire) <= max(len(wire), 12) or reply.rcode == codes.NOERROR


# --- what a name says ---


def test_names_forge_no_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    evil = b"\x1a\r\n[INFO] \x1b[2J forged \xe2\x80\xa8x\0"
    evil = bytes((len(evil) - 2,)) + evil[1:]
    wire = head() + evil + QUESTION[-4:]
    with Running(". {\n log\n errors\n erratic {\n drop 0\n }\n}\n") as running, running.client() as client:
        client.send(wire)
        assert client.receive()
        capsys.readouterr()
        client.send(wire)
        assert client.receive()
        running.stop()
    said = capsys.readouterr().out
    assert "forged" in said
    assert all(line.isprintable() and line.startswith("[INFO]") for line in said.splitlines())
    assert len([line for line in said.splitlines() if "forged" in line]) == 1


# --- expressions ---

BLOW_UP = (r"^(a+)+$", r"(a|aa)+b", r"(.*a){20}", r"^([a-z]+)*\.$")


@pytest.mark.parametrize("pattern", BLOW_UP)
@pytest.mark.parametrize(
    "line",
    [
        "rewrite name regex {pattern} x.example",
        'template IN A {{\n match "{pattern}"\n answer "x. 60 IN A 192.0.2.1"\n fallthrough\n }}',
    ],
)
def test_no_expression_takes_its_time(line: str, pattern: str) -> None:
    labels = ".".join(["a" * 63, "a" * 63, "a" * 63, "a" * 59 + "!"]) + "."
    text = f". {{\n {line.format(pattern=pattern)}\n whoami\n}}\n"
    with Running(text) as running, running.client() as client:
        started = time.monotonic()
        for _ in range(20):
            assert client.ask(labels).rcode in (codes.NOERROR, codes.NXDOMAIN)
        assert time.monotonic() - started < 2


def test_view_takes_no_time_either() -> None:
    text = ". {\n view v {\n expr name() matches '^(a+)+$'\n }\n whoami\n}\n. {\n whoami\n}\n"
    with Running(text) as running, running.client() as client:
        started = time.monotonic()
        for _ in range(20):
            assert client.ask("a" * 62 + "!.").rcode == codes.NOERROR
        assert time.monotonic() - started < 2


# --- any octets ---


def _mutated() -> st.SearchStrategy[bytes]:
    seeds = st.sampled_from([*HURTFUL.values(), message(edns=1232), message("large.zone.example.", "ANY", edns=4096)])
    cuts = st.tuples(seeds, st.integers(0, 300), st.integers(0, 300), st.binary(max_size=12))
    return cuts.map(lambda cut: (cut[0][: cut[1]] + cut[3] + cut[0][cut[2] :])[:65000])


@given(wires=st.lists(_mutated(), max_size=8))
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_leave_the_server_alive(running: Running, wires: list[bytes]) -> None:
    with Client("127.0.0.1", running.port) as client:
        for wire in wires:
            client.send(wire)
        client.send(message("made.example.", message_id=4711))
        while client.receive().wire[:2] != b"\x12\x67":
            pass
