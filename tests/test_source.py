"""corepy.source: which Corefile is read, and what is said where it cannot be."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from corepy.errors import ConfigError
from corepy.source import NotFound, Source

WHOAMI = "example.org {\n whoami\n}\n"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.conf").write_text(WHOAMI)
    (tmp_path / "empty.conf").write_text("# nothing\n")
    (tmp_path / "bad.conf").write_text(". {\n nonsense\n}\n")


@pytest.mark.parametrize(
    ("conf", "served", "reloadable"),
    [
        (None, [".:53"], False),
        ("", [".:53"], False),
        ("some.conf", ["example.org.:53"], True),
        ("empty.conf", [".:53"], True),
    ],
)
def test_what_is_found(conf: str | None, served: list[str], reloadable: bool) -> None:
    source = Source.find(conf, 53)
    assert source.read().describe() == served
    assert source.reloadable == reloadable


def test_a_corefile_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(WHOAMI)
    assert Source.find(None, 1053).read().describe() == ["example.org.:1053"]


@pytest.mark.parametrize(("given", "served", "reloadable"), [(WHOAMI, "example.org.:53", True), (" \n", ".:53", False)])
def test_standard_input_is_read_once(
    monkeypatch: pytest.MonkeyPatch, given: str, served: str, reloadable: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    source = Source.find("stdin", 53)
    assert [source.read().describe() for _ in range(2)] == [[served]] * 2
    assert source.reloadable == reloadable


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ("gone.conf", "doing it: open gone.conf: no such file or directory"),
        (".", "doing it: read .: is a directory"),
    ],
)
def test_what_cannot_be_read(conf: str, words: str) -> None:
    with pytest.raises(NotFound) as caught:
        Source.find(conf, 53).read("doing it")
    assert str(caught.value) == words


def test_directives_are_checked_unless_any_will_do() -> None:
    source = Source.find("bad.conf", 53)
    with pytest.raises(ConfigError, match="unknown directive 'nonsense'"):
        source.parse()
    assert source.parse(any_directive=True).digest
