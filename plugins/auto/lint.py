"""What `auto` finds in a directory and does not serve."""

from __future__ import annotations

from typing import Final

from corepy.rules import Rule

LEFT_OUT: Final = Rule(
    "CPY211",
    "A directory of zones, or something in it, is left out",
    "The server starts without it and looks again from time to time; until then the zone is unknown.",
    "example.org {\n    auto {\n        directory nowhere\n    }\n}\n",
)
