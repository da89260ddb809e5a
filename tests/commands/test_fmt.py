"""corepy fmt: files, standard input, and what it exits with."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from corepy.__main__ import main

UNTIDY = ".   {\n  whoami # yes\n}"
TIDY = ". {\n    whoami # yes\n}\n"


@pytest.fixture
def corefile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "Corefile"
    path.write_text(UNTIDY)
    return path


def test_the_corefile_of_the_directory_goes_to_standard_output(
    corefile: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["fmt"]) == 0
    assert capfdbinary.readouterr().out == TIDY.encode()
    assert corefile.read_text() == UNTIDY


def test_write_changes_the_file_and_keeps_its_mode_and_links(corefile: Path) -> None:
    corefile.chmod(0o640)
    link = corefile.with_name("link")
    link.symlink_to(corefile)
    assert main(["fmt", "-w", "link"]) == 0
    assert corefile.read_text() == TIDY
    assert corefile.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(path.name for path in corefile.parent.iterdir()) == ["Corefile", "link"]


def test_check_names_what_is_not_formatted(corefile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = corefile.with_name("other")
    other.write_text(TIDY)
    assert main(["fmt", "--check", "Corefile", "other"]) == 1
    assert capsys.readouterr().out == "Corefile is not formatted\n"
    assert main(["fmt", "--check", "other"]) == 0
    assert corefile.read_text() == UNTIDY


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UNTIDY.encode())))
    assert main(["fmt", "-"]) == 0
    assert capfdbinary.readouterr().out == TIDY.encode()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing"], 1, "missing: No such file or directory\n"),
        (["broken"], 1, "broken:1:"),
        (["-w", "-check"], 2, "corepy fmt: -check writes nothing, so -w makes no sense with it\n"),
        (["-x"], 2, "flag provided but not defined: -x\nUsage of corepy fmt:\n  -check\n"),
    ],
)
def test_what_cannot_be(
    corefile: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    corefile.with_name("broken").write_text(". {\n")
    assert main(["fmt", *arguments]) == status
    assert capsys.readouterr().err.startswith(message)
