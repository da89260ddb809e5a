"""Messages between the supervisor and a worker process, over a pair of connected sockets.

A message is a JSON object behind its length; sockets may come along (SCM_RIGHTS, unix(7)). Each side may ask the other,
and each question gets one reply, in any order. When the other side is gone, who waits hears of it at once.
"""

from __future__ import annotations

import array
import asyncio
import json
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from struct import Struct
from typing import Any, Final

Message = dict[str, Any]
Answer = Callable[[Message, list[socket.socket]], Awaitable[Message]]
"""What one side does about a question of the other, with the sockets that came along. Raises Refused."""

MAX_MESSAGE: Final = 64 << 20
"""Octets of a message: the metrics of a worker with half a million series."""
MAX_SOCKETS: Final = 250
"""That come along with a message; Linux takes 253."""
_READ: Final = 1 << 16
_HEAD: Final = Struct("!IB")
"""Octets of the object that follows, and how many sockets belong to it."""


class Refused(Exception):  # noqa: N818 - what the other side has done
    """The other side cannot do what it was asked for; the text says why."""


class Channel:
    """One side's end, in a running event loop. `lost` is called once, when the other side is gone."""

    def __init__(self, sock: socket.socket, answer: Answer, lost: Callable[[], object]) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._answer = answer
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._received = bytearray()
        self._sockets: deque[socket.socket] = deque()
        self._outbox: deque[tuple[bytes, Sequence[socket.socket]]] = deque()
        self._open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    async def ask(self, message: Message, sockets: Sequence[socket.socket] = ()) -> Message:
        """The reply to a question. Raises Refused, and ConnectionError when the other side goes before it has replied.

        ValueError for a message that is too long.
        """
        if not self._open:
            raise ConnectionError("the other side is gone")
        number = next(self._numbers)
        self._send({"number": number, "ask": message}, sockets)
        reply: asyncio.Future[Message] = self._loop.create_future()
        self._asked[number] = reply
        try:
            return await reply
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        """Hang up; harmless when that was done."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for sock in self._sockets:
            sock.close()
        for reply in self._asked.values():
            if not reply.done():
                reply.set_exception(ConnectionError("the other side is gone"))

    # --- to the other side ---

    def _send(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        data = json.dumps(message).encode()
        if len(data) > MAX_MESSAGE or len(sockets) > MAX_SOCKETS:
            raise ValueError(f"a message of {len(data)} octets and {len(sockets)} sockets")
        self._outbox.append((_HEAD.pack(len(data), len(sockets)) + data, sockets))
        self._writable()

    def _writable(self) -> None:
        """Send what the kernel takes, and the rest when it takes more."""
        try:
            while self._outbox and self._open:
                data, sockets = self._outbox.popleft()
                try:
                    sent = self._put(data, sockets)
                except BlockingIOError:
                    self._outbox.appendleft((data, sockets))
                    break
                if sent < len(data):   # the sockets went with the first octet
                    self._outbox.appendleft((data[sent:], ()))
        except OSError:
            self._gone()
            return
        if self._open and self._outbox:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        elif self._open:
            self._loop.remove_writer(self._socket.fileno())

    def _put(self, data: bytes, sockets: Sequence[socket.socket]) -> int:
        if not sockets:
            return self._socket.send(data)
        numbers = array.array("i", [sock.fileno() for sock in sockets])
        return self._socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])

    # --- from the other side ---

    def _readable(self) -> None:
        try:
            data, numbers, _, _ = socket.recv_fds(self._socket, _READ, MAX_SOCKETS)
        except BlockingIOError:
            return
        except OSError:
            data, numbers = b"", []
        self._sockets.extend(socket.socket(fileno=number) for number in numbers)
        if not data:
            self._gone()
            return
        self._received += data
        while self._open and (found := self._next()) is not None:
            self._take(*found)

    def _next(self) -> tuple[Message, list[socket.socket]] | None:
        """The next message that is complete."""
        received = self._received
        if len(received) < _HEAD.size:
            return None
        size, sockets = _HEAD.unpack_from(received)
        if size > MAX_MESSAGE:
            self._gone()
            return None
        if len(received) < _HEAD.size + size:
            return None
        message = json.loads(received[_HEAD.size : _HEAD.size + size])
        del received[: _HEAD.size + size]
        return message, [self._sockets.popleft() for _ in range(sockets)]

    def _take(self, message: Message, sockets: list[socket.socket]) -> None:
        if "ask" in message:
            task = self._loop.create_task(self._reply(message["number"], message["ask"], sockets))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        reply = self._asked.get(message["number"])
        if reply is None or reply.done():
            return
        if "refused" in message:
            reply.set_exception(Refused(message["refused"]))
        else:
            reply.set_result(message["reply"])

    async def _reply(self, number: int, message: Message, sockets: list[socket.socket]) -> None:
        try:
            reply: Message = {"number": number, "reply": await self._answer(message, sockets)}
        except Exception as error:  # noqa: BLE001 - whatever it is, who has asked must not wait for ever
            reply = {"number": number, "refused": str(error) if isinstance(error, Refused) else repr(error)}
        if self._open:
            self._send(reply)

    def _gone(self) -> None:
        if self._open:
            self.close()
            self._lost()


__all__ = ["Answer", "Channel", "Message", "Refused"]
