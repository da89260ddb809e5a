"""loop: the probe as a dialogue with ourselves, and a server that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes, upstream
from corepy import wire as w
from corepy.clock import Clock
from corepy.corefile import directives
from corepy.errors import ConfigError, Failure
from corepy.keys import parse_keys
from corepy.plugin import Query, Reply
from corepy.plugins.loop import Loop
from corepy.site import Site
from corepy.testing import FakeClock, make_query
from corepy.upstream import Ask, Options, Target, Waiter
from corepy.words import Word

if TYPE_CHECKING:
    from tests.conftest import Start


class Upstream:
    """Remembers what it is asked."""

    def __init__(self, target: Target, _options: Options, _clock: Clock) -> None:
        self.name = str(target)
        self.asked: list[tuple[bytes, Waiter]] = []
        self.closed = False
        self.over_udp: Ask = self.ask
        self.over_tcp: Ask = self.ask
        made.append(self)

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        self.asked.append((wire, waiter))

    def close(self) -> None:
        self.closed = True


made: list[Upstream] = []


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    made.clear()
    with upstream.replaced(Upstream):
        yield


class Dialogue:
    """A started plugin, its clock, and the probes that it has sent."""

    def __init__(self, *keys: str, hosts: tuple[str, ...] = ("",)) -> None:
        site = Site(parse_keys(Word(key) for key in keys or (".:53",)), hosts=list(hosts))
        self.clock = FakeClock()
        self.plugin = Loop()
        self.plugin.clock, self.plugin.next = self.clock, Reply.failed
        self.plugin.configure(site)
        self.plugin.start()
        self.clock.advance(0)

    @property
    def probes(self) -> list[bytes]:
        return [wire for each in made for wire, _ in each.asked]

    @property
    def waiter(self) -> Waiter:
        return made[-1].asked[-1][1]

    def see(self, wire: bytes) -> None:
        """The probe comes to the plugin."""
        query = make_query().with_wire(wire)
        assert isinstance(self.plugin.serve(query), Reply)

    def answer(self, *, message: bytes = b"") -> bool:
        """The last probe is answered."""
        message = message or self.probes[-1]
        return self.waiter.take(message[:2] + b"\x80\x02" + message[4:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loop", Loop()),
        ("loop x", "1:6: unexpected argument 'x', expected no arguments"),
        ("loop {\n}", "1:6: unexpected '{', expected no block for loop"),
        ("loop\nloop", "2:1: given twice in a server block, first at Corefile:1:1"),
    ],
)
def test_lines(text: str, expected: Loop | str) -> None:
    result: object
    try:
        [result] = Loop.parse_all(directives(text))
    except ConfigError as error:
        result = str(error).removeprefix("plugin/loop: Corefile:")
    assert result == expected


def test_the_probe_is_a_name_that_nobody_can_guess_in_the_first_zone() -> None:
    first, second = Dialogue("Example.ORG:53", "example.net:53"), Dialogue("example.org:53")
    for dialogue in (first, second):
        query = make_query().with_wire(dialogue.probes[0])
        assert query.qtype == codes.TYPES["HINFO"]
        labels = query.name.split(".")
        assert labels[2:] == ["example", "org", ""]
        assert all(int(label) < 1 << 62 for label in labels[:2])
    assert first.probes[0] != second.probes[1]
    assert made[0].name == "127.0.0.1:53"


def test_seen_once_and_answered_there_is_no_loop() -> None:
    dialogue = Dialogue()
    [probe] = dialogue.probes
    dialogue.see(probe)
    assert dialogue.answer()
    for _ in range(5):
        dialogue.see(probe)
    dialogue.clock.advance(60)
    assert dialogue.probes == [probe]


def test_seen_again_the_server_ends(capsys: pytest.CaptureFixture[str]) -> None:
    dialogue = Dialogue("example.org:53", hosts=("192.0.2.53", "192.0.2.54"))
    dialogue.see(dialogue.probes[0])
    with pytest.raises(SystemExit) as caught:
        dialogue.see(dialogue.probes[0])
    assert caught.value.code == 1
    out = capsys.readouterr().out
    assert out.startswith('[ERROR] Loop (192.0.2.1:4242 -> 192.0.2.53:53) detected for zone "example.org.": ')
    assert out.count("\n") == 1


def test_without_an_answer_it_is_tried_again_under_another_name() -> None:
    dialogue = Dialogue()
    for number in range(1, 31):
        assert len(dialogue.probes) == number
        dialogue.see(dialogue.probes[-1])
        dialogue.waiter.failed(Failure("timed out"))
        for probe in dialogue.probes * 2:   # of no interest any more
            dialogue.see(probe)
        dialogue.clock.advance(1)
    assert len(set(dialogue.probes)) == 30
    dialogue.clock.advance(60)
    assert len(dialogue.probes) == 30


def test_an_answer_to_what_was_not_seen_here_counts_for_nothing() -> None:
    dialogue = Dialogue()
    assert not dialogue.answer(message=make_query("other.").wire)
    assert dialogue.answer()   # by the configuration before this one, perhaps
    dialogue.clock.advance(1)
    assert len(dialogue.probes) == 2
    dialogue.see(dialogue.probes[-1])
    assert dialogue.answer()
    dialogue.clock.advance(60)
    assert len(dialogue.probes) == 2


@given(st.lists(st.text("0123456789", min_size=1, max_size=20), min_size=1, max_size=4), st.booleans())
def test_no_client_ends_the_server(labels: list[str], hinfo: bool) -> None:
    made.clear()
    dialogue = Dialogue()
    query = make_query(".".join(labels) + ".", "HINFO" if hinfo else "A")
    for _ in range(5):
        assert isinstance(dialogue.plugin.serve(query), Reply)
    same_name = Query(
        dialogue.probes[0][:-4] + w.QUESTION.pack(codes.A, codes.IN), query.endpoint, query.client, query.local
    )
    for _ in range(5):
        assert isinstance(dialogue.plugin.serve(same_name), Reply)


@pytest.mark.parametrize("keys", [("tls://example.org",), (".:0",), ("x" * 60 + "." + ("y" * 60 + ".") * 3 + ":53",)])
def test_where_nothing_can_be_asked_nothing_is(keys: tuple[str, ...]) -> None:
    assert Dialogue(*keys).probes == []


def test_stopped_it_looks_for_nothing() -> None:
    dialogue = Dialogue()
    dialogue.see(dialogue.probes[0])
    dialogue.plugin.stop()
    dialogue.see(dialogue.probes[0])
    dialogue.clock.advance(60)
    assert len(dialogue.probes) == 1
    assert made[0].closed
    Loop().stop()


def test_a_server_that_forwards_to_itself_ends(corepy_command: Start, free_port: Callable[[], int]) -> None:
    port = free_port()
    text = f"example.org:{port} example.net:{port} {{\nloop\nforward . 127.0.0.1:{port}\n}}"
    code, out, _ = corepy_command("-conf", "stdin", stdin=text.encode()).end()
    assert code == 1
    assert any("[ERROR] plugin/loop: Loop (127.0.0.1:" in line and '"example.org."' in line for line in out)
