"""Questions as requests of HTTP/2, and replies as responses (RFC 9113): what DNS over HTTPS and gRPC have in common.

HTTP/2 itself is the work of the library h2, which knows no sockets: so questions wait, time out, are counted and are
asked again as those over TCP and TLS are, by the same code, on the same clock and within the same bounds. A client
library with a loop, pools and timeouts of its own would have brought a second set of each. h2 is an extra; this module
is imported when a Corefile has an upstream that needs it. HTTP/1.1 is not spoken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from corepy import codes
from corepy.errors import Failure
from corepy.upstream.budget import BUDGET, Budget
from corepy.upstream.connection import Connection
from corepy.upstream.connections import ConnectionPool

if TYPE_CHECKING:
    from corepy.clock import Clock
    from corepy.upstream.base import Ask, Options, Target, Waiter

Headers = list[tuple[bytes, bytes]]

_STREAMS: Final = 256
"""Questions that wait on one connection, at most: 16 MiB when each reply is as large as may be and lacks its end."""
_UNTOLD: Final = 100
"""Questions that wait on it before the server has said how many may; RFC 9113 6.5.2 asks servers for no less."""
_LAST_STREAM: Final = (1 << 31) - 3
"""The highest stream that may be opened, but for one."""
_HEADERS: Final = 16384
"""Octets of a response's headers: 50 times what a DNS server has to say there."""

_UNFINISHED: Final = 1 << 18
"""Octets that may come without the end of a frame or of headers. h2 looks at the size of a frame, which may claim
16 MiB, when all of it is there; we allow frames of 16 KiB, and one read of the event loop is as large as this."""

_CONFIGURATION: Final = H2Configuration(client_side=True, header_encoding=None)
_SETTINGS: Final = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: _HEADERS}


class Http2Upstream:
    """All questions go over HTTP/2, whatever the client's transport. Needs a running event loop from the first one."""

    connection: ClassVar[type[Http2Connection]]
    """What is spoken on HTTP/2."""

    def __init__(self, target: Target, options: Options, clock: Clock, budget: Budget = BUDGET) -> None:
        self.name = str(target)
        self._connections = ConnectionPool(target, options, clock, budget, self.connection)
        self.over_udp: Ask = self._connections.ask
        self.over_tcp: Ask = self._connections.ask

    def close(self) -> None:
        """Close all connections; who still waits is told of a failure."""
        self._connections.close()


class Request(NamedTuple):
    """What asks a question."""

    headers: Headers
    body: bytes


class Response:
    """What has come of a response; its headers are those before the body and those behind it."""

    __slots__ = ("asked", "body", "headers")

    def __init__(self, asked: float) -> None:
        self.asked = asked
        self.headers: dict[bytes, bytes] = {}
        self.body = b""


