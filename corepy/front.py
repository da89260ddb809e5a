"""HTTP endpoints of worker processes: the supervisor listens, all workers answer, and their responses become one.

All are asked, because health is that all are healthy, readiness that all are ready, and metrics are those of all
together. Where one is to answer, such as for a profile, it is the first worker, or the one that the request names.

A guard's TLS is the supervisor's; whether a request is let in, which may take a password's 60 ms, one worker decides.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from corepy import http
from corepy.clock import SYSTEM
from corepy.control import Message, Refused
from corepy.errors import ConfigError
from corepy.exposition import is_metrics, merge
from corepy.webguard import Admission, WebGuard

if TYPE_CHECKING:
    from corepy.control import Channel

_PATIENCE: Final = 4.0
"""Seconds for a worker to answer: less than a client is given, so that it hears of one that hangs."""
_LONG_PATIENCE: Final = 660.0
"""Seconds for what one worker is asked alone: a profile of ten minutes, and a minute to write it."""


class Front:
    """The worker's side: has endpoints opened by the supervisor, and answers what is asked there."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._leases: dict[int, tuple[str, int, http.Lease]] = {}
        self._tasks: set[asyncio.Task[Message]] = set()
        http.opened_by(self)

    async def listen(
        self,
        host: str,
        port: int,
        routes: Mapping[str, http.Handler],
        guard: WebGuard | None = None,
        *,
        one: bool = False,
    ) -> http.Lease:
        """As `http.listen`; raises OSError where the supervisor cannot have the address."""
        wanted = {"host": host, "port": port, "paths": list(routes), "guard": guard and guard.file, "one": one}
        reply = await self._ask({"do": "listen", **wanted})
        number = reply["number"]
        share = _Share(reply["port"], partial(self._give_back, number), partial(self._reach, host, port))
        lease = http.Lease(share, routes, guard)
        self._leases[number] = host, port, lease
        return lease

    async def _reach(self, host: str, port: int, path: str) -> None:
        """Have the supervisor ask us."""
        reply = await self._ask({"do": "reach", "at": [host, port], "path": path})
        if reply["status"] != HTTPStatus.OK:
            raise ConnectionError(f"answered {reply['status']}")

    async def _ask(self, message: Message) -> Message:
        try:
            return await self._channel.ask(message)
        except Refused as error:
            raise OSError(str(error)) from None

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
        for lease in self._at(message):
            if request.path in lease.routes:
                response = lease.routes[request.path](request)
                return _packed(response if isinstance(response, http.Response) else await response)
        return _packed(http.error(404))

    async def admit(self, message: Message) -> Message:
        """Whether such a request may go on."""
        request = http.Request(message["method"], message["path"], message["query"], message["authorization"])
        for lease in self._at(message):
            if lease.guard is not None:
                refusal, headers = await lease.guard.admit(request)
                return {"refusal": refusal and _packed(refusal), "headers": headers}
        raise Refused("nobody guards this endpoint")

    def _at(self, message: Message) -> list[http.Lease]:
        """Who has a share in an address, the newest first."""
        return [lease for *at, lease in reversed(list(self._leases.values())) if at == message["at"]]


class _Share:
    """What a Lease gives back."""

    def __init__(self, port: int, give_back: Callable[[], None], reach: Callable[[str], Awaitable[None]]) -> None:
        self.port = port
        self._give_back = give_back
        self._reach = reach

    def give_back(self, _lease: http.Lease) -> None:
        self._give_back()

    async def reach(self, path: str) -> None:
        await self._reach(path)


class Owner(Protocol):
    """A worker, as the supervisor sees it."""

    index: int

    async def ask(self, message: Message) -> Message:
        """Its reply. Raises ConnectionError, or Refused where it cannot answer."""


