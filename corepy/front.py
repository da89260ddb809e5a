"""HTTP endpoints of worker processes: the supervisor listens, all workers answer, and their responses become one.

All are asked, because health is that all are healthy, readiness that all are ready, and metrics are those of all
together. Whatever else is asked for is the first worker's.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from corepy import http
from corepy.clock import SYSTEM
from corepy.control import Message, Refused
from corepy.exposition import is_metrics, merge

if TYPE_CHECKING:
    from corepy.control import Channel

_PATIENCE: Final = 4.0
"""Seconds for a worker to answer: less than a client is given, so that it hears of one that hangs."""


class Front:
    """The worker's side: has endpoints opened by the supervisor, and answers what is asked there."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._leases: dict[int, tuple[str, int, http.Lease]] = {}
        self._tasks: set[asyncio.Task[Message]] = set()
        http.opened_by(self)

    async def listen(self, host: str, port: int, routes: Mapping[str, http.Handler]) -> http.Lease:
        """As `http.listen`; raises OSError where the supervisor cannot have the address."""
        try:
            reply = await self._channel.ask({"do": "listen", "host": host, "port": port, "paths": list(routes)})
        except Refused as error:
            raise OSError(str(error)) from None
        number = reply["number"]
        lease = http.Lease(_Share(reply["port"], partial(self._give_back, number)), routes)
        self._leases[number] = host, port, lease
        return lease

    def _give_back(self, number: int) -> None:
        if self._leases.pop(number, None) is not None:
            task = asyncio.get_running_loop().create_task(self._channel.ask({"do": "hang up", "number": number}))
            self._tasks.add(task)
            task.add_done_callback(self._given_back)

    def _given_back(self, task: asyncio.Task[Message]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()   # nothing is lost where the supervisor has gone before

    async def answer(self, message: Message) -> Message:
        """What this process has to say to a request that the supervisor has received."""
        request = http.Request(message["method"], message["path"], message["query"])
        for host, port, lease in reversed(list(self._leases.values())):
            if [host, port] == message["at"] and request.path in lease.routes:
                response = lease.routes[request.path](request)
                return _packed(response if isinstance(response, http.Response) else await response)
        return _packed(http.error(404))


class _Share:
    """What a Lease gives back."""

    def __init__(self, port: int, give_back: Callable[[], None]) -> None:
        self.port = port
        self._give_back = give_back

    def give_back(self, _lease: http.Lease) -> None:
        self._give_back()


AskAll = Callable[[Message], Awaitable[list[Message]]]
"""Ask all workers that serve; raises ConnectionError or Refused where one cannot answer."""


class Endpoints:
    """The supervisor's side. An `owner` is a worker, whose endpoints go with it."""

    def __init__(self, ask_all: AskAll) -> None:
        self._ask_all = ask_all
        self._numbers = count()
        self._leases: dict[tuple[object, int], http.Lease] = {}

    async def answer(self, owner: object, message: Message) -> Message:
        """What a worker asks for: to listen, or no longer to. Raises Refused."""
        match message["do"]:
            case "listen":
                return await self._listen(owner, message)
            case "hang up":
                self._close((owner, message["number"]))
                return {}
        raise Refused(f"the supervisor knows no {message['do']!r}")

    async def _listen(self, owner: object, message: Message) -> Message:
        at = message["host"], message["port"]
        handler = partial(self._handle, list(at))
        try:
            lease = await http.listen(*at, dict.fromkeys(message["paths"], handler), SYSTEM)
        except OSError as error:
            raise Refused(str(error)) from None
        number = next(self._numbers)
        self._leases[owner, number] = lease
        return {"number": number, "port": lease.port}

    async def _handle(self, at: list[object], request: http.Request) -> http.Response:
        """One response for those of all workers."""
        asked = {"do": "http", "at": at, "method": request.method, "path": request.path, "query": request.query}
        try:
            replies = await asyncio.wait_for(self._ask_all(asked), _PATIENCE)
        except (ConnectionError, Refused, TimeoutError):
            return http.Response(b"a worker does not answer\n", 503)
        responses = [_unpacked(reply) for reply in replies]
        bad = [response for response in responses if response.status >= 400]
        if bad or not responses:
            return bad[0] if bad else http.error(503)
        first = responses[0]
        if is_metrics(first.content_type):
            return first._replace(body=merge([response.body for response in responses]))
        return first

    def forget(self, owner: object) -> None:
        """A worker is gone, and what it has listened on with it."""
        for key in [key for key in self._leases if key[0] is owner]:
            self._close(key)

    def close(self) -> None:
        """Listen nowhere."""
        for key in list(self._leases):
            self._close(key)

    def _close(self, key: tuple[object, int]) -> None:
        if (lease := self._leases.pop(key, None)) is not None:
            lease.close()


def _packed(response: http.Response) -> Message:
    return {**response._asdict(), "body": base64.b64encode(response.body).decode()}


def _unpacked(message: Message) -> http.Response:
    return http.Response(**{**message, "body": base64.b64decode(message["body"])})


__all__ = ["Endpoints", "Front"]
