"""`python -m corepy.covered FILE [FLAG...]`: corepy, which at its end writes down what its queries have met.

FILE gets JSON: for each configuration that was made, in their order, the numbers that belong to the places that
`Coverage.watch` gives for its Corefile. Processes of `multisocket` keep theirs to themselves.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from corepy import site
from corepy.__main__ import main
from corepy.source import Source
from corepy.testing.coverage import Coverage, Place

if TYPE_CHECKING:
    from corepy.corefile import Corefile


def run(arguments: list[str]) -> int:
    """Serve until the end, and write the file; the exit status of corepy."""
    made: list[tuple[Coverage, list[Place]]] = []

    class Watched(Source):
        """A Corefile whose configurations are watched, each for itself."""

        def build(self, parsed: Corefile) -> site.Configuration:
            coverage = Coverage()
            configuration = site.build(parsed, default_port=self.port, wrap=coverage.wrap)
            made.append((coverage, coverage.watch(parsed, configuration)))
            return configuration

    file, *flags = arguments
    try:
        return main(flags, source=Watched)
    finally:
        Path(file).write_text(json.dumps([coverage.counts(places) for coverage, places in made]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
