"""Tell whether all plugins are ready, or else which are not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from corepy import http
from corepy.plugin import Directive, Plugin

if TYPE_CHECKING:
    from corepy.site import Site


@dataclass
class Ready(Plugin):
    """Readiness at `http://HOST:PORT/ready`; no host stands for all addresses, port 0 for any that is free.

    Every endpoint speaks for all server blocks that have a `ready`.
    """

    once: ClassVar[bool] = True

    host: str = ""
    port: int = 8181
    continuously: bool = False
    """Whether a plugin that was seen ready is asked again."""
    _seen: list[Plugin] = field(default_factory=list, init=False, compare=False, repr=False)
    """Plugins of this block that are not asked any more."""
    _lease: http.Lease | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `ready [ADDRESS]` and its block."""
        plugin = cls()
        if (word := directive.optional()) is not None:
            plugin.host, plugin.port = directive.as_address(word)
        directive.no_more()
        for option in directive.options("monitor"):
            plugin.continuously = option.choice("until-ready", "continuously") == "continuously"
        return plugin

    def configure(self, site: Site) -> None:
        """Get to know the other plugins, and the other blocks."""
        self._site = site

    async def start(self) -> None:
        """Open the endpoint. Raises OSError where the address cannot be had."""
        self._lease = await http.listen(self.host, self.port, {"/ready": self._answer}, self.clock)

    def leave(self) -> None:
        """Who is going to end is not ready any more: close the endpoint, as CoreDNS does."""
        self.stop()

    def stop(self) -> None:
        """Close the endpoint, unless a new configuration has taken it over."""
        if self._lease is not None:
            self._lease.close()

    @property
    def endpoint(self) -> http.Lease | None:
        """Where readiness is told; None before the start."""
        return self._lease

    def lacking(self) -> set[str]:
        """The plugins of this block that are not ready."""
        ready = [plugin for plugin in self._site.plugins if plugin not in self._seen and plugin.ready()]
        names = {plugin.name for plugin in self._site.plugins if plugin not in self._seen and plugin not in ready}
        if not self.continuously:
            self._seen += ready
        return names

    def _answer(self, _request: http.Request) -> http.Response:
        watching = [plugin for site in self._site.blocks for plugin in site.plugins if isinstance(plugin, Ready)]
        names: set[str] = set().union(*[plugin.lacking() for plugin in watching])
        if not names:
            return http.Response(b"OK")
        text = ",".join(sorted(names))
        line = f'Plugins not ready: "{text}"'
        self.log.info(line)
        return http.Response(text.encode(), 503)
