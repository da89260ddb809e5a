"""The chain as a fold: order, ends, and authors of all kinds over each other."""

from __future__ import annotations

import asyncio

import pytest

from corepy import codes
from corepy.chain import Wrap, around, fold, listen
from corepy.deferred import settle
from corepy.errors import Failure, Position
from corepy.plugin import Deferred, Outcome, Plugin, Query, Reply, Serve, after
from corepy.testing import make_query

QUERY = make_query()
ANSWER = Reply.failed(QUERY, codes.NXDOMAIN)


def deferred(result: Reply | Exception) -> Deferred:
    made = Deferred()
    asyncio.get_running_loop().call_soon(made.settle, result)
    return made


class Answers(Plugin):
    def serve(self, _query: Query) -> Outcome:
        return ANSWER


class AnswersInACoroutine(Plugin):
    async def serve(self, _query: Query) -> Reply:
        await asyncio.sleep(0)
        return ANSWER


class AnswersLater(Plugin):
    def serve(self, _query: Query) -> Outcome:
        return deferred(ANSWER)


class Fails(Plugin):
    def serve(self, _query: Query) -> Outcome:
        raise Failure("at once")


class FailsInACoroutine(Plugin):
    async def serve(self, _query: Query) -> Reply:
        await asyncio.sleep(0)
        raise Failure("in a coroutine")


class FailsLater(Plugin):
    def serve(self, _query: Query) -> Outcome:
        return deferred(Failure("later"))


class Counting(Plugin):
    """Counts what it sees on the way down and on the way up."""

    def __init__(self) -> None:
        self.queries = 0
        self.replies: list[Reply] = []

    def saw(self, reply: Reply) -> Reply:
        self.replies.append(reply)
        return reply


class Passes(Counting):
    def serve(self, query: Query) -> Outcome:
        self.queries += 1
        self.replies.append(ANSWER)  # it does not look
        return self.next(query)


class Wraps(Counting):
    def serve(self, query: Query) -> Outcome:
        self.queries += 1
        return after(self.next(query), self.saw)


class Awaits(Counting):
    async def serve(self, query: Query) -> Reply:
        self.queries += 1
        return self.saw(await self.next(query))


class AwaitsFirst(Counting):
    async def serve(self, query: Query) -> Reply:
        self.queries += 1
        await asyncio.sleep(0)
        return self.saw(await self.next(query))


class Defers(Counting):
    """Gives a Deferred of its own, whatever comes from below."""

    def serve(self, query: Query) -> Outcome:
        self.queries += 1
        made = Deferred()
        outcome = self.next(query)
        if isinstance(outcome, Reply):
            made.settle(self.saw(outcome))
        else:
            settle(outcome).then(lambda reply: self._hand_on(reply, made), lambda error: _fail(error, made))
        return made

    def _hand_on(self, reply: Reply, made: Deferred) -> Reply:
        made.settle(self.saw(reply))
        return reply


def _fail(error: Exception, made: Deferred) -> Exception:
    made.settle(error)
    return error


WRAPPERS: list[type[Counting]] = [Passes, Wraps, Awaits, AwaitsFirst, Defers]
ANSWERERS: list[type[Plugin]] = [Answers, AnswersInACoroutine, AnswersLater]
FAILURES: list[type[Plugin]] = [Fails, FailsInACoroutine, FailsLater]


def run(*plugins: Plugin) -> Reply:
    """The reply of a chain to a query, as the server gets it."""

    async def ask() -> Reply:
        serve = fold(plugins)
        assert serve is not None
        outcome = serve(QUERY)
        return outcome if isinstance(outcome, Reply) else await settle(outcome)

    return asyncio.run(ask())


@pytest.mark.parametrize("answers", ANSWERERS)
@pytest.mark.parametrize("inner", WRAPPERS)
@pytest.mark.parametrize("outer", WRAPPERS)
def test_every_kind_over_every_kind(outer: type[Counting], inner: type[Counting], answers: type[Plugin]) -> None:
    first, second = outer(), inner()
    assert run(first, second, answers()) is ANSWER
    for plugin in (first, second):
        assert plugin.queries == 1
        assert plugin.replies == [ANSWER]


@pytest.mark.parametrize("fails", FAILURES)
@pytest.mark.parametrize("inner", WRAPPERS)
@pytest.mark.parametrize("outer", WRAPPERS)
def test_failures_reach_the_server_through_every_kind(
    outer: type[Counting], inner: type[Counting], fails: type[Plugin]
) -> None:
    with pytest.raises(Failure):
        run(outer(), inner(), fails())


def test_plugins_that_do_not_serve_are_not_in_the_chain() -> None:
    assert fold([Plugin(), Plugin()]) is None
    assert fold([]) is None
    assert run(Plugin(), Answers(), Plugin()) is ANSWER


def test_the_first_plugin_is_asked_first() -> None:
    assert run(Answers(), Fails()) is ANSWER


def test_behind_the_last_plugin_is_a_failure_that_names_it() -> None:
    last = Passes()
    last.name = "passes"
    with pytest.raises(Failure, match=r"plugin/passes: no next plugin found") as caught:
        run(Wraps(), last)
    assert caught.value.rcode == codes.SERVFAIL


class LetsGo(Plugin):
    def serve(self, query: Query) -> Outcome:
        return self.next(query)


class LetsGoAsAnAuthority(LetsGo):
    authoritative = True


def test_behind_the_last_plugin_an_authority_refuses_and_others_fail() -> None:
    serve = fold([LetsGo(), LetsGoAsAnAuthority()])
    assert serve is not None
    reply = serve(QUERY)
    assert isinstance(reply, Reply)
    assert reply.rcode == codes.REFUSED
    serve = fold([LetsGoAsAnAuthority(), LetsGo()])
    assert serve is not None
    with pytest.raises(Failure):
        serve(QUERY)


def test_several_may_watch_and_listen() -> None:
    told: list[str] = []

    def watch(name: str) -> Wrap:
        def wrap(plugin: Plugin, serve: Serve) -> Serve:
            def seen(query: Query) -> Outcome:
                told.append(f"{name} sees")
                return serve(query)

            listen(plugin, lambda _query, text, at=None, /: told.append(f"{name} hears {text} {at}"))
            return seen

        return wrap

    class Talks(Answers):
        def serve(self, query: Query) -> Outcome:
            assert self.note is not None
            self.note(query, "words")
            self.note(query, "rule", Position("Corefile", 1, 2))
            return super().serve(query)

    serve = fold([Talks()], wrap=around(watch("inner"), watch("outer")))
    assert serve is not None
    assert serve(QUERY) is ANSWER
    assert told == [
        "outer sees", "inner sees", "inner hears words None", "outer hears words None",
        "inner hears rule Corefile:1:2", "outer hears rule Corefile:1:2",
    ]  # fmt: skip


def test_a_chain_can_be_watched() -> None:
    seen: list[Plugin] = []

    def wrap(plugin: Plugin, serve: Serve) -> Serve:
        def watched(query: Query) -> Outcome:
            seen.append(plugin)
            return serve(query)

        return watched

    first, silent, last = Passes(), Plugin(), Answers()
    serve = fold([first, silent, last], wrap=wrap)
    assert serve is not None
    assert serve(QUERY) is ANSWER
    assert seen == [first, last]
    assert first.queries == 1
