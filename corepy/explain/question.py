"""One question on its way: through the door, to a server block, through its chain."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from corepy import codes, http, site
from corepy import wire as w
from corepy.address import Address
from corepy.clock import SYSTEM
from corepy.door import Door
from corepy.endpoint import Endpoint
from corepy.errors import ConfigError, Malformed
from corepy.explain.stubs import Stubs
from corepy.explain.trace import Trace
from corepy.finish import error_reply
from corepy.proxyproto import encode_v2
from corepy.query import Query
from corepy.router import Filtered, Router
from corepy.site import Bind
from corepy.stream import frame

if TYPE_CHECKING:
    from corepy.corefile import Corefile
    from corepy.errors import Position
    from corepy.listener import Listener
    from corepy.plugin import Plugin
    from corepy.site import Configuration, Site


@dataclass(frozen=True)
class Asked:
    """A question as it comes in: the message, from whom, over what, and behind which PROXY header."""

    wire: bytes
    peer: Address
    """Who sends it."""
    proxied: Address | None = None
    """The client of a PROXY header in front of it, if there is one."""
    stream: bool = False
    """Whether it comes over TCP."""
    to: Address | None = None
    """The address that is asked; None for the first one that has a server block for the name."""
    session: bool = False
    """Whether the header comes before it, in a datagram of its own."""


class Zone(NamedTuple):
    """A zone that the name is in: its server block, and what the router made of it."""

    zone: str
    at: Position
    why: str
    chosen: bool = False


@dataclass
class Explanation:
    """What became of a question."""

    asked: Asked
    listener: str
    """The listener as logs name it: `dns://:53`."""
    live: bool
    """Whether upstreams were asked."""
    client: Address
    """Who asks, as plugins see it."""
    trace: Trace
    places: Mapping[int, Position]
    """Where the directives of plugins stand, by the id of the plugin."""
    transport: str = "udp"
    """What carries the question, as plugins see it: `udp`, `tcp`, `tls`."""
    door: str = ""
    """What became of the PROXY header, where there is a door or a header."""
    zones: list[Zone] = field(default_factory=list)
    """The longest first."""
    reply: bytes = b""
    """The message for the client; empty where it is sent none."""


async def explain(corefile: Corefile, asked: Asked, stubs: Stubs | None = None, *, port: int = 53) -> Explanation:
    """Ask a Corefile one question. Needs an event loop of its own. Raises ConfigError where it cannot be served.

    A Corefile is good for one call, since reading its directives uses them up. `port` is for zones that say none.
    Lines that plugins log go to standard error.
    """
    return (await explain_each(corefile, [asked], stubs, port=port))[0]


async def explain_each(
    corefile: Corefile, questions: Sequence[Asked], stubs: Stubs | None = None, *, port: int = 53
) -> list[Explanation]:
    """Ask several questions, one after the other, of the same server: later ones find in caches what earlier ones left.

    Otherwise as `explain`.
    """
    stubs, trace = stubs or Stubs(), Trace()
    with redirect_stdout(sys.stderr), stubs.in_place():
        configuration = site.build(corefile, default_port=port, wrap=trace.wrap)
        async with _started(configuration):
            stubs.watch(trace)
            server, where = _Server(configuration, corefile), places(configuration, corefile)
            explanations = []
            for asked in questions:
                found = Explanation(asked, "", stubs.live, asked.peer, trace, where)
                await _ask(server, asked, found)
                found.trace = trace.cut()
                explanations.append(found)
            return explanations


@asynccontextmanager
async def _started(configuration: Configuration) -> AsyncIterator[None]:
    """The plugins of the chains, started; the others could only open what a server beside this process has open."""
    http.opened_by(_Closed())
    started: list[Plugin] = []
    try:
        for plugin in configuration.plugins:
            if plugin.serve is not None:
                started.append(plugin)
                await _maybe(plugin.start())
        yield
    except OSError as error:
        raise ConfigError(f"cannot start: {error}", plugin=started[-1].name) from error
    finally:
        for plugin in started:
            await _maybe(plugin.stop())


async def _maybe(result: object) -> None:
    if result is not None:
        await result  # type: ignore[misc]  # start() and stop() return None or an awaitable


class _Closed:
    """Opens no endpoint: nobody is going to ask it."""

    port = 0

    async def listen(
        self, _host: str, _port: int, routes: Mapping[str, http.Handler], _guard: object, *, one: bool  # noqa: ARG002
    ) -> http.Lease:
        """A lease of nothing."""
        return http.Lease(self, routes)

    async def reach(self, _path: str) -> None:
        """Nothing is there."""

    def give_back(self, lease: http.Lease) -> None:
        """There was nothing."""


def places(configuration: Configuration, corefile: Corefile) -> dict[int, Position]:
    """Where each plugin stands, by its id: its own line where every line is one plugin, else the first of its name."""
    found: dict[int, Position] = {}
    for made, block in zip(configuration.sites, corefile.blocks, strict=True):
        for plugin in made.plugins:
            alike = [id(each) for each in made.plugins if each.name == plugin.name]
            lines = [each.at for each in block.directives if each.name == plugin.name]
            found[id(plugin)] = lines[alike.index(id(plugin)) if len(lines) == len(alike) else 0]
    return found


# --- where it goes ---


class _Server:
    """The listeners of a configuration, with the server blocks behind each."""

    def __init__(self, configuration: Configuration, corefile: Corefile) -> None:
        self.listeners = configuration.listeners
        self.routes: dict[Bind, list[tuple[bytes, Site]]] = {}
        self._at = {id(made): block.at for made, block in zip(configuration.sites, corefile.blocks, strict=True)}
        for made in configuration.sites:
            for host in made.hosts:
                for key in made.keys:
                    self.routes.setdefault(Bind(key.scheme, host, key.port), []).append((key.zone, made))

    def bind(self, asked: Asked) -> Bind:
        """The listener that is asked. Raises ConfigError where none listens there."""
        if asked.to is not None:
            there = [bind for bind in self.routes if bind.port == asked.to.port and bind.host in ("", asked.to.host)]
            if not there:
                raise ConfigError(f"no server block listens on {asked.to}")
            return max(there, key=lambda bind: len(bind.host))
        binds = sorted(self.routes, key=lambda bind: bind.scheme != "dns")
        return next((bind for bind in binds if self._serves(bind, asked)), binds[0])

    def _serves(self, bind: Bind, asked: Asked) -> bool:
        try:
            return self.choose(bind, Query(asked.wire, endpoint(bind, asked), asked.proxied or asked.peer)) is not None
        except Malformed:
            return False

    def choose(self, bind: Bind, query: Query) -> Site | None:
        """The server block that answers: what the listener's own router says of the same routes."""
        routes = self.routes[bind]
        return Router((zone, Filtered(each.takes, each) if each.takes else each) for zone, each in routes).route(query)

    def zones(self, bind: Bind, query: Query) -> list[Zone]:
        """The zones that the name is in, the longest first, and which of them was chosen."""
        chosen = self.choose(bind, query)
        suffixes = list(w.suffixes(query.key))
        within = [(zone, each) for suffix in suffixes for zone, each in self.routes[bind] if zone == suffix]
        own = [zone for zone, each in within if each is chosen]   # a block may have several
        if query.qtype == codes.DS:
            own = [zone for zone in own if zone != b"\0"][::-1] or own
        found = []
        for zone, each in within:
            mine = each is chosen and zone == own[0]
            better = "an earlier block" if own and zone == own[0] else "a longer zone"
            found.append(Zone(w.decode_name(zone), self._at[id(each)], _why(query, each, mine, better), mine))
        return found


