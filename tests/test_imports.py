"""Imports of files, globs and snippets, and their bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corepy.corefile import Corefile, load
from corepy.directive import Directive
from corepy.errors import ConfigError, ConfigErrors

Read = Callable[[dict[str, str]], Corefile]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write files and read the one called Corefile, in a directory of the test's own."""
    monkeypatch.chdir(tmp_path)

    def read(files: dict[str, str]) -> Corefile:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return load(files["Corefile"], "Corefile", {"EXTRA": "parts/*.conf", "SNIP": "one"})

    return read


def lines(directive: Directive) -> list[str]:
    return [" ".join([line.name, *line.arguments]) for line in directive.block or []]


def names(corefile: Corefile) -> list[list[str]]:
    return [[*block.keys, "|", *(one.name for one in block.directives)] for block in corefile.blocks]


def test_snippets_stand_for_their_lines(read: Read) -> None:
    found = read(
        {
            "Corefile": "(one) {\n errors\n log . {\n  import two\n }\n}\n(two) {\n class all\n}\n"
            "(three) {\n c.test {\n  import one\n }\n}\n"
            ". {\n import {$SNIP}\n whoami\n}\nb.test { import one\n}\nimport three\n"
        }
    )
    assert names(found) == [
        [".", "|", "errors", "log", "whoami"],
        ["b.test", "|", "errors", "log"],
        ["c.test", "|", "errors", "log"],
    ]
    assert lines(found.blocks[0].directives[1]) == ["class all"]
    assert [(str(one.name), one.used) for one in found.snippets] == [("one", True), ("two", True), ("three", True)]
    assert str(found.blocks[0].directives[0].at) == "Corefile:2:2"


def test_files_are_found_beside_the_importing_file(read: Read) -> None:
    found = read(
        {
            "Corefile": "import parts/site.conf\n. {\n whoami\n}\n",
            "parts/site.conf": "a.test {\n log . {\n  import deep/lines\n }\n}\nimport ../other.conf",
            "parts/deep/lines": "class all\nimport ../more",
            "parts/more": "class error",
            "other.conf": "b.test",
        }
    )
    assert names(found) == [["a.test", "|", "log"], ["b.test", "|", "."]]
    assert lines(found.blocks[0].directives[0]) == ["class all", "class error"]
    assert found.files == ["Corefile", "parts/site.conf", "parts/deep/lines", "parts/more", "other.conf"]
    assert str(found.blocks[0].directives[0].at) == "parts/site.conf:2:2"


def test_a_glob_is_every_match_by_name(read: Read) -> None:
    found = read(
        {
            "Corefile": "import {$EXTRA}\n. {\n import none-*.conf\n import snippet\n}",
            "parts/b.conf": "b.test {\n}\n",
            "parts/a.conf": "a.test {\n}\n(snippet) {\n whoami\n}\n",
            "parts/.c.conf": "hidden.test {\n}\n",
            "parts/d.txt": "}",
        }
    )
    assert names(found) == [["hidden.test", "|"], ["a.test", "|"], ["b.test", "|"], [".", "|", "whoami"]]
    assert found.warnings == ["Corefile:3:9: no file matches import none-*.conf"]
    assert found.files == ["Corefile", "parts/.c.conf", "parts/a.conf", "parts/b.conf"]


def test_keys_can_be_imported(read: Read) -> None:
    found = read({"Corefile": "a.test,\nimport zones\n{\n whoami\n}", "zones": "b.test c.test # all\n"})
    assert names(found) == [["a.test", "b.test", "c.test", "|", "whoami"]]


def test_an_absolute_path(read: Read, tmp_path: Path) -> None:
    found = read({"Corefile": f"import {tmp_path}/x\nimport {tmp_path}/y*", "x": "x.test {\n}", "yy": "y.test {\n}"})
    assert names(found) == [["x.test", "|"], ["y.test", "|"]]
    assert found.files == ["Corefile", f"{tmp_path}/x", f"{tmp_path}/yy"]


def test_a_file_may_be_imported_twice_but_read_mistakes_count_once(read: Read) -> None:
    with pytest.raises(ConfigError, match=r"^bad:1:4: the block opened at bad:1:3 is not closed") as caught:
        read({"Corefile": "import bad\nimport bad", "bad": "a {"})
    assert not isinstance(caught.value, ConfigErrors)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (". {\n import\n}", "Corefile:2:2: import lacks an argument, expected one file, pattern or snippet"),
        ("import {\n}", "Corefile:1:8: import takes one argument, not '{' too, expected one file, pattern or snippet"),
        ("import a b", "Corefile:1:10: import takes one argument, not 'b' too, expected one file, pattern or snippet"),
        (
            "import a {\n}",
            "Corefile:1:10: import takes one argument, not '{' too, expected one file, pattern or snippet",
        ),
        ('import ""', "Corefile:1:8: import of nothing, expected one file, pattern or snippet"),
        (
            "import {$UP}",
            "of nothing (the environment variable UP is not set), expected one file, pattern or snippet",
        ),
        (
            "import */*.conf",
            "Corefile:1:8: import pattern '*/*.conf' has too many wildcards, expected at most one * and one ?",
        ),
        ("import [ab]", "Corefile:1:8: import pattern '[ab]' has too many wildcards, expected at most one * and one ?"),
        ("import gone", "Corefile:1:8: cannot import 'gone': No such file or directory, expected a file or a snippet"),
        ("import folder", "Corefile:1:8: cannot import 'folder': Is a directory, expected a file or a snippet"),
        ("(a) {\n}\n(a) {\n}", "Corefile:3:1: snippet 'a' is defined twice"),
        ("(a) {\n log {\n  import a\n }\n}", "Corefile:3:10: snippet 'a' imports itself"),
        (
            "(a) {\n import b\n}\n(b) {\n import a\n}\n. {\n import b\n}",
            "Corefile:2:9: import 'b' goes round in a circle: snippet 'b' -> snippet 'a' -> snippet 'b'",
        ),
        ("import self", "self:1:8: import 'self' goes round in a circle: self -> self"),
        (
            "import ping",
            "pong:1:8: import 'ping' goes round in a circle: ping -> pong -> ping",
        ),
        (
            "".join(f"({place}) {{\n import {place + 1}\n}}\n" for place in range(60)) + ". {\n import 0\n}",
            "Corefile:149:9: import '50' is one too many: imports nest 50 deep",
        ),
        (
            "(0) {\n}\n"
            + "".join(f"({place}) {{\n import {place - 1}\n import {place - 1}\n}}\n" for place in range(1, 20))
            + ". {\n import 19\n}",
            "is one too many: there are 10000",
        ),
    ],
)
def test_mistakes(read: Read, text: str, message: str) -> None:
    files = {"Corefile": text, "self": "import self", "ping": "import pong", "pong": "import ping", "folder/file": ""}
    with pytest.raises(ConfigError) as caught:
        read(files)
    assert str(caught.value).endswith(message)


def test_a_snippet_that_was_probably_meant(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read({"Corefile": "(answer) {\n}\n. {\n import answr\n}"})
    assert caught.value.hint == 'did you mean "answer"?'


def test_where_a_snippet_was_defined_before(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read({"Corefile": "(a) {\n}\nimport more", "more": "\n(a) {\n}"})
    assert str(caught.value) == "more:2:1: snippet 'a' is defined twice"
    assert caught.value.hint == "it was defined at Corefile:1:1"
