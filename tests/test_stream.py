"""Framing as pure bytes, and connections as dialogues: a fake transport, a clock that stands still."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy.address import Address
from corepy.deferred import Deferred
from corepy.door import Door, ProxyPolicy
from corepy.endpoint import Endpoint
from corepy.listener import Listener
from corepy.plugin import Outcome, Query, Reply
from corepy.proxyproto import encode_v1, encode_v2
from corepy.site import Timeouts
from corepy.stream import MAX_PENDING, MAX_UNREAD, WRITE_BUFFER, Connection, Framer, frame, listen
from corepy.testing import FakeClock, message

PEER = Address.of("192.0.2.1", 1234)


# --- the framer ---

MESSAGES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(messages=MESSAGES, data=st.data())
def test_any_split_of_any_messages_gives_the_same_messages(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    framer = Framer()
    got: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += framer.feed(stream[start:end])
    assert got == messages
    assert not framer.unfinished


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_are_messages_and_an_unfinished_one(chunks: list[bytes]) -> None:
    framer = Framer()
    got = [message for chunk in chunks for message in framer.feed(chunk)]
    whole = Framer()
    assert got == whole.feed(b"".join(chunks))
    assert all(got)
    assert framer.unfinished == whole.unfinished


def test_octet_by_octet() -> None:
    framer = Framer()
    stream = frame(b"one") + frame(b"") + frame(b"x" * 65535)
    assert [found for octet in stream for found in framer.feed(bytes((octet,)))] == [b"one", b"x" * 65535]
    assert framer.feed(b"\0") == []
    assert framer.unfinished


# --- connections ---


class Transport(asyncio.Transport):
    """What a connection does to its socket."""

    def __init__(self) -> None:
        super().__init__({"peername": (PEER.host, PEER.port), "sockname": ("192.0.2.53", 53)})
        self.written = b""
        self.writes = 0
        self.unread = 0
        """Octets that the client leaves unread."""
        self.reading = True
        self.end = ""

    def write(self, data: Any) -> None:
        assert not self.end, "written after the end"
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.end = self.end or "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def is_closing(self) -> bool:
        return bool(self.end)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (WRITE_BUFFER, None)

    def get_write_buffer_size(self) -> int:
        return self.unread


class Dialogue:
    """A client and a connection. Names that begin with `later` are answered by `release`, all others at once."""

    def __init__(self, *, door: Door | None = None, max_queries: int = 0) -> None:
        self.clock = FakeClock()
        timeouts = Timeouts(max_queries=max_queries)
        self.listener = Listener([(b"\0", self.serve)], timeouts=timeouts, door=door)
        self.endpoint = Endpoint("tcp", "dns://:53")
        self.held: dict[str, tuple[Query, Deferred]] = {}
        self.clients: list[Address] = []
        self.open: list[Connection] = []
        self.talked: list[Connection] = []
        self.unread: list[Connection] = []
        self.reasons: list[str] = []
        self.transport = Transport()
        self.connection = Connection(self)
        self.connection.connection_made(self.transport)
        self._framer = Framer()
        self._read = 0

    # what a Slot is

    def now(self) -> float:
        return self.clock.now()

    def opened(self, connection: Connection) -> None:
        self.open.append(connection)

    def active(self, connection: Connection) -> None:
        self.talked.append(connection)

    def clogged(self, connection: Connection) -> None:
        self.unread.append(connection)

    def cleared(self, connection: Connection) -> None:
        self.unread.remove(connection)

    def refused(self, connection: Connection, reason: str) -> None:
        self.reasons.append(reason)
        connection.expire()

    def closed(self, connection: Connection) -> None:
        self.open.remove(connection)

    # what the two sides do

    def serve(self, query: Query) -> Outcome:
        self.clients.append(query.client)
        if not query.name.startswith("later"):
            return Reply.refused(query)
        deferred = Deferred()
        self.held[query.name] = query, deferred
        return deferred

    def say(self, data: bytes) -> list[str]:
        """Bytes from the client; what it hears."""
        self.connection.data_received(data)
        return self.hear()

    def ask(self, *names: str) -> list[str]:
        return self.say(b"".join(frame(message(name)) for name in names))

    def release(self, name: str) -> list[str]:
        query, deferred = self.held.pop(name)
        deferred.settle(Reply.failed(query, codes.NXDOMAIN))
        return self.hear()

    def hear(self) -> list[str]:
        """The names in the replies since last time."""
        data = self.transport.written[self._read :]
        self._read = len(self.transport.written)
        return [Reply(wire).record.q.qname.idna() for wire in self._framer.feed(data)]

    @property
    def seconds(self) -> float:
        """How long the connection has, as of now."""
        return self.connection.deadline - self.clock.now()


def test_queries_are_answered_one_by_one_and_many_at_a_time() -> None:
    talk = Dialogue()
    assert talk.ask("a.") == ["a."]
    assert talk.ask("b.", "c.", "d.") == ["b.", "c.", "d."]
    assert talk.clients == [PEER] * 4
    assert talk.transport.end == ""


@given(st.lists(st.integers(0, 99), max_size=6))
def test_queries_in_pieces(cuts: list[int]) -> None:
    talk = Dialogue()
    stream = b"".join(frame(message(name)) for name in ("a.", "b.", "c."))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    heard = [name for start, end in pairwise(places) for name in talk.say(stream[start:end])]
    assert heard == ["a.", "b.", "c."]


def test_what_a_read_brought_is_written_at_once() -> None:
    talk = Dialogue()
    talk.ask("a.", "b.", "c.")
    assert talk.transport.writes == 1


def test_a_fast_answer_overtakes_a_slow_one() -> None:
    talk = Dialogue()
    assert talk.ask("later.1.", "now.", "later.2.") == ["now."]
    assert talk.release("later.2.") == ["later.2."]
    assert talk.ask("now.") == ["now."]
    assert talk.release("later.1.") == ["later.1."]


def test_errors_and_silence_in_the_stream() -> None:
    talk = Dialogue()
    response = message()[:2] + b"\x80\0" + message()[4:]
    talk.say(frame(b"short") + frame(response) + frame(b""))
    assert talk.transport.written == b""
    talk.say(frame(message()[:14]))
    assert Reply(talk.transport.written[2:]).rcode == codes.FORMERR
    talk.hear()
    assert talk.ask("a.") == ["a."]


def test_half_close_ends_a_connection_at_once_where_nothing_is_due() -> None:
    talk = Dialogue()
    talk.ask("a.")
    assert not talk.connection.eof_received()  # asyncio closes then


def test_after_half_close_what_is_due_is_answered() -> None:
    talk = Dialogue()
    talk.ask("later.1.", "later.2.")
    assert talk.connection.eof_received()
    assert talk.release("later.1.") == ["later.1."]
    assert talk.transport.end == ""
    assert talk.release("later.2.") == ["later.2."]
    assert talk.transport.end == "closed"


def test_replies_for_a_client_that_has_gone_are_nobodys() -> None:
    talk = Dialogue()
    talk.ask("later.1.", "later.2.")
    talk.transport.abort()
    talk.connection.connection_lost(None)
    assert talk.open == []
    assert talk.release("later.1.") == []
    assert talk.listener.pending == 1


def test_who_does_not_read_may_not_ask() -> None:
    talk = Dialogue()
    talk.connection.pause_writing()
    assert not talk.transport.reading
    talk.connection.resume_writing()
    assert talk.transport.reading


class Full(Transport):
    """Of a client that reads nothing until `read` is called."""

    protocol: Connection

    def write(self, data: Any) -> None:
        super().write(data)
        self.unread += len(data)
        if self.unread > WRITE_BUFFER and not self.protocol.clogged:
            self.protocol.pause_writing()

    def read(self) -> None:
        self.unread = 0
        self.protocol.resume_writing()


class Unread(Dialogue):
    """A client that reads when it is told to, whose answers have 32 KiB."""

    def __init__(self) -> None:
        super().__init__()
        self.transport = self.far = Full()
        self.connection = self.far.protocol = Connection(self)
        self.connection.connection_made(self.far)

    def serve(self, query: Query) -> Outcome:
        outcome = super().serve(query)
        return outcome if isinstance(outcome, Deferred) else Reply(query.wire + bytes(1 << 15), plain=True)

    def release(self, name: str) -> list[str]:
        query, deferred = self.held.pop(name)
        deferred.settle(Reply(query.wire + bytes(1 << 15), plain=True))
        return []


async def rounds(count: int = 50) -> None:
    """Let the loop take its turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_queries_wait_while_nobody_reads_the_replies_to_those_before_them() -> None:
    async def test() -> int:
        talk = Unread()
        names = [f"{number}.example." for number in range(100)]
        talk.connection.data_received(b"".join(frame(message(name)) for name in names))
        reads = 0
        await rounds()
        while talk.connection.clogged:
            assert talk.far.unread <= WRITE_BUFFER + (1 << 16) + (1 << 15) + 512
            assert not talk.connection.idle
            assert not talk.transport.reading
            assert talk.unread == [talk.connection]
            reads += 1
            talk.far.read()
            await rounds()
        assert talk.transport.reading
        assert len(talk.clients) == len(names)
        return reads

    assert asyncio.run(test()) >= 100 * (1 << 15) // (WRITE_BUFFER + (1 << 17))


