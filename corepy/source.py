"""Where the Corefile comes from: a file, standard input, or nowhere, which means the built-in one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from corepy import corefile, registry, site
from corepy.corefile import Corefile
from corepy.log import log


class NotFound(Exception):  # noqa: N818 - says what happened, as FileNotFoundError would
    """A Corefile that cannot be read; the text is CoreDNS's."""


@dataclass(frozen=True)
class Source:
    """Where the configuration comes from, again at each reload.

    `path` is None for the built-in Corefile; `text` is kept for standard input, which can be read once.
    """

    path: str | None
    name: str = "Corefile"
    text: bytes | None = None
    port: int = 53

    @classmethod
    def find(cls, conf: str | None, port: int) -> Source:
        """The Corefile that the flags name: a file, `stdin`, else ./Corefile, else the built-in one.

        Raises NotFound.
        """
        if conf == "stdin":
            text = sys.stdin.buffer.read()
            return cls(None, "/dev/stdin", text, port) if text.strip() else cls(None, port=port)
        if not conf:
            return cls("Corefile" if Path("Corefile").is_file() else None, port=port)
        return cls(conf, conf, port=port)

    def read(self, doing: str = "loading Caddyfile via flag") -> site.Configuration:
        """The configuration as the files are now. Raises NotFound and ConfigError."""
        return self.build(self.parse(doing))

    def build(self, parsed: Corefile) -> site.Configuration:
        """The configuration of a Corefile that has been read. Raises ConfigErrors."""
        for warning in parsed.warnings:
            log.warning(warning)
        return site.build(parsed, default_port=self.port)

    def parse(self, doing: str = "loading Caddyfile via flag", *, any_directive: bool = False) -> Corefile:
        """The Corefile as the files are now, on request with any directives. Raises NotFound and ConfigError."""
        known = None if any_directive else registry.known()
        parsed = corefile.load(self.fetch(doing), self.name, known=known)
        return parsed if parsed.blocks else corefile.load(self._default(), self.name, known=known)

    def fetch(self, doing: str) -> bytes:
        """The Corefile's octets. Raises NotFound, with what one was `doing`."""
        if self.path is None:
            return self.text if self.text is not None else self._default()
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            verb = "read" if isinstance(error, IsADirectoryError) else "open"
            raise NotFound(f"{doing}: {verb} {self.path}: {(error.strerror or str(error)).lower()}") from None

    @property
    def reloadable(self) -> bool:
        """Whether there is anything to read again; the built-in Corefile never changes."""
        return self.path is not None or self.text is not None

    def _default(self) -> bytes:
        return b".:%d {\n    whoami\n    log\n}\n" % self.port


__all__ = ["NotFound", "Source"]
