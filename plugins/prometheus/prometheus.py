"""Count queries and replies, and show all that is counted anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import http
from corepy import wire as w
from corepy.metrics import Family, Gauge
from corepy.plugin import Directive, Failure, Outcome, Plugin, Query, Reply, after
from corepy.plugins.prometheus.traffic import Traffic, report, traffic

if TYPE_CHECKING:
    from corepy.query import Endpoint
    from corepy.site import Site

_ENABLED: Final = Gauge("plugin_enabled", "Plugins in the chains that are watched.", ("server", "zone", "view", "name"))


@dataclass
class Prometheus(Plugin):
    """Metrics at `http://HOST:PORT/metrics`; no host stands for all addresses, port 0 for any that is free."""

    once: ClassVar[bool] = True

    host: str = "localhost"
    port: int = 9153
    runtime: bool = False
    """Whether there is more about Python's own life; one block that wants it is enough."""
    _traffic: dict[tuple[Endpoint, bytes], Traffic] = field(default_factory=dict, init=False, compare=False, repr=False)
    _zones: list[bytes] = field(default_factory=list, init=False, compare=False, repr=False)
    """Those of the server block, the longest first."""
    _lease: http.Lease | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `prometheus [ADDRESS]` and its block."""
        _need_library(directive)
        plugin = cls()
        if (word := directive.optional()) is not None:
            plugin.host, plugin.port = directive.as_address(word)
        directive.no_more()
        for option in directive.options("runtime_metrics", "tls"):
            if option.name == "tls":
                hint = "keep the endpoint on localhost, or put a proxy in front of it"
                raise option.error("tls is not built yet", hint=hint)
            plugin.runtime = True
        return plugin

    def configure(self, site: Site) -> None:
        """Hear which plugin answers, and of queries that get to none."""
        self._site = site
        self._zones = sorted((key.zone for key in site.keys), key=len, reverse=True)
        site.follow, site.report = self, report

    async def start(self) -> None:
        """Open the endpoint. Raises OSError where the address cannot be had."""
        Family.watched = True
        self._lease = await http.listen(self.host, self.port, {"/metrics": self._show}, self.clock)

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
        zone = self._zones[0] if len(self._zones) == 1 else self._longest(query)
        found = self._traffic.get((query.endpoint, zone))
        if found is None:
            endpoint = query.endpoint
            found = traffic(endpoint.server, w.decode_name(zone), self._site.view, endpoint.proto)
            self._traffic[endpoint, zone] = found
        return found

    def _longest(self, query: Query) -> bytes:
        return next((zone for zone in self._zones if w.is_subdomain(query.key, zone)), b"\0")

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


def _need_library(directive: Directive) -> None:
    """Look for the library before anything is opened."""
    try:
        import prometheus_client  # noqa: F401, PLC0415 - a library that few Corefiles need
    except ImportError as error:
        hint = "it comes with: pip install 'corepy[prometheus]'"
        raise directive.error(f"needs the library prometheus-client: {error}", hint=hint) from None
