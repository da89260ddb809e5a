"""Count queries and replies, and show all that is counted anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import http
from corepy import wire as w
from corepy.errors import ConfigErrors
from corepy.metrics import Across, Family, Gauge
from corepy.plugin import ConfigError, Directive, Failure, Outcome, Plugin, Query, Reply, after
from corepy.plugins.prometheus.lint import PLAIN
from corepy.plugins.prometheus.traffic import Traffic, report, traffic
from corepy.words import Word

if TYPE_CHECKING:
    from corepy.endpoint import Endpoint
    from corepy.site import Site
    from corepy.webguard import WebGuard

_ENABLED: Final = Gauge(
    "plugin_enabled", "Plugins in the chains that are watched.", ("server", "zone", "view", "name"), across=Across.SAME
)


@dataclass
class Prometheus(Plugin):
    """Metrics at `http://HOST:PORT/metrics`; no host stands for all addresses, port 0 for any that is free."""

    once: ClassVar[bool] = True

    host: str = "localhost"
    port: int = 9153
    runtime: bool = False
    """Whether there is more about Python's own life; one block that wants it is enough."""
    tls: Word | None = None
    """The web configuration file that secures the endpoint."""
    _traffic: dict[tuple[Endpoint, bytes], Traffic] = field(default_factory=dict, init=False, compare=False, repr=False)
    _zones: set[bytes] = field(default_factory=set, init=False, compare=False, repr=False)
    """Those of the server block, and those that plugins find while they run."""
    _only: bytes | None = field(default=None, init=False, compare=False, repr=False)
    """The one of them, if there is one; then nothing has to be looked for."""
    _lease: http.Lease | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `prometheus [ADDRESS]` and its block."""
        _need(directive, "prometheus-client", "prometheus_client")
        plugin = cls()
        if (word := directive.optional()) is not None:
            plugin.host, plugin.port = directive.as_address(word)
        directive.no_more()
        for option in directive.options("runtime_metrics", "tls", once=("tls",)):
            if option.name == "tls":
                plugin.tls = _tls(option)
            else:
                plugin.runtime = True
        return plugin

    def configure(self, site: Site) -> None:
        """Hear which plugin answers, and of queries that get to none."""
        self._site = site
        self._zones = {key.zone for key in site.keys}
        self._only = next(iter(self._zones)) if len(self._zones) == 1 else None
        site.follow, site.report = self, report
        if self.tls is not None:
            self._alone(self.tls, [plugin for block in site.blocks for plugin in block.plugins])

    def _alone(self, tls: Word, plugins: Iterable[Plugin]) -> None:
        """See to it that no other block secures the address otherwise."""
        for other in plugins:
            if not isinstance(other, Prometheus) or (other.host, other.port) != (self.host, self.port):
                continue
            if other.tls is not None and other.tls != tls:
                raise ConfigError(f"this address is secured by '{other.tls}' already, at {other.tls.at}", tls.at)

    def check(self, _lines: Sequence[Directive], _site: Site) -> Iterator[ConfigError]:
        """What the web configuration gets wrong, and whether it secures anything."""
        if self.tls is None:
            return
        try:
            guard = self._guard()
        except ConfigErrors as found:
            yield from found.errors
            return
        if guard is not None and guard.secure() is None:
            hint = "tls_server_config with cert_file and key_file"
            yield PLAIN.warn(f"'{self.tls}' has no tls_server_config", self.tls.at, hint=hint)

    async def start(self) -> None:
        """Open the endpoint. Raises OSError where the address cannot be had, ConfigErrors for its web configuration."""
        Family.watched = True
        routes = {"/metrics": self._show}
        self._lease = await http.listen(self.host, self.port, routes, self.clock, self._guard())

    def _guard(self) -> WebGuard | None:
        """What secures the endpoint."""
        if self.tls is None:
            return None
        from corepy.webguard import WebGuard  # noqa: PLC0415 - with libraries that few Corefiles need

        return WebGuard(str(self.tls), self.clock)

    def stop(self) -> None:
        """Close the endpoint, unless a new configuration has taken it over."""
        if self._lease is not None:
            self._lease.close()

    @property
    def endpoint(self) -> http.Lease | None:
        """Where the metrics are; None before the start."""
        return self._lease

    # --- queries ---

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, and count what comes back."""
        query.reached = reached = [""]
        started = self.clock.now()
        try:
            outcome = self.next(query)
        except Exception as error:
            self._failed(query, started, error)
            raise
        if outcome.__class__ is Reply:
            self._of(query).reply(query, outcome, reached[0], self.clock.now() - started)
            return outcome
        return after(outcome, self._counter(query, started), lambda error: self._failed(query, started, error))

    def _counter(self, query: Query, started: float) -> Callable[[Reply], Reply]:
        def count(reply: Reply) -> Reply:
            self._of(query).reply(query, reply, query.reached[0], self.clock.now() - started)
            return reply

        return count

    def _failed(self, query: Query, started: float, error: Exception) -> Exception:
        """Count what the client is told of a failure, which no plugin has written; bugs are the listener's to count."""
        if isinstance(error, Failure):
            self._of(query).count(query, error.rcode, "", self.clock.now() - started, 0)
        return error

    def _of(self, query: Query) -> Traffic:
        """Where a query counts: under the longest zone of the block that it is in."""
        zone = self._only or next((zone for zone in w.suffixes(query.key) if zone in self._zones), b"\0")
        found = self._traffic.get((query.endpoint, zone))
        if found is None:
            endpoint = query.endpoint
            found = traffic(endpoint.server, w.decode_name(zone), self._site.view, endpoint.proto)
            self._traffic[endpoint, zone] = found
        return found

    def zone_added(self, origin: bytes) -> None:
        """Count queries for this zone, a key, on their own, as those for the zones of the server block."""
        self._zones.add(origin)
        self._only = None

    def zone_removed(self, origin: bytes) -> None:
        """Count them no more, unless it is a zone of the server block."""
        if all(key.zone != origin for key in self._site.keys):
            self._zones.discard(origin)

    # --- the endpoint ---

    def _show(self, _request: http.Request) -> http.Response:
        from corepy.plugins.prometheus import exposition  # noqa: PLC0415 - a library that few Corefiles need

        watching = [plugin for site in self._site.blocks for plugin in site.plugins if isinstance(plugin, Prometheus)]
        _ENABLED.clear()
        for plugin in watching:
            plugin._enabled()  # noqa: SLF001 - another one of us
        page = exposition.page(runtime=any(plugin.runtime for plugin in watching))
        return http.Response(page, content_type=exposition.CONTENT_TYPE)

    def _enabled(self) -> None:
        """Say which plugins are in the chain."""
        site = self._site
        names = [plugin.name for plugin in site.plugins if plugin.serve is not None]
        for host in site.hosts:
            for key in site.keys:
                server = site.server(key, host)
                for name in names:
                    _ENABLED.set(1, server, w.decode_name(key.zone), site.view, name)


def _tls(option: Directive) -> Word:
    """The path of a web configuration."""
    _need(option, "PyYAML", "yaml")
    _need(option, "bcrypt", "bcrypt")
    return option.word("the path of a web configuration")


def _need(directive: Directive, name: str, module: str) -> None:
    """Look for a library before anything is opened."""
    try:
        import_module(module)
    except ImportError as error:
        hint = "it comes with: pip install 'corepy[prometheus]'"
        raise directive.error(f"needs the library {name}: {error}", hint=hint) from None
