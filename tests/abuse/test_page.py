"""docs/security.md says what is: its bounds, its metrics, and the tests that it names."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from corepy import door, http, listener, ports
from corepy.metrics import FAMILIES
from corepy.plugins import cache, forward

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
BOUNDS = re.findall(r"^\| `([\w.]+)` \| ([\d,]*\d)[^|]*\|[^|]+\| ([^|]+) \|[^|]+\|$", PAGE, re.MULTILINE)
SAID_ELSEWHERE = """
    control.MAX_SOCKETS exprlang gotemplate grpcmessage mistakes records upstream.grpc wire yamlfile zone erratic
    autopath cache cookies forward.setup grpc.setup multisocket template.functions
"""
"""Modules whose bounds are those of a format or of what a Corefile says, and not of what others do."""
COUNTING = (door, http, listener, ports, cache, forward)
"""Whose metrics are there once they are imported."""


@pytest.mark.parametrize(("name", "value", "metric"), BOUNDS, ids=[name for name, _, _ in BOUNDS])
def test_a_bound_is_what_the_page_says_and_counted_as_it_says(name: str, value: str, metric: str) -> None:
    module, _, constant = name.rpartition(".")
    assert f"{getattr(import_module(f'corepy.{module}'), constant):,}" == value
    if metric != "-":
        assert COUNTING
        assert metric.strip("`") in {family.shown for family in FAMILIES.values()}


def test_there_are_bounds() -> None:
    assert len(BOUNDS) > 30


@pytest.mark.parametrize("place", sorted(set(re.findall(r"(tests/[\w/]+\.py)(?:: (test_\w+))?", PAGE))))
def test_tests_that_are_named_are_there(place: tuple[str, str]) -> None:
    path, name = place
    assert (ROOT / path).exists()
    assert not name or f"def {name}(" in (ROOT / path).read_text()


def test_every_most_is_on_the_page() -> None:
    """What is called MAX or MOST is a bound; a new one is to be found there, or has its reason above."""
    listed = {name for name, _, _ in BOUNDS}
    elsewhere = SAID_ELSEWHERE.split()
    for path in [*(ROOT / "corepy").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[1:] if parts[0] == "corepy" else parts)
        if module.startswith("testing") or (parts[0] == "corepy" and "plugins" in parts[1:2]):
            continue
        for constant in re.findall(r"^(\w*(?:MAX|MOST)\w*): Final = [\d(]", path.read_text(), re.MULTILINE):
            name = f"{module}.{constant}"
            shared = any(f"{name}.".removeprefix("plugins.").startswith(f"{each}.") for each in elsewhere)
            assert name in listed or shared, f"{name}: add it to docs/security.md"
