"""One client of an HTTP endpoint: a request, its reply, and the next request.

HTTP/1.1 as far as such clients speak it (RFC 9112): any method, bodies are read and dropped, connections are kept.
A client gets a status for whatever it sends, or is closed; it never causes a line in the log. A handler that fails has
one, with its traceback.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from corepy.httpmessage import MAX_BODY, MAX_HEAD, BadRequest, Request, Response, encode, error, parse
from corepy.log import log

if TYPE_CHECKING:
    from corepy.clock import Clock, Timer
    from corepy.webguard import Secured, WebGuard

TIMEOUT: Final = 5.0
"""Seconds for a request, for the silence before the next one, and for taking a reply; CoreDNS's figures."""

Handler = Callable[[Request], "Response | Awaitable[Response]"]


class Endpoint(Protocol):
    """Where a client has come to."""

    clock: Clock

    @property
    def closing(self) -> bool:
        """Whether no connection is kept any more."""

    def handler(self, path: str) -> Handler | None:
        """Who answers a path."""

    def active(self, connection: Connection) -> None:
        """It is there, or has asked something."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""


class Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    def __init__(self, endpoint: Endpoint, guard: WebGuard | None, secured: Secured | None) -> None:
        self._endpoint = endpoint
        self._guard = guard
        self._secured = secured
        self._buffer = b""
        self._busy = False   # a reply is being made
        self._keep = True
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream server makes these
        self._endpoint.active(self)
        self._wait()
        if self._secured is not None and not self._secured.trusts(transport.get_extra_info("ssl_object")):
            self.abort()
        if self._endpoint.closing:   # it came in the moment that the endpoint was closed
            self.finish()

    def data_received(self, data: bytes) -> None:
        """Part of a request, or several."""
        self._buffer += data
        if not self._busy:
            self._next()
        elif len(self._buffer) > MAX_HEAD + MAX_BODY:
            self._transport.pause_reading()   # what it asks behind a reply in the making can wait

    def eof_received(self) -> None:
        """The client has left, or asks nothing more: what was answered is still sent, what is in the making is not."""

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone, and with it any interest in its reply."""
        self._endpoint.closed(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    # --- a request's way ---

    def _next(self) -> None:
        """Answer the requests that are complete."""
        while not self._busy and not self._transport.is_closing():
            try:
                parsed = parse(self._buffer)
            except BadRequest as bad:
                self._keep = False
                self._send("GET", error(bad.status))
                return
            if parsed is None or len(self._buffer) < parsed.end:
                return
            self._buffer = self._buffer[parsed.end :]
            self._keep = self._keep and parsed.keep
            self._endpoint.active(self)
            self._answer(parsed.request)

    def _answer(self, request: Request) -> None:
        outcome = self._ask(request) if self._guard is None else self._ask_guarded(self._guard, request)
        if isinstance(outcome, Response):
            self._send(request.method, outcome)
            return
        self._busy = True
        if self._timer is not None:
            self._timer.cancel()
        self._task = asyncio.get_running_loop().create_task(self._answer_late(request, outcome))

    def _ask(self, request: Request) -> Response | Awaitable[Response]:
        handler = self._endpoint.handler(request.path)
        return error(404) if handler is None else _ask(handler, request)

    async def _ask_guarded(self, guard: WebGuard, request: Request) -> Response:
        admission = await guard.admit(request)
        response = admission.refusal or self._ask(request)
        if not isinstance(response, Response):
            response = await response
        return response._replace(headers=(*response.headers, *admission.headers))

    async def _answer_late(self, request: Request, outcome: Awaitable[Response]) -> None:
        try:
            response = await outcome
        except Exception as reason:  # noqa: BLE001 - a handler's bug is no reason to stop
            response = _failed(request, reason)
        self._busy, self._task = False, None
        self._send(request.method, response)
        self._transport.resume_reading()
        self._next()

    def _send(self, method: str, response: Response) -> None:
        """Write a response; the connection lives on if both sides want it to."""
        keep = self._keep and not self._endpoint.closing
        self._transport.write(encode(method, response, keep=keep))
        self._wait()
        if not keep:
            self._transport.close()

    def _wait(self) -> None:
        """From now on the client has its time, to ask or to read."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._endpoint.clock.later(TIMEOUT, self.abort)

    def finish(self) -> None:
        """Close it, after the reply that is being made."""
        self._keep = False
        if not self._busy:
            self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._endpoint.closed(self)
        self._transport.abort()


def _ask(handler: Handler, request: Request) -> Response | Awaitable[Response]:
    try:
        return handler(request)
    except Exception as reason:  # noqa: BLE001 - a handler's bug is no reason to stop
        return _failed(request, reason)


_bugs: Final[set[str]] = set()
"""Paths whose handler has failed: its traceback is logged once."""


def _failed(request: Request, reason: Exception) -> Response:
    if request.path not in _bugs:   # as many as there are handlers: others are 404
        _bugs.add(request.path)
        log.error(f"the endpoint {request.path} failed: {reason!r}")
        log.lines("".join(traceback.format_exception(reason)))
    return error(500)


__all__ = ["TIMEOUT", "Connection", "Endpoint", "Handler"]
