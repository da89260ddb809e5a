"""Every example of docs/testing.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "docs/testing.md").read_text(), re.MULTILINE | re.DOTALL)


def test_every_example(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    python = [text for language, text in BLOCKS if language == "python"]
    [corefile] = [text for language, text in BLOCKS if language == "corefile"]
    [yaml] = [text for language, text in BLOCKS if language == "yaml"]
    (pytester.path / "Corefile").write_text(corefile)
    (pytester.path / "page.dnstest.yaml").write_text(yaml)
    for number, text in enumerate(python):
        (pytester.path / f"test_page{number}.py").write_text(text)  # the one without a test runs when it is imported
    result = pytester.runpytest_subprocess("-p", "corepy.testing.pytest_plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=len(python) - 1 + 1)
    assert {language for language, _ in BLOCKS} == {"sh", "python", "corefile", "yaml"}
