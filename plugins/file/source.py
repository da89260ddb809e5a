"""Where a zone of `file` comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from corepy.errors import Position


@dataclass
class Source:
    """A zone file, as the Corefile names it."""

    path: Path
    """Below `root` if relative."""
    reload: float = 60.0
    """Seconds between two looks whether the file has another serial; 0 for none."""
    by_mtime: bool = False
    """Whether the time of its last modification counts, in place of the serial."""
    at: Position | None = field(default=None, compare=False)
    """Where the Corefile names the file."""
