"""What people call from their repositories: the pre-commit hook, the GitHub action, the example's workflow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Run a script of the shell where a Corefile is, with corepy in the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in ("corepy", "-m corepy"), ("python3", ""):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (programs / name).chmod(0o755)

    def call(script: str, corefile: str, **variables: str) -> subprocess.CompletedProcess[str]:
        assert BASH is not None
        (tmp_path / "Corefile").write_text(corefile)
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), **variables}
        return subprocess.run(  # noqa: S603 - the scripts of this repository
            [BASH, "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return call


needs_bash = pytest.mark.skipif(BASH is None, reason="the scripts are bash's")
GOOD, BAD, WARNING = ".:1053 {\n whoami\n}\n", ". {\n nonsense\n}\n", ".:1053 {\n forward . 192.0.2.1\n}\n"


@needs_bash
def test_the_hook(run: Any) -> None:
    [hook] = read(".pre-commit-hooks.yaml")
    assert hook["language"] == "python"
    assert run(hook["entry"], GOOD).returncode == 0
    found = run(hook["entry"], BAD)
    assert found.returncode == 1
    assert "Corefile:2:2" in found.stdout + found.stderr


@needs_bash
def test_the_action(run: Any) -> None:
    action = read("action.yml")
    steps = {step["name"]: step for step in action["runs"]["steps"]}
    assert all(f"inputs.{name}" in str(steps) for name in action["inputs"])
    validate = steps["Validate"]["run"]
    for text, strict, code in (GOOD, "false", 0), (WARNING, "false", 0), (WARNING, "true", 1), (BAD, "false", 1):
        assert run(validate, text, COREFILE="Corefile", STRICT=strict).returncode == code, (text, strict)
    found = run(validate, BAD, COREFILE="Corefile", STRICT="false")
    assert "::error file=Corefile,line=2," in found.stdout + found.stderr


def test_the_workflow_of_the_example() -> None:
    steps = read("examples/test-your-corefile/.github/workflows/corefile.yml")["jobs"]["test"]["steps"]
    scripts = "\n".join(step.get("run", "") for step in steps)
    for command in ("pip install 'corepy[testing]'", "corepy -conf Corefile -validate", "--coredns-bin ./coredns"):
        assert command in scripts
