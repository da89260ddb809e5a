"""What `loadbalance` says and seldom means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from corepy.errors import Position
from corepy.plugin import ConfigError
from corepy.plugins.loadbalance.weights import parse_weights
from corepy.rules import Rule
from corepy.words import shown

NO_WEIGHTS: Final = Rule(
    "CPY212",
    "The weight file is not there",
    "The server starts without it and looks for it from time to time; until then addresses stay as they come.",
    "example.org {\n    loadbalance weighted nowhere/weights\n    whoami\n}\n",
)


def check(path: Path, at: Position, *, waits: bool) -> Iterator[ConfigError]:
    """Read the weight file; `waits` tells whether a server that does not find it looks again."""
    what = f"cannot read {shown(str(path))}"
    try:
        parse_weights(path.read_bytes())
    except OSError as error:
        what = f"{what}: {error.strerror}"
        yield NO_WEIGHTS.warn(what, at) if waits else ConfigError(what, at)
    except ValueError as error:
        yield ConfigError(f"{what}: {error}", at)
