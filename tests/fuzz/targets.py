"""What is fuzzed: each target takes any octets, and lets nothing out but the failure of what it checks.

`TARGETS` has each with octets to begin from. `run.py` drives one of them with atheris, guided by coverage;
`test_targets.py` all of them, for a moment, with mutations that are the same in every run.
"""

from tests.fuzz import server, texts, transfer, transport
from tests.fuzz.target import TARGETS

__all__ = ["TARGETS", "server", "texts", "transfer", "transport"]
