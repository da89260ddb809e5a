"""Comments and a flag that ignore warnings, and what is said of those that do so without need."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.__main__ import main
from corepy.corefile import comments
from corepy.rules import ConfigWarning
from corepy.silence import silence, unknown_ids
from corepy.source import Source
from corepy.validate import validate


def found(text: str, *ignore: str) -> list[str]:
    """Id, line and column of each finding."""
    return [
        f"{one.rule.id if isinstance(one, ConfigWarning) else 'CPY001'} {one.at.line}:{one.at.column}"
        for one in validate(Source(None, "Corefile", text.encode()), ignore) if one.at
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (". {\n log\n log\n whoami\n}", ["CPY109 3:2"]),
        (". {\n log\n log # corepy: ignore CPY109\n whoami\n}", []),
        (". {\n log\n log #corepy:ignore cpy109: twice as loud: really\n whoami\n}", []),
        (". {\n log\n # corepy: ignore CPY109\n\n # about the line below\n log\n whoami\n}", []),
        (". {\n log\n # corepy: ignore CPY102, CPY109\n log\n whoami\n}", ["CPY111 3:19"]),
        (". {\n log\n log\n # corepy: ignore CPY109\n whoami\n}", ["CPY109 3:2", "CPY111 4:19"]),
        (". {\n log\n log # corepy: ignore CPY1O9\n whoami\n}", ["CPY109 3:2", "CPY110 3:23"]),
        (". {\n log\n log # corepy: ignore\n whoami\n}", ["CPY109 3:2", "CPY110 3:6"]),
        (". {\n whoami # we ask corepy: ignore CPY109\n}", []),
        ('. {\n whoami "# corepy: ignore CPY109"\n}', ["CPY001 2:9"]),
        # An error stays, and a rule that may not have seen all is not held against a comment.
        (". {\n whoami twice # corepy: ignore CPY001, CPY109\n}", ["CPY001 2:9"]),
        ('. {\n log\n log # corepy: ignore CPY109\n whoami "\n}', ["CPY001 4:9"]),
        # The rules of plugins that the Corefile does not have.
        (". {\n whoami # corepy: ignore CPY201\n}", ["CPY111 2:26"]),
        (". {\n whoami\n}\n# corepy: ignore CPY102", ["CPY111 4:18"]),
    ],
)
def test_comments(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_an_unknown_id_comes_with_the_nearest_one() -> None:
    [_, warning] = validate(Source(None, "Corefile", b". {\n log\n log # corepy: ignore CPY1O9\n whoami\n}"))
    assert (warning.what, warning.hint) == ("'CPY1O9' is no rule", 'did you mean "CPY109"?')


def test_comments_of_imported_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("common").write_text("log\nlog # corepy: ignore CPY109\n")
    assert found(". {\n import common\n whoami\n}\n") == []


def test_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Corefile").write_text(". {\n log\n log\n forward . 192.0.2.53\n}\n")
    assert main(["-validate=strict", "-ignore", "cpy109, CPY207"]) == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    assert main(["-validate=strict", "-ignore=CPY109"]) == 1
    assert main(["-validate", "-ignore=CPY109,CPY2O7"]) == 2
    assert capsys.readouterr().err == (
        'invalid value "CPY2O7" for flag -ignore: no such rule\ndid you mean "CPY217"?\n'
    )


def test_what_rules_there_are() -> None:
    assert unknown_ids(["CPY101", "CPY210"]) == []
    assert unknown_ids(["nothing"]) == [("nothing", "")]


@given(st.text(st.sampled_from('#corepy:ignore CPY109,"\\\n{}'), max_size=60))
def test_whatever_the_text_comments_are_found_where_they_stand(text: str) -> None:
    rows = text.split("\n")
    for comment, _ in comments(text, "Corefile"):
        assert rows[comment.at.line - 1][comment.at.column - 1 :].startswith(comment)
    assert all(isinstance(one, ConfigWarning) for one in silence([], {"Corefile": text}))