def _why(query: Query, made: Site, chosen: bool, better: str) -> str:
    """What the router made of a zone."""
    view = f"view {made.view}, " if made.takes is not None else ""
    if chosen:
        reason = "the topmost zone but the root: DS is above the zone cut"
        return f"chosen: {view}{reason if query.qtype == codes.DS else 'the longest zone'}"
    if made.takes is not None and not made.takes(query):
        return f"not chosen: its view {made.view} does not take the query"
    return f"not chosen: {'DS is above the zone cut' if query.qtype == codes.DS else better + ' fits'}"


def endpoint(bind: Bind, asked: Asked) -> Endpoint:
    """The listening side, as plugins see it."""
    plain = "tcp" if asked.stream else "udp"
    return Endpoint(plain if bind.scheme == "dns" else bind.scheme, bind.server, bind.port)


def _local(bind: Bind, asked: Asked) -> Address:
    """Our own address: the one that is asked, else that of the listener, else loopback."""
    return asked.to or Address.of(bind.host or ("127.0.0.1" if asked.peer.family == 4 else "::1"), bind.port)


# --- the way ---


async def _ask(server: _Server, asked: Asked, found: Explanation) -> None:
    """Go the way, and write down what became of the question."""
    bind = server.bind(asked)
    listener = server.listeners[bind]
    found.listener = bind.server
    side, local = endpoint(bind, asked), _local(bind, asked)
    found.transport = side.transport
    wire = _admit(listener, asked, local, found, stream=side.proto == "tcp")
    if not wire:
        return
    try:
        query = Query(wire, side, found.client, local)
    except Malformed as error:
        found.door = f"{found.door}{'; ' * bool(found.door)}not a query: {error}"
        found.reply = b"" if error.rcode is None else error_reply(wire, error.rcode, error.question)
        return
    found.zones = server.zones(bind, Query(wire, side, found.client, local))
    found.reply = listener.seal(query, await listener.answer(query))


def _admit(listener: Listener, asked: Asked, local: Address, found: Explanation, *, stream: bool) -> bytes:
    """The message behind the door, empty where it is not let in; the client and the words go into `found`."""
    header = encode_v2(asked.proxied, local, stream=stream) if asked.proxied else b""
    door = listener.door
    if door is None:
        if header:
            found.door = "no proxyproto on this listener: the PROXY header is taken for the message"
        return asked.wire if not header else b"" if stream else header + asked.wire
    drops = door.drops.counts if isinstance(door, Door) else {}
    before = dict(drops)
    now = SYSTEM.now()
    if stream:
        admitted = door.stream().feed(header + frame(asked.wire), asked.peer, now)
    else:
        peer = asked.peer.to_sockaddr()
        if asked.session and door.datagram(header, peer, now) is None:
            header = b""   # has done what it can do
        admitted = door.datagram(header + asked.wire, peer, now)
    if not admitted:
        reasons = [str(why) for why, count in drops.items() if count != before[why]]
        found.door = f"not let in: {', '.join(reasons) or 'by the door'}"
        return b""
    if admitted[1] is not None:
        found.client = admitted[1]
        how = "a session of" if (asked.session and not stream) or not asked.proxied else "the PROXY header of"
        found.door = f"{how} {asked.peer} is believed: the client is {found.client}"
    elif asked.proxied:
        found.door = f"the PROXY header of {asked.peer} is not believed: the client is the peer"
    return asked.wire
