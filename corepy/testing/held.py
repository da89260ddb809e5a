"""Queries that a test holds back: a plugin whose replies come when the test says so."""

from __future__ import annotations

import asyncio

from corepy import codes
from corepy.plugin import Deferred, Outcome, Plugin, Query, Reply
from corepy.testing.running import Running


class Held(Plugin):
    """Answers names that begin with `later` when the test says so, all others at once."""

    waiting: list[tuple[Query, Deferred]]

    def start(self) -> None:
        """Begin with nothing held."""
        type(self).waiting = []

    def serve(self, query: Query) -> Outcome:
        """Hold the query, or refuse it at once."""
        if not query.name.startswith("later"):
            return Reply.refused(query)
        deferred = Deferred()
        self.waiting.append((query, deferred))
        return deferred

    @classmethod
    def release(cls) -> None:
        """Answer NXDOMAIN to all that are held."""
        for query, deferred in cls.waiting:
            deferred.settle(Reply.failed(query, codes.NXDOMAIN))
        cls.waiting.clear()


def held(running: Running, count: int) -> None:
    """Wait until so many queries are held."""

    async def wait() -> None:
        while len(Held.waiting) < count:  # noqa: ASYNC110 - a test may look every round of the loop
            await asyncio.sleep(0)

    running.wait(wait())
