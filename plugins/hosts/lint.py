"""What a `hosts` directive says and seldom means."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from corepy.plugin import ConfigError, Directive
from corepy.plugins.hosts.table import parse_address
from corepy.rules import Rule
from corepy.words import shown

OPTIONS: Final = ("fallthrough", "fallthrough_unsupported", "no_reverse", "reload", "ttl")
"""What a line of the block may begin with that is no entry."""

NO_FILE: Final = Rule(
    "CPY203",
    "The hosts file is not there",
    "The server starts without it and looks for it from time to time; until then its names are unknown.",
    "example.org {\n    hosts nowhere/hosts\n}\n",
)
NO_ENTRY: Final = Rule(
    "CPY204",
    "A line of hosts is no entry",
    "It begins neither with an address nor with the name of an option, and is left out.",
    "example.org {\n    hosts {\n        192.0.2.256 a.example.org\n    }\n}\n",
)


def check(path: Path | None, directive: Directive) -> Iterator[ConfigError]:
    """Look at the file, if the directive names one, and at the lines of the block."""
    if path is not None and (what := look(path)):
        yield NO_FILE.warn(what, directive.arguments[0].at)
    for line in directive.block or []:
        if line.name not in OPTIONS and not parse_address(line.name.encode("utf-8", "surrogateescape")):
            yield NO_ENTRY.warn(f"{shown(line.name)} is neither an address nor an option", line.at)


def look(path: Path) -> str:
    """What is odd about a hosts file; empty if nothing is. Raises ConfigError where it is out of reach."""
    try:
        return f"{shown(str(path))} is a directory" if stat.S_ISDIR(path.stat().st_mode) else ""
    except FileNotFoundError:
        return f"{shown(str(path))} does not exist"
    except OSError as error:
        raise ConfigError(f"cannot read {shown(str(path))}: {error.strerror}") from error
