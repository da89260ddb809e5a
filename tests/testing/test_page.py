"""Every example of docs/testing.md and docs/testing-reference.md runs, and the one leads to the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PAGE, REFERENCE = [(ROOT / "docs" / name).read_text() for name in ("testing.md", "testing-reference.md")]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE + REFERENCE, re.MULTILINE | re.DOTALL)
SCREEN = 62
"""Lines of the page where one begins."""


def test_every_example(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    python = [text for language, text in BLOCKS if language == "python"]
    [corefile] = [text for language, text in BLOCKS if language == "corefile"]
    [yaml] = [text for language, text in BLOCKS if language == "yaml"]
    (pytester.path / "Corefile").write_text(corefile)
    (pytester.path / "page.dnstest.yaml").write_text(yaml)
    for number, text in enumerate(python):
        (pytester.path / f"test_page{number}.py").write_text(text)  # the one without a test runs when it is imported
    options = ["-p", "corepy.testing.pytest_plugin", "-p", "no:cacheprovider"]
    pytester.runpytest_subprocess(*options, "--corefile-snapshot-update")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=len(python) - 1 + 1)
    assert {language for language, _ in BLOCKS} == {"sh", "python", "corefile", "yaml"}


def test_the_way_to_the_reference() -> None:
    titles = re.findall(r"^## (.*)$", REFERENCE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"testing-reference\.md#([\w-]+)", PAGE)) <= anchors
    assert len(PAGE.splitlines()) <= SCREEN
