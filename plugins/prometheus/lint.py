"""What is seldom meant by a line of `prometheus`."""

from __future__ import annotations

from typing import Final

from corepy.rules import Rule

PLAIN: Final = Rule(
    "CPY240",
    "A web configuration without TLS",
    why="The endpoint speaks plain HTTP, and passwords, if it asks for any, cross the network as they are.",
    example=". {\n    prometheus localhost:9153 {\n        tls /dev/null\n    }\n    whoami\n}\n",
)

__all__ = ["PLAIN"]