def test_large_replies_leave_others_their_turn() -> None:
    async def test() -> None:
        talk = Unread()
        talk.connection.data_received(b"".join(frame(message("x.")) for _ in range(7)))
        assert len(talk.clients) == 2  # 64 KiB
        assert not talk.transport.reading
        await rounds(1)
        assert len(talk.clients) == 4
        await rounds()
        assert len(talk.clients) == 7
        assert talk.transport.reading

    asyncio.run(test())


def test_who_half_closes_and_reads_late_gets_all() -> None:
    async def test() -> None:
        talk = Unread()
        talk.connection.data_received(b"".join(frame(message(f"{number}.example.")) for number in range(30)))
        assert talk.connection.eof_received()
        while not talk.transport.end:
            await rounds()
            if talk.connection.clogged:
                talk.far.read()
        assert len(talk.clients) == 30
        assert talk.transport.end == "closed"

    asyncio.run(test())


def test_who_is_gone_is_answered_no_more() -> None:
    async def test() -> None:
        talk = Unread()
        talk.connection.data_received(b"".join(frame(message("x.")) for _ in range(7)))
        talk.transport.abort()
        talk.connection.connection_lost(None)
        await rounds()
        assert len(talk.clients) == 2

    asyncio.run(test())


def test_late_replies_that_nobody_reads_have_a_bound() -> None:
    talk = Unread()
    names = [f"later.{number}." for number in range(100)]
    talk.connection.data_received(b"".join(frame(message(name)) for name in names))
    for name in names:
        talk.release(name)
    assert talk.reasons == ["unread"]
    assert talk.transport.end == "aborted"
    assert talk.far.unread <= MAX_UNREAD + (1 << 15) + 512


