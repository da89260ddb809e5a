"""Look at the Corefile every now and then, and ask for a reload when it has changed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy.metrics import Across, Counter, Gauge
from corepy.plugin import ConfigError, Directive, Plugin

if TYPE_CHECKING:
    from corepy.origin import Origin
    from corepy.site import Site

FAILED: Final = Counter("reload_failed_total", "Changes of the Corefile that could not be served.")
VERSION: Final = Gauge(
    "reload_version_info", "The configuration that was tried last, by its hash.", ("hash", "value"), across=Across.SAME
)

MIN_INTERVAL: Final = 2.0
MIN_JITTER: Final = 1.0


@dataclass
class Reload(Plugin):
    """How often to look, in seconds; not in the chain. Of several server blocks' the last one counts."""

    once: ClassVar[bool] = True

    interval: float = 30.0
    jitter: float = 15.0
    """The looks of several servers that were started together are spread over so much time; 0 for none."""
    _seen: str = field(default="", init=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """`reload [INTERVAL] [JITTER]`, with CoreDNS's bounds."""
        plugin = cls()
        if (word := directive.optional()) is not None:
            plugin.interval = directive.as_duration(word, "an interval", MIN_INTERVAL)
        if (word := directive.optional()) is not None:
            plugin.jitter = directive.as_duration(word, "a jitter")
            if plugin.jitter and plugin.jitter < MIN_JITTER:
                raise directive.error(f"invalid argument '{word}'", word, "a jitter of 0 or of at least 1s")
        plugin.jitter = min(plugin.jitter, plugin.interval / 2)
        directive.finish()
        return plugin

    def configure(self, site: Site) -> None:
        """Be the one who looks, if no later block has another."""
        site.watcher = self

    def begin(self, digest: str) -> float:
        """From now on this is what changes are measured against."""
        self._seen = digest
        running = f"Running configuration SHA512 = {digest}"
        self.log.info(running)
        return self.interval + self.jitter * (random.random() - 0.5)

    async def look(self, origin: Origin) -> None:
        """Reload if the files say something new. What fails is not tried again before it changes."""
        try:
            digest = await origin.look()
        except ConfigError as error:
            remark = f"Corefile parse failed: {error}"
            self.log.warning(remark)
            return
        if digest is None or digest == self._seen:
            return
        self._seen = digest
        VERSION.clear()
        VERSION.set(1, "sha512", digest)
        try:
            await origin.reload()
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the old configuration goes on
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        remark = f"Corefile changed but reload failed: {error}"
        self.log.error(remark)
        FAILED.add()
