"""Answer with a cookie, know the clients that bring it, and demand it if asked to (RFC 7873, RFC 9018).

A cookie binds to the *client*, not to the peer of its datagram. Behind a proxy all clients have one peer; a cookie for
that would be one that any of them could fetch, and then show in another's name. Bound to the client it shows what it
shall: who asks has received what we sent to the address that is claimed. That a PROXY header tells the truth is the
business of `proxyproto`, which believes those it is told to believe; replies go to the peer in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.metrics import Counter
from corepy.networks import NetworkSet
from corepy.options import without
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply, after
from corepy.plugins.cookies import setup
from corepy.plugins.cookies.jar import CLIENT, Jar, old, read_secrets
from corepy.watched import WatchedFile

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.site import Site

_LOOK: Final = 5.0
"""Seconds between two looks at the file of secrets, as the zones' and hosts' are looked at."""
_LENGTHS: Final = frozenset((CLIENT, *range(16, 41)))
"""Octets that a cookie may have (RFC 7873 5.2.2)."""
QUERIES: Final = Counter("cookies_queries_total", "Queries by what they bring as a cookie.", ("server", "cookie"))


@dataclass
class Cookies(Plugin):
    """`secrets` or a file of them at `path`, else a secret of the server's own; `demand` from whom a cookie is due."""

    once: ClassVar[bool] = True
    before: ClassVar[str] = "prometheus"   # behind `bufsize`, which speaks for the query that came in

    secrets: tuple[bytes, ...] = ()
    path: Path | None = None
    rotate: int = 0
    demand: NetworkSet | None = None
    at: Position | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `cookies` and its block."""
        return cls(**setup.read(directive))

    def configure(self, site: Site) -> None:
        """Learn where relative paths begin."""
        self.path = self.path and site.path(self.path)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the path
        """Look at the file of secrets, as `start` does."""
        try:
            if self.path is not None:
                read_secrets(self.path.read_bytes())
        except (OSError, ValueError) as error:
            yield self._unusable(error)

    async def start(self) -> None:
        """Read the file of secrets, and watch it. Raises ConfigError where it cannot be used."""
        self._jar = Jar(self.secrets or (setup.own_secret(),), self.rotate)
        self._file: WatchedFile[tuple[bytes, ...]] | None = None
        if self.path is None:
            return
        self._file = WatchedFile(self.path, read_secrets, self._use)
        try:
            await self._file.read()
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error
        self._file.watch(self.clock, _LOOK, self._complain)

    def stop(self) -> None:
        """Look no more."""
        if self._file is not None:
            self._file.stop()

    def _use(self, secrets: tuple[bytes, ...]) -> None:
        self._jar = Jar(secrets, self.rotate)

    def _complain(self, error: Exception) -> None:
        self.log.error(f"{self._unusable(error).what}; the secrets stay as they are")  # noqa: G004 - our own log

    def _unusable(self, error: Exception) -> ConfigError:
        reason = error.strerror if isinstance(error, OSError) else error
        return ConfigError(f"cannot use {str(self.path)!r}: {reason}", self.at, plugin=self.name)

    def serve(self, query: Query) -> Outcome:
        """Pass the query on without its cookie, and send ours with the reply; or send nothing else, if it is wrong."""
        edns = query.edns
        options = edns.options if edns is not None else ()
        cookie = next((data for code, data in options if code == codes.COOKIE), None)   # the first one counts
        server = query.endpoint.server
        if cookie is None:
            QUERIES.add(server, "none")
            if not self._demands(query):
                return self.next(query)
            if self.note is not None:
                self.note(query, "brings no cookie, and one is due: to come again over TCP")
            return _truncated(query)
        if len(cookie) not in _LENGTHS:
            QUERIES.add(server, "malformed")
            return _alone(query, codes.FORMERR)
        jar, now, address = self._jar, int(self.clock.wall()), query.client.packed
        good = jar.check(cookie, address, now)
        QUERIES.add(server, "good" if good else "new" if len(cookie) == CLIENT else "bad")
        ours = cookie if good and not old(cookie, now) else jar.make(cookie[:CLIENT], address, now)
        if not good and self._demands(query):
            return _alone(query, codes.BADCOOKIE, w.option(codes.COOKIE, ours))
        # A signature is over the cookie, too (RFC 8945 4.3.3): such a query goes on as it came.
        wire = query.wire if query.wire[11] > 1 else without(query.wire, codes.COOKIE)
        return after(self.next(query.with_wire(wire, proven=good)), lambda reply: _with_cookie(reply, ours))

    def _demands(self, query: Query) -> bool:
        """Whether there has to be a good cookie: never where a connection has shown as much."""
        demand = self.demand
        return demand is not None and query.endpoint.transport == "udp" and query.client.packed in demand


def _with_cookie(reply: Reply, cookie: bytes) -> Reply:
    """The reply with a cookie, in place of one that came from upstream."""
    if not reply.wire:
        return reply
    if not reply.plain:
        try:
            wire = without(reply.wire, codes.COOKIE)
        except Malformed:   # relayed as it came
            return reply
        if wire is not reply.wire:
            reply = Reply(wire)
    return reply.with_option(codes.COOKIE, cookie)


def _alone(query: Query, rcode: int, option: bytes = b"") -> Reply:
    """A reply without records; its OPT record keeps the query's cookie from being echoed."""
    opt = w.opt_record(0, rcode >> 4, options=option)
    return Reply.build(query, rcode & w.RCODE, counts=(0, 0, 1), body=opt, plain=False)


def _truncated(query: Query) -> Reply:
    """For who knows nothing of cookies: come again over TCP (RFC 7873 5.2.1 leaves it to us)."""
    return Reply.build(query, flags=w.TC)
