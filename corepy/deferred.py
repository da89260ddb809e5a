"""Replies that are still on their way, without a task for each.

A plugin returns an outcome: a `Reply`, a `Deferred`, or a coroutine. Whoever looks at the reply of the next plugin may
`await` any of the three; wrappers that stand in nearly every chain use `after()`, which needs no coroutine for
the first two. The server turns what is left into a `Deferred` with `settle()`.

A Deferred is settled once, by the side that talks to the network; then its steps run in the order they were added,
each with what the one before made of it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from typing import Any

from corepy.reply import Outcome, Reply

OnReply = Callable[[Reply], Reply]
OnFailure = Callable[[Exception], "Reply | Exception"]

_tasks: set[asyncio.Task[None]] = set()
"""The running coroutines of queries: the event loop itself only keeps weak references."""


class Deferred:
    """A reply to come: settle it once with a Reply or an exception."""

    __slots__ = ("_steps", "result")

    def __init__(self) -> None:
        self.result: Reply | Exception | None = None
        """None until settled; afterwards what the last step made of it."""
        self._steps: list[tuple[OnReply, OnFailure | None]] = []

    def then(self, on_reply: OnReply, on_failure: OnFailure | None = None) -> Deferred:
        """Add a step: it gets the reply and returns the one to go on with; likewise a failure, where it is given."""
        if self.result is None:
            self._steps.append((on_reply, on_failure))
        else:
            self._run(self.result, [(on_reply, on_failure)])
        return self

    def settle(self, result: Reply | Exception) -> None:
        """The reply is there, or will never be. A second call changes nothing."""
        if self.result is None:
            self._run(result, self._steps)

    def _run(self, result: Reply | Exception, steps: list[tuple[OnReply, OnFailure | None]]) -> None:
        for on_reply, on_failure in steps:
            try:
                if result.__class__ is Reply:
                    result = on_reply(result)
                elif on_failure is not None and isinstance(result, Exception):
                    result = on_failure(result)
            except Exception as error:  # noqa: BLE001 - a step that raises fails the reply, whatever it raised
                result = error
        self.result = result

    def __await__(self) -> Generator[Any, None, Reply]:
        if self.result is None:
            waiter = asyncio.get_running_loop().create_future()

            def wake(result: Any) -> Any:
                if not waiter.done():
                    waiter.set_result(None)
                return result

            self.then(wake, wake)
            yield from waiter
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None  # noqa: S101 - settled above
        return self.result


def after(outcome: Outcome, on_reply: OnReply, on_failure: OnFailure | None = None) -> Outcome:
    """Do something with the reply of an outcome when it is there, at once if it is there already.

    `on_reply(reply)` returns the reply to go on with; `on_failure(exception)` a reply or the exception to go on with.
    An exception that `self.next(query)` itself raises is the caller's to catch.
    """
    if outcome.__class__ is Reply:
        return on_reply(outcome)
    if isinstance(outcome, Deferred):
        return outcome.then(on_reply, on_failure)
    return _after(outcome, on_reply, on_failure)


async def _after(outcome: Outcome, on_reply: OnReply, on_failure: OnFailure | None) -> Reply:
    try:
        reply = await outcome
    except Exception as error:
        if on_failure is None:
            raise
        result = on_failure(error)
        if isinstance(result, Reply):
            return result
        raise result from result.__cause__
    return on_reply(reply)


def settle(outcome: Outcome) -> Deferred:
    """An outcome that is no Reply as a Deferred; a coroutine becomes a task.

    The task starts at once where Python can do that with `asyncio.current_task()` set (3.12 and later); on 3.11 it
    starts in the next round of the loop.
    """
    if isinstance(outcome, Deferred):
        return outcome
    deferred = Deferred()
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        task = asyncio.Task(_drive(outcome, deferred), loop=loop, eager_start=True)
    else:
        task = loop.create_task(_drive(outcome, deferred))
    if not task.done():
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
    return deferred


async def _drive(outcome: Outcome, deferred: Deferred) -> None:
    try:
        result: Reply | Exception = await outcome
    except asyncio.CancelledError:
        deferred.settle(TimeoutError("cancelled"))
        raise
    except Exception as error:  # noqa: BLE001 - it is handed on, to whoever asked
        result = error
    deferred.settle(result)