def test_late_replies_give_no_time_to_who_does_not_read() -> None:
    async def test() -> None:
        talk = Unread()
        talk.connection.data_received(frame(message("later.")) + b"".join(frame(message("x.")) for _ in range(20)))
        await rounds()
        assert talk.seconds == 5
        talk.clock.advance(1)
        talk.release("later.")
        assert talk.seconds == 4

    asyncio.run(test())


def test_who_has_too_much_unanswered_may_not_ask() -> None:
    talk = Dialogue()
    names = [f"later.{number}." for number in range(MAX_PENDING + 1)]
    talk.ask(*names[:-1])
    assert talk.transport.reading
    talk.ask(names[-1])
    assert not talk.transport.reading
    talk.connection.pause_writing()
    talk.release(names[0])
    assert not talk.transport.reading  # for the other reason
    talk.connection.resume_writing()
    assert talk.transport.reading


def test_deadlines() -> None:
    talk = Dialogue()
    assert talk.seconds == 3
    talk.clock.advance(2)
    talk.say(frame(message())[:5])
    assert talk.seconds == 1  # a beginning is no message
    talk.say(frame(message())[5:])
    assert talk.seconds == 10
    talk.clock.advance(9)
    talk.ask("later.")
    talk.clock.advance(9)
    talk.release("later.")
    assert talk.seconds == 10
    talk.clock.advance(1)
    talk.ask("a.")
    assert talk.seconds == 10
    assert talk.talked


