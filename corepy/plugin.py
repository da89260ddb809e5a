"""The author's page: all that a plugin needs, and nothing else.

A plugin is a class. Its fields are configuration, so a test builds the object without a Corefile; `parse(directive)`
builds it from one. `serve(query)` puts it into the chain of its server block; it returns one of:

* a reply of its own: `return Reply.answer(query, "www.example.org. 60 IN A 192.0.2.1")`;
* what the next plugin says: `return self.next(query)`;
* what it makes of that: `async def serve`, `reply = await self.next(query)`, and a reply again. A wrapper that stands
  in nearly every chain writes `return after(self.next(query), on_reply)` and saves the coroutine.

A refusal that is expected is a Reply. `raise Failure("why")` is for what went wrong; the client gets SERVFAIL. A reply
that you were given is never changed: `reply.edit()` is a copy whose `record` may be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from corepy.address import Address
from corepy.clock import SYSTEM, Clock
from corepy.deferred import Deferred, after
from corepy.directive import Directive
from corepy.errors import ConfigError, Failure
from corepy.log import Log
from corepy.lookup import Resolve, no_server
from corepy.query import Query
from corepy.reply import Outcome, Reply
from corepy.rules import Checked, Note

if TYPE_CHECKING:
    from corepy.site import Site

Serve = Callable[[Query], Outcome]


class Plugin(Checked):   # with `check` and `ends`, for what `corepy -validate` is to know beyond `parse`
    """What every plugin is. Subclass it, name the folder (or entry point) as the directive, and write `serve`."""

    before: ClassVar[str] = ""
    """For plugins that CoreDNS does not have: the directive of its order that this one comes before."""

    any_class: ClassVar[bool] = False
    """Whether queries of classes other than IN are let in on the ports of a block that has this plugin."""

    once: ClassVar[bool] = False
    """Whether a server block may have the directive but once."""

    authoritative: ClassVar[bool] = False
    """Whether a query that it lets go of is REFUSED where no plugin stands behind it; SERVFAIL otherwise."""

    name: str = ""
    """The directive; filled in by the core, as are `next`, `clock`, `log` and `resolve`."""
    next: Serve
    clock: Clock = SYSTEM
    log: Log = Log()
    resolve: Resolve = staticmethod(no_server)
    """`await self.resolve(name, qtype, query)`: the server's own answer to another question, such as the target of a
    CNAME, asked on behalf of the query; `name` in wire form. Raises Failure, at once, where questions go in circles."""
    note: Note | None = None
    """`if self.note is not None: self.note(query, "blocked by rule 2", at)`: words for who has a query explained, where
    what is done does not tell why; and which of `branches()` it was. None while the server serves."""

    serve: ClassVar[Callable[..., Outcome] | None] = None
    """`def serve(self, query: Query) -> Outcome`; without it the plugin is not in the chain."""

    metadata: ClassVar[Callable[..., Mapping[str, str | Callable[[], str]]] | None] = None
    """`def metadata(self, query: Query) -> Mapping[str, str | Callable[[], str]]`: what is known of a query before it
    is served, under labels `PLUGIN/NAME`; asked by the `metadata` plugin. What only shows later, a plugin puts into
    `query.metadata`, where that is not None. A function is called when somebody wants its value."""

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """The plugin that one directive describes. The directive's readers raise ConfigError; what is not read, is too.

        As it stands it is for a directive that takes nothing.
        """
        directive.finish()
        return cls()

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """The plugins for all directives of this name in a server block, in their order in the chain.

        One for each, unless a plugin says otherwise: where the lines add up to one plugin, override this.
        """
        if cls.once and len(directives) > 1:
            raise directives[1].error(f"given twice in a server block, first at {directives[0].at}")
        return [cls.parse(directive) for directive in directives]

    def configure(self, site: Site) -> None:
        """Shape the listener of the server block: addresses, doors, timeouts. Called before anything is bound."""

    def start(self) -> Awaitable[None] | None:
        """Sockets are bound, queries come next. May be async; an exception keeps the server from starting."""

    def leave(self) -> Awaitable[None] | None:
        """The process ends, and answers queries until this is done; a reload calls only `stop()`. May be async."""

    def adopt(self, old: Self) -> None:
        """Take over what is worth keeping from the plugin that stood here before a reload: caches, sockets, health.

        Called after `start()`, before the first query, and only where an address and zone of this server block had
        the same directive before; where nothing did, or the reload fails, never. `old` may still have queries on
        their way, and its `stop()` comes later: it must not close what was taken over. Must not wait.
        """

    def stop(self) -> Awaitable[None] | None:
        """The last query is answered, or a new configuration has taken over. May be async."""

    def ready(self) -> bool:
        """Whether queries can be served well; asked by the `ready` plugin."""
        return True


__all__ = [
    "Address", "Clock", "ConfigError", "Deferred", "Directive", "Failure", "Log", "Outcome", "Plugin", "Query", "Reply",
    "after",
]  # fmt: skip