class Http2Connection(Connection[int]):
    """A connection with a stream for each question; those who wait are known by the number of theirs.

    A kind of its own says how a question and a reply look.
    """

    most: ClassVar[int] = 8
    """With 100 streams each, enough for 16,000 questions a second to a server that is 50 ms away."""
    shared: ClassVar[bool] = True
    alpn: ClassVar[str] = "h2"
    most_body: ClassVar[int]
    """Octets of a response, at most."""

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(pool)
        self._http = H2Connection(_CONFIGURATION)
        self._http.local_settings = Settings(client=True, initial_values=_SETTINGS)
        self._http.initiate_connection()
        self._most_streams = _UNTOLD
        self._responses: dict[int, Response] = {}
        self._unsent: dict[int, bytes] = {}
        """What the server has not yet given leave to send (RFC 9113 5.2)."""
        self._heard = 0.0
        self._unfinished = 0
        self._on: dict[type, Callable[[Any], None]] = {
            events.ResponseReceived: self._headers,
            events.TrailersReceived: self._headers,
            events.DataReceived: self._data,
            events.StreamEnded: self._ended,
            events.StreamReset: self._reset,
            events.WindowUpdated: self._leave_to_send,
            events.RemoteSettingsChanged: self._settings,
            events.ConnectionTerminated: self._going_away,
        }

    @property
    def full(self) -> bool:
        """Whether it has as many streams as it may have."""
        used_up = self._http.highest_outbound_stream_id >= _LAST_STREAM
        return len(self.pending) >= self._most_streams or used_up or super().full

    # --- what each kind has its own way of ---

    def request(self, wire: bytes, waiter: Waiter) -> Request:
        """The request for a question."""
        raise NotImplementedError

    def reply(self, response: Response) -> bytes:
        """The message in a response that is complete. Raises Failure, with the rcode to go by, where there is none."""
        raise NotImplementedError

    # --- questions ---

    def ask(self, wire: bytes, waiter: Waiter) -> None:
        """Send a question, on a stream of its own."""
        stream = self._http.get_next_available_stream_id()
        self.pending[stream] = waiter, wire
        self._responses[stream] = Response(self.pool.clock.now())
        headers, body = self.request(wire, waiter)
        self._http.send_headers(stream, headers, end_stream=not body)
        if body:
            self._unsent[stream] = body
            self._send(stream)
        self.flush()

    def _send(self, stream: int) -> None:
        """Send as much of a question as the server takes."""
        http, message = self._http, self._unsent.pop(stream)
        while message:
            room = min(http.local_flow_control_window(stream), http.max_outbound_frame_size)
            if room <= 0:
                self._unsent[stream] = message
                return
            part, message = message[:room], message[room:]
            http.send_data(stream, part, end_stream=not message)

    def flush(self) -> None:
        """Send what there is, once the connection stands."""
        transport = self._transport
        if transport is not None and not transport.is_closing() and (data := self._http.data_to_send()):
            transport.write(data)

    # --- replies ---

    def data_received(self, data: bytes) -> None:
        """Hand out the replies that are complete."""
        self._heard = self.pool.clock.now()
        try:
            found = self._http.receive_data(data)
            self._unfinished = 0 if found else self._unfinished + len(data)
            for event in found:
                if handle := self._on.get(event.__class__):
                    handle(event)
        except H2Error as error:
            self.flush()
            self._hang_up(f"http2: {error}")
            return
        if self._unfinished > _UNFINISHED:
            self._hang_up("http2: a frame without end")
            return
        self.flush()
        if not self.pending:
            self.pool.unused(self)

    def _headers(self, event: events.ResponseReceived | events.TrailersReceived) -> None:
        if response := self._responses.get(event.stream_id):
            response.headers.update(event.headers)

    def _data(self, event: events.DataReceived) -> None:
        self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        response = self._responses.get(event.stream_id)
        if response is None:
            return
        response.body += event.data
        if len(response.body) > self.most_body:
            self._cancel(event.stream_id)
            self._finish(event.stream_id, "the response is larger than a DNS message")

    def _ended(self, event: events.StreamEnded) -> None:
        """A response is there: the reply, if it says so and if it fits the question."""
        response = self._responses.get(event.stream_id)
        if response is None:
            return
        if event.stream_id in self._unsent:  # it does not want to hear the rest of the question
            self._cancel(event.stream_id)
        try:
            wire = self.reply(response)
        except Failure as error:
            self._finish(event.stream_id, str(error), error.rcode)
            return
        if self.pending[event.stream_id][0].take(wire):
            self._proven = True
            self._finish(event.stream_id)
        else:
            self.pool.stray()
            self._finish(event.stream_id, "the response is no reply to the question")

    def _reset(self, event: events.StreamReset) -> None:
        self._finish(event.stream_id, f"http2: the stream was reset, error {event.error_code}")

    def _finish(self, stream: int, why: str = "", rcode: int = codes.SERVFAIL) -> None:
        """Nobody waits for this reply any more; who did so hears why there is none."""
        entry = self.pending.pop(stream, None)
        if entry is None:
            return
        self.pool.pending -= 1
        self._unsent.pop(stream, None)
        del self._responses[stream]
        if why:
            entry[0].failed(self._failure(why, rcode))

    def _cancel(self, stream: int) -> None:
        """Tell the server to stop."""
        self._http.reset_stream(stream, ErrorCodes.CANCEL)

    def abandon(self, keys: list[int]) -> None:
        """Tell the server; where nothing at all has come since one of the questions, nobody else should ask there."""
        silent = any(self._responses[stream].asked >= self._heard for stream in keys)
        for stream in keys:
            self._cancel(stream)
            self._unsent.pop(stream, None)
            del self._responses[stream]
        self.flush()
        if silent and self._transport is not None:
            self.pool.retire(self)

    # --- the connection ---

    def _leave_to_send(self, _event: object) -> None:
        for stream in list(self._unsent):
            self._send(stream)

    def _settings(self, event: events.RemoteSettingsChanged) -> None:
        self._most_streams = min(self._http.remote_settings.max_concurrent_streams, _STREAMS)
        self._leave_to_send(event)

    def _going_away(self, event: events.ConnectionTerminated) -> None:
        """The server wants no more of it. It may still answer, but h2 does not listen: who waits asks elsewhere."""
        self._hang_up(f"http2: the server goes away, error {event.error_code}")

    def _hang_up(self, why: str) -> None:
        if self._transport is not None:
            self._transport.close()
        self._fail(why)

    def close(self) -> None:
        """Close it in HTTP's way; who still waits on it hears so."""
        self._http.close_connection()
        self.flush()
        super().close()


def authority(target: Target, standard: int = 0) -> bytes:
    """Whom a request is for: the name that the certificate has to have, so that servers of many names know theirs.

    Otherwise the address. The port is named as well, unless it is the `standard` one.
    """
    host = target.server_name or target.address.host.partition("%")[0]
    host = f"[{host}]" if ":" in host else host
    return (host if target.address.port == standard else f"{host}:{target.address.port}").encode()


def status(response: Response) -> str:
    """What is wrong with the status of a response, in words; empty where it is 200."""
    code = response.headers.get(b":status", b"")
    if code == b"200":
        return ""
    return f"http status {code.decode()}" if code.isdigit() and len(code) == 3 else "no http status"