def test_expire_drops_all() -> None:
    talk = Dialogue()
    talk.ask("later.")
    talk.connection.expire()
    assert talk.transport.end == "aborted"


def test_idle_is_who_waits_for_nothing() -> None:
    talk = Dialogue()
    assert talk.connection.idle
    talk.ask("later.")
    assert not talk.connection.idle
    talk.release("later.")
    assert talk.connection.idle
    talk.transport.unread = 1
    assert not talk.connection.idle


def test_so_many_queries_a_connection_and_no_more() -> None:
    talk = Dialogue(max_queries=3)
    assert talk.ask("a.") == ["a."]
    assert talk.ask("b.", "c.", "d.", "e.") == ["b.", "c."]
    assert talk.transport.end == "closed"


def test_the_last_query_is_answered_even_if_it_takes_its_time() -> None:
    talk = Dialogue(max_queries=2)
    assert talk.ask("later.", "b.", "c.") == ["b."]
    assert talk.transport.end == ""
    assert not talk.transport.reading
    assert talk.release("later.") == ["later."]
    assert talk.transport.end == "closed"


def test_shut_closes_who_waits_for_nothing() -> None:
    talk = Dialogue()
    talk.connection.shut()
    assert talk.transport.end == "closed"


def test_shut_answers_what_is_pending_and_reads_no_more() -> None:
    talk = Dialogue()
    talk.ask("later.1.", "later.2.", "later.3.")
    talk.connection.shut()
    for name in ("later.3.", "later.1."):
        assert talk.release(name) == [name]
        assert not talk.transport.reading
        assert talk.transport.end == ""
    talk.connection.pause_writing()
    talk.connection.resume_writing()
    assert not talk.transport.reading
    assert talk.release("later.2.") == ["later.2."]
    assert talk.transport.end == "closed"


# --- behind a proxy ---

CLIENT, ANYCAST = Address.of("198.51.100.7", 4242), Address.of("192.0.2.53", 53)
V1, V2 = encode_v1(CLIENT, ANYCAST), encode_v2(CLIENT, ANYCAST, stream=True, tlvs=b"\x04\0\3" + bytes(3))


def door(*, require: bool = False) -> Door:
    return Door(ProxyPolicy(require=require), None, lambda _: None)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_header_and_queries_in_one_read_or_octet_by_octet(header: bytes) -> None:
    for size in (1000, 1, 7):
        talk = Dialogue(door=door())
        stream = header + frame(message("a.")) + frame(message("b."))
        heard = [name for at in range(0, len(stream), size) for name in talk.say(stream[at : at + size])]
        assert heard == ["a.", "b."]
        assert talk.clients == [CLIENT, CLIENT]


def test_without_header_the_peer_is_the_client() -> None:
    talk = Dialogue(door=door())
    assert talk.ask("a.") == ["a."]
    assert talk.clients == [PEER]


def test_local_is_the_proxy_itself() -> None:
    talk = Dialogue(door=door())
    assert talk.say(encode_v2(stream=True) + frame(message("a."))) == ["a."]
    assert talk.clients == [PEER]


def test_a_header_alone_has_the_time_of_a_first_message() -> None:
    talk = Dialogue(door=door())
    talk.clock.advance(2)
    talk.say(V2)
    assert talk.seconds == 1


