"""What each plugin does with a query, written down while the chain serves it.

    trace = Trace()
    configuration = site.build(corefile, wrap=trace.wrap)

Whatever is asked of this configuration leaves its steps: each plugin that the query came to, in the order of coming,
with what it handed on and what it gave back. A server that nobody watches is built without `wrap` and pays nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corepy import display
from corepy.chain import listen
from corepy.deferred import after
from corepy.explain.words import answered, failed, query_changes, reply_changes
from corepy.plugin import Outcome, Plugin, Query, Reply, Serve

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.rules import Note


@dataclass(eq=False)
class Step:
    """One plugin and one query that came to it."""

    plugin: Plugin
    query: Query
    depth: int = 0
    """How many questions of plugins' own this one is asked within; 0 for the client's."""
    notes: list[str] = field(default_factory=list)
    """The plugin's own words before it passed the query on, if it did."""
    notes_back: list[str] = field(default_factory=list)
    """Its words afterwards."""
    passed: list[Step] = field(default_factory=list)
    """What the query met behind the plugin; several steps where it was passed on several times."""
    asked: list[Step] = field(default_factory=list)
    """Where questions of the plugin's own went, which the server itself answers: each with its first step."""
    reply: Reply | None = None
    error: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether it has come to a reply or a failure."""
        return self.reply is not None or self.error is not None

    @property
    def outcome(self) -> str:
        """In a word: `passed`, `answered`, `dropped`, `failed`, or `nothing` where it has come to no end."""
        if self.passed:
            return "passed"
        if self.error is not None:
            return "failed"
        if self.reply is None:
            return "nothing"
        return "answered" if self.reply.wire else "dropped"

    def say(self, text: str) -> None:
        """Add the plugin's own words, or words about it."""
        (self.notes_back if self.passed or self.asked else self.notes).append(text)

    def on_the_way(self) -> list[str]:
        """What the plugin did until the query was with the next one, or was answered."""
        words = [*self.notes]
        if self.passed:
            for number, step in enumerate(self.passed):
                again = " again" if number else ""
                changes = ", ".join(query_changes(self.query, step.query))
                words.append(f"passed on{again}{' as ' * bool(changes)}{changes}")
        words += [f"asks the server itself: {display.question(step.query.wire)}" for step in self.asked]
        return words if self.passed or self.asked else [*words, *self._end()]

    def _end(self) -> list[str]:
        """What came of it, if anything has."""
        if self.error is not None:
            return [failed(self.error)]
        return [] if self.reply is None else [answered(self.reply)]

    def on_the_way_back(self) -> list[str]:
        """What it made of the reply that came from behind; nothing where it only handed it on."""
        if not self.passed:
            return [*self.notes_back, *self._end()] if self.asked else self.notes_back
        last = self.passed[-1]
        if self.error is not None:
            return self.notes_back if self.error is last.error else [*self.notes_back, failed(self.error)]
        if self.reply is None:
            return self.notes_back
        if last.reply is None:
            return [*self.notes_back, f"{answered(self.reply)} in place of the failure"]
        return [*self.notes_back, *reply_changes(last.reply, self.reply)]


class Trace:
    """The steps of what is asked, in the order in which queries came to plugins."""

    def __init__(self, most: int = 0) -> None:
        """Forget the first half of the steps where there are more than `most`; 0 for who asks but one question."""
        self._most = most
        self.steps: list[Step] = []
        self._moments: list[tuple[Step, bool]] = []

    def wrap(self, plugin: Plugin, serve: Serve) -> Serve:
        """The plugin, watched: a `corepy.chain.Wrap`."""

        def watched(query: Query) -> Outcome:
            step = self._enter(plugin, query, watched)
            try:
                outcome = serve(query)
            except Exception as error:
                self._end(step, error)
                raise
            return after(outcome, lambda reply: self._replied(step, reply), lambda error: self._failed(step, error))

        listen(plugin, self._noting(plugin))
        return watched

    def moments(self) -> Sequence[tuple[Step, bool]]:
        """Each step twice, in the order of time: as the query came, and, with True, as its reply went."""
        return self._moments

    def cut(self) -> Trace:
        """What has been seen so far; from here on it is as if nothing had been."""
        seen = Trace()
        seen.steps, self.steps = self.steps, []
        seen._moments, self._moments = self._moments, []
        return seen

    def asking(self, owner: str, key: bytes) -> Step | None:
        """The step of the plugin of this name that is under way with this name; None where there is none."""
        for step in reversed(self.steps):
            if not step.over and step.plugin.name == owner and step.query.key == key:
                return step
        return None

    def _noting(self, plugin: Plugin) -> Note:
        def note(query: Query, text: str, _at: Position | None = None, /) -> None:
            mine = [step for step in self.steps if step.plugin is plugin]
            step = next((step for step in reversed(mine) if step.query is query), mine[-1] if mine else None)
            if step is not None:
                step.say(text)

        return note

    def _enter(self, plugin: Plugin, query: Query, watched: Serve) -> Step:
        """The query has come to a plugin: from the one in front of it, from a client, or from a plugin that asks."""
        step = Step(plugin, query)
        under_way = [each for each in reversed(self.steps) if not each.over]
        before = next((each for each in under_way if each.plugin.next is watched), None)
        if before is not None:
            step.depth = before.depth
            before.passed.append(step)
        elif under_way:
            step.depth = under_way[0].depth + 1
            under_way[0].asked.append(step)
        self.steps.append(step)
        self._moments.append((step, False))
        if self._most and len(self.steps) > self._most:
            del self.steps[: self._most // 2], self._moments[: self._most]
        return step

    def _replied(self, step: Step, reply: Reply) -> Reply:
        self._end(step, reply)
        return reply

    def _failed(self, step: Step, error: Exception) -> Exception:
        self._end(step, error)
        return error

    def _end(self, step: Step, result: Reply | Exception) -> None:
        if isinstance(result, Reply):
            step.reply = result
            if step.plugin.own_answer and not (step.notes or step.passed or step.asked):
                step.notes.append(step.plugin.own_answer)
        else:
            step.error = result
        self._moments.append((step, True))
