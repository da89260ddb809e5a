"""root: where relative paths begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from corepy import corefile, site
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.root import Root
from corepy.site import Site
from corepy.words import Word


def parse(text: str) -> Root:
    lines = directives(text)
    [plugin] = Root.parse_all(lines)
    for line in lines:
        line.finish()
    return plugin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root zones", Root(Word("zones"))),
        ("root /etc/zones", Root(Word("/etc/zones"))),
        ("root a\nroot b", Root(Word("b"))),
        ("root", "1:1: 'root' lacks an argument, expected a path"),
        ("root a b", "1:8: unexpected argument 'b', expected the end of the line"),
        ("root a\nroot", "2:1: 'root' lacks an argument, expected a path"),
        (
            "root {\nzones\n}",
            "2:1: unexpected 'zones' in a block, opened at Corefile:1:6 by '{', expected no block for root",
        ),
        ("root a {\n}", "1:8: unexpected '{', expected no block for root"),
    ],
)
def test_lines(text: str, expected: Root | str) -> None:
    try:
        result: object = parse(text)
    except ConfigError as error:
        result = str(error).removeprefix("plugin/root: Corefile:")
    assert result == expected


@pytest.mark.parametrize(
    ("root", "name", "path"),
    [("", "a", "a"), ("/r", "a/b", "/r/a/b"), ("r", "./a", "r/a"), ("/r", "/a", "/a"), ("r", "../a", "r/../a")],
)
def test_paths(root: str, name: str, path: str) -> None:
    assert Site([], root=root).path(name) == Path(path)


def test_other_plugins_find_it_wherever_it_stands() -> None:
    text = "example.org {\nhosts names\nroot /r\n}\nexample.net {\nhosts names\n}\n"
    first, second = site.build(corefile.load(text, "Corefile")).sites
    assert first.path("names") == Path("/r/names")
    assert second.path("names") == Path("names")


def test_what_is_not_there_may_come_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parse(f"root {tmp_path}").start()
    assert not capsys.readouterr().out
    parse(f"root {tmp_path}/missing").start()
    assert capsys.readouterr().out == f"[WARNING] '{tmp_path}/missing' does not exist\n"


def test_what_nobody_can_look_into(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"Corefile:1:6: cannot look into '.*/file/zones': Not a directory"):
        parse(f"root {tmp_path}/file/zones").start()
