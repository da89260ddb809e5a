"""The Corefile that a test gives: text or a file, and what is found beside it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from corepy import corefile
from corepy.corefile import Corefile
from corepy.testing.layout import add_line


@dataclass(frozen=True)
class Given:
    """A Corefile's text, and the folder of its file: there relative paths begin, where no `root` says otherwise."""

    text: str
    name: str = "Corefile"
    folder: Path | None = None
    environment: Mapping[str, str] | None = None
    """Variables of the Corefile, beside those of the process."""

    @classmethod
    def of(cls, what: str | Path, beside: Path | None = None, environment: Mapping[str, str] | None = None) -> Given:
        """From text, or from a path: relative to the folder `beside` if it is there, else to the working directory.

        Text has a line break or a brace in it. Raises OSError for a file that cannot be read.
        """
        if isinstance(what, str) and ("\n" in what or "{" in what):
            return cls(what, environment=environment)
        path = Path(what)
        if beside is not None and (beside / path).exists():
            path = beside / path
        path = path.resolve()
        return cls(path.read_text(encoding="utf-8"), str(path), path.parent, environment)

    def read(self, text: str, known: Collection[str] | None) -> Corefile:
        """A Corefile in the place of this one, as it reads. Raises ConfigError."""
        variables = {**os.environ, **self.environment} if self.environment else None
        parsed = corefile.load(text, self.name, variables, known)
        if self.folder is not None:
            add_line(parsed, "root", str(self.folder))
        return parsed


__all__ = ["Given"]