@pytest.mark.parametrize("wrong", [b"PROXY nonsense\r\n", V2[:12] + b"\x31" + V2[13:], b"PROXY " + b"x" * 200])
def test_a_wrong_header_closes(wrong: bytes) -> None:
    talk = Dialogue(door=door())
    assert talk.say(wrong + frame(message("a."))) == []
    assert talk.transport.end == "aborted"
    assert talk.clients == []


def test_a_missing_header_closes_where_one_is_required() -> None:
    talk = Dialogue(door=door(require=True))
    assert talk.ask("a.") == []
    assert talk.transport.end == "aborted"


def test_half_close_within_a_header() -> None:
    talk = Dialogue(door=door())
    talk.say(V2[:20])
    assert not talk.connection.eof_received()


# --- listening ---

HOSTS = {"::": "::1", "0.0.0.0": "127.0.0.1"}


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_of_another_program_is_in_use(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as other:
        other.bind((host, 0))
        with pytest.raises(OSError, match="in use"):
            listen(host, other.getsockname()[1])


def test_listen_takes_addresses_of_both_families_and_no_names() -> None:
    for host in ("127.0.0.1", "::1", "::", "0.0.0.0"):
        with listen(host, 0) as sock:
            assert not sock.getblocking()
            socket.create_connection((HOSTS.get(host, host), sock.getsockname()[1])).close()
    with pytest.raises(OSError):  # noqa: PT011 - the resolver's words
        listen("example.org", 0)


# --- replies of several messages ---


class Transfers(Dialogue):
    """Every reply has three more messages, the last of which is never made for the name `broken.`."""

    def serve(self, query: Query) -> Outcome:
        reply = Reply.refused(query)
        reply.more = self.rest(query)
        return reply

    def rest(self, query: Query) -> Iterator[bytes]:
        for number in range(3):
            if number == 2 and query.name == "broken.":
                raise ValueError("no more")
            yield Reply.failed(query, number).wire


def run(dialogue: Callable[[], object]) -> list[BaseException | None]:
    """Have a dialogue in an event loop, which has its turn whenever something is to be heard; the loop's complaints."""
    complaints: list[BaseException | None] = []

    async def have() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["exception"]))
        dialogue()
        for _ in range(8):
            await asyncio.sleep(0)

    asyncio.run(have())
    return complaints


def test_more_messages_of_a_reply_are_sent_one_by_one() -> None:
    talk = Transfers()
    assert run(lambda: talk.say(frame(message("a.")) + frame(message("b.")))) == []
    assert talk.hear() == ["a.", "b."] * 3
    assert (talk.connection.pending, talk.transport.end) == (0, "")


def test_more_messages_wait_until_the_client_reads() -> None:
    talk = Transfers()

    def ask() -> None:
        assert talk.ask("a.") == ["a."]
        talk.connection.pause_writing()

    run(ask)
    assert (talk.hear(), talk.connection.pending) == ([], 1)
    run(talk.connection.resume_writing)
    assert (talk.hear(), talk.connection.pending) == (["a."] * 3, 0)


def test_a_client_that_has_said_all_gets_all_messages() -> None:
    talk = Transfers()

    def ask() -> None:
        talk.ask("a.")
        assert talk.connection.eof_received()

    run(ask)
    assert (talk.hear(), talk.transport.end) == (["a."] * 3, "closed")


def test_messages_that_cannot_be_made_end_the_connection() -> None:
    talk = Transfers()
    [error] = run(lambda: talk.ask("broken."))
    assert isinstance(error, ValueError)
    assert (talk.hear(), talk.transport.end) == (["broken."] * 2, "aborted")


def test_a_client_that_has_gone_is_sent_nothing_more() -> None:
    talk = Transfers()

    def ask() -> None:
        talk.ask("a.")
        talk.transport.close()

    assert run(ask) == []
    assert talk.hear() == []
