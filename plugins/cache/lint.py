"""What a `cache` line says and seldom means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from corepy.plugin import ConfigError, Directive
from corepy.rules import Rule
from corepy.words import shown

if TYPE_CHECKING:
    from corepy.site import Site

NO_TTL: Final = Rule(
    "CPY205",
    "A word of cache is a zone and looks like something else",
    "Only names in that zone are cached. A TTL is a number of seconds without a unit, and options are in the block.",
    "example.org {\n    cache 30s\n    whoami\n}\n",
)


def check(directive: Directive, site: Site) -> Iterator[ConfigError]:
    """Look for zones of one label, which the server block does not have and nobody has ended with a dot."""
    mine = {key.zone for key in site.keys}
    for word in directive.arguments:
        if re.fullmatch(r"[0-9]+|.*[.:/].*", word) or mine.issuperset(directive.as_zones([word])):
            continue
        hint = f"'{word}.' says that it is meant as a zone"
        yield NO_TTL.warn(f"{shown(word)} is read as a zone", word.at, hint)