class Endpoints:
    """The supervisor's side; `workers` gives those that serve, by their numbers. Endpoints go with their owner."""

    def __init__(self, workers: Callable[[], Mapping[int, Owner]]) -> None:
        self._workers = workers
        self._numbers = count()
        self._leases: dict[tuple[Owner, int], http.Lease] = {}

    async def answer(self, owner: Owner, message: Message) -> Message:
        """What a worker asks for: to listen, to be asked what it listens for, or to hang up. Raises Refused."""
        match message["do"]:
            case "listen":
                return await self._listen(owner, message)
            case "reach":
                return await owner.ask(_question(message["at"], http.Request("GET", message["path"])))
            case "hang up":
                self._close((owner, message["number"]))
                return {}
        raise Refused(f"the supervisor knows no {message['do']!r}")

    async def _listen(self, owner: Owner, message: Message) -> Message:
        at = message["host"], message["port"]
        handler = partial(self._one if message["one"] else self._all, list(at))
        try:
            guard = _Guard(message["guard"], list(at), self._workers) if message["guard"] else None
            lease = await http.listen(*at, dict.fromkeys(message["paths"], handler), SYSTEM, guard)
        except (OSError, ConfigError) as error:
            raise Refused(str(error)) from None
        number = next(self._numbers)
        self._leases[owner, number] = lease
        return {"number": number, "port": lease.port}

    async def _all(self, at: list[object], request: http.Request) -> http.Response:
        """One response for those of all workers."""
        asked = _question(at, request)
        workers = self._workers().values()
        try:
            replies = await asyncio.wait_for(asyncio.gather(*(worker.ask(asked) for worker in workers)), _PATIENCE)
        except (ConnectionError, Refused, TimeoutError):
            return _NOBODY
        responses = [_unpacked(reply) for reply in replies]
        bad = [response for response in responses if response.status >= 400]
        if bad or not responses:
            return bad[0] if bad else http.error(503)
        first = responses[0]
        if is_metrics(first.content_type):
            return first._replace(body=merge([response.body for response in responses]))
        return first

    async def _one(self, at: list[object], request: http.Request) -> http.Response:
        """The response of one worker."""
        workers = self._workers()
        number = request.number("worker", min(workers, default=0))
        if number not in workers:
            known = ", ".join(map(str, sorted(workers)))
            return http.Response(f"there is no worker {number:g}, there are {known}\n".encode(), 404)
        try:
            reply = await asyncio.wait_for(workers[int(number)].ask(_question(at, request)), _LONG_PATIENCE)
        except (ConnectionError, Refused, TimeoutError):
            return _NOBODY
        return _unpacked(reply)

    def forget(self, owner: Owner) -> None:
        """A worker is gone, and what it has listened on with it."""
        for key in [key for key in self._leases if key[0] is owner]:
            self._close(key)

    def close(self) -> None:
        """Listen nowhere."""
        for key in list(self._leases):
            self._close(key)

    def _close(self, key: tuple[Owner, int]) -> None:
        if (lease := self._leases.pop(key, None)) is not None:
            lease.close()


class _Guard(WebGuard):
    """TLS as the file wants it; a worker decides about requests: here a password would hold up all endpoints."""

    def __init__(self, file: str, at: list[object], workers: Callable[[], Mapping[int, Owner]]) -> None:
        super().__init__(file, SYSTEM)
        self._at = at
        self._workers = workers

    async def admit(self, request: http.Request) -> Admission:
        workers = self._workers()
        asked = {**_question(self._at, request), "do": "admit", "authorization": request.authorization}
        try:
            reply = await asyncio.wait_for(workers[min(workers)].ask(asked), _PATIENCE)
        except (ConnectionError, Refused, TimeoutError, ValueError):   # or there is none
            return Admission(_NOBODY)
        refusal, headers = reply["refusal"], tuple((name, text) for name, text in reply["headers"])
        return Admission(refusal and _unpacked(refusal), headers)


_NOBODY: Final = http.Response(b"a worker does not answer\n", 503)


def _question(at: list[object], request: http.Request) -> Message:
    return {"do": "http", "at": at, "method": request.method, "path": request.path, "query": request.query}


def _packed(response: http.Response) -> Message:
    return {**response._asdict(), "body": base64.b64encode(response.body).decode()}


def _unpacked(message: Message) -> http.Response:
    headers = tuple((name, text) for name, text in message["headers"])
    return http.Response(**{**message, "body": base64.b64decode(message["body"]), "headers": headers})


__all__ = ["Endpoints", "Front"]
