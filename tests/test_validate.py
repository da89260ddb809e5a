"""corepy -validate: everything that is wrong, in one go, and nothing that merely follows from it."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepy import corefile, registry, site
from corepy.__main__ import main
from corepy.errors import ConfigError, ConfigErrors
from corepy.plugin import Directive, Plugin
from corepy.report import FORMATS
from corepy.rules import ConfigWarning
from corepy.site import Site
from corepy.source import Source
from corepy.validate import validate

TEN = """\
a.example {
    forwrd . 192.0.2.53
    forward . 192.0.2.53 {
        max_fails many
        expire soon
    }
    azure
    import nowhere
    hosts {
        ttl 0
    }
}
a.example:99999 {
    whoami twice
}
b..example {
    whoami
}
}
"""


def found(text: str) -> list[str]:
    return [str(one).replace("Corefile:", "") for one in validate(Source(None, "Corefile", text.encode()))]


def test_ten_mistakes_are_found_at_once() -> None:
    assert [line.partition(", expected")[0] for line in found(TEN)] == [
        "2:5: unknown directive 'forwrd'",
        "plugin/forward: 4:19: invalid argument 'many'",
        "plugin/forward: 5:16: invalid argument 'soon'",
        "plugin/azure: 7:5: the directive 'azure' of CoreDNS is not built yet",
        "8:12: cannot import 'nowhere': No such file or directory",
        "plugin/hosts: 10:13: invalid argument '0'",
        "13:1: invalid port '99999' in 'a.example:99999'",
        "plugin/whoami: 14:12: unexpected argument 'twice'",
        "16:1: invalid zone: 'b..example' has an empty label",
        "19:1: '}' closes no block",
    ]


def test_files_that_are_missing_are_found_for_each_line() -> None:
    words = ["nowhere/resolv.conf", "neither/resolv.conf"]
    lines = "".join(f" forward {zone}.a {word}\n" for zone, word in zip("bc", words, strict=True))
    assert [line.partition(" ")[2][:6] for line in found(f"a {{\n{lines}}}\n")] == ["2:14: ", "3:14: "]


def test_what_an_open_block_takes_in_is_not_held_against_it() -> None:
    assert found("a {\n whoami x\n log {\n whoami\n}\nb {\n whoami\n}\n") == [
        "8:2: the block opened at 1:3 is not closed, expected '}' in a line of its own",
    ]


def test_nothing_is_missed_in_what_was_not_understood() -> None:
    assert found("(s) {\n whoami\n}\na {\n import s twice\n}\n") == [
        "5:11: import takes one argument, not 'twice' too, expected one file, pattern or snippet"
    ]


def test_a_mistake_in_a_snippet_is_one_however_often_it_is_imported() -> None:
    assert found("(s) {\n whoami x\n}\na {\n import s\n}\nb {\n import s\n}\n") == [
        "plugin/whoami: 2:9: unexpected argument 'x', expected no arguments"
    ]


def test_a_plugin_is_asked_what_only_files_can_tell(directives: Callable[..., None]) -> None:
    class Looking(Plugin):
        @classmethod
        def parse(cls, directive: Directive) -> Self:
            directive.word()
            return cls()

        def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:
            [line] = lines
            assert len(site.keys) == 1
            yield ConfigError(f"{line.word()} is not there")

    directives(looking=Looking)
    assert found("a {\n bind 127.0.0.1\n looking here\n looking there\n whoami\n}") == [
        "plugin/looking: 3:2: here is not there",
        "plugin/looking: 4:2: there is not there",
    ]


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr("socket.socket", never)
    example = Path(__file__).parents[1] / "Corefile.example"
    assert all(isinstance(found, ConfigWarning) for found in validate(Source(str(example), str(example))))


TOKENS = [
    *sorted(registry.built_in()), *'ab{}#",\n\r 0.:/*', " {\n", "\n}\n", "\n", " ", " . ", "import ", "(s)", " s ",
    "{$X}", "example.org", " 192.0.2.1 ", " ::1/64 ", " 30s ", " 10 ", " IN ", " A ", " fallthrough\n", "\x00", "é",
]  # fmt: skip


@given(st.one_of(st.binary(), st.lists(st.sampled_from(TOKENS), max_size=40).map(lambda text: "".join(text).encode())))
@example(b". {\n forward . \xff\n}\n")
@example(b":\nloop")
def test_whatever_the_bytes_there_is_a_report(text: bytes) -> None:
    findings = validate(Source(None, "Corefile", text))
    for write in FORMATS.values():
        assert write(findings).encode("utf-8", "surrogateescape") or not findings


# --- the Corefiles of all tests ---

FILES = sorted(path for path in (Path(__file__).parent).rglob("test_*.py") if path != Path(__file__))


def corefiles(path: Path) -> Iterator[str]:
    """The texts of a test that may be Corefiles, and those that may be a directive of the plugin that it tests."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if "{\n" in node.value:
                yield node.value
            if node.value.startswith(path.stem.removeprefix("test_")):
                yield f". {{\n{node.value}\n}}\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_server_rejects_is_wrong_and_what_it_takes_is_not(path: Path) -> None:
    for text in corefiles(path):
        errors = rejected(text)
        findings = validate(Source(None, "Corefile", text.encode("utf-8", "surrogateescape")))
        wrong = [(one.at, one.what) for one in findings if not isinstance(one, ConfigWarning)]
        if any("is not closed" in what for _, what in wrong):
            continue   # what follows from that is left out
        assert {(error.at, error.what) for error in errors} <= set(wrong), text
        if not errors:   # what shows only when a server starts: files that are out of reach
            assert all(re.search("(?i)no such file|not a directory|cannot", what) for _, what in wrong), text


def rejected(text: str) -> list[ConfigError]:
    """What keeps a server from starting with this text."""
    try:
        site.build(corefile.load(text, "Corefile", known=registry.known()))
    except ConfigErrors as found:
        return found.errors
    except ConfigError as error:
        return [error]
    return []


# --- the command line ---


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "Corefile"


WARNED = ". {\n    whoami\n    log\n    log\n}\n"


@pytest.mark.parametrize(
    ("text", "arguments", "status", "last"),
    [
        (". {\n whoami\n}\n", ["-validate"], 0, "nothing is wrong"),
        ("", ["-validate"], 0, "nothing is wrong"),
        (WARNED, ["-validate"], 0, "1 warning"),
        (WARNED, ["-validate=strict"], 1, "1 error"),
        (TEN, ["-validate"], 1, "10 errors"),
        (TEN, ["-conf", "elsewhere", "-validate"], 1, "1 error"),
    ],
)
def test_the_exit_status_tells_whether_a_server_would_start(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, arguments: list[str], status: int, last: str
) -> None:
    file.write_text(text)
    assert main(arguments) == status
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_formats(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(WARNED)
    assert main(["-validate", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == 1
    assert main(["-validate=strict", "--format=github"]) == 1
    assert capsys.readouterr().out == (
        "::error file=Corefile,line=4,col=5,title=CPY109%3A A directive is there twice"
        "::'log' stands at Corefile:3:5 already\n"
    )
    assert main(["-validate", "--format", "sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"
    assert main(["-validate", "--format", "xml"]) == 2
    assert capsys.readouterr().err.startswith('invalid value "xml" for flag -format\n')


# --- the conformance kit, where there is one ---

KIT = Path(os.environ.get("CONFORMANCE_KIT", Path(__file__).parents[2] / "shared/conformance"))
"""Beside the checkout, unless the environment says where."""
CASES = sorted(KIT.glob("cases/*"))
_VARIABLE = re.compile(r"\{[$%](\w+)[%}]")


def machine(name: str, number: int) -> str:
    """What stands for a variable of a case: ports, addresses of fakes, the folder of certificates."""
    if name == "CERTS":
        return str(KIT / "certs")
    if name.startswith("UP_") and not name.endswith("_PORT"):
        return "127.0.0.1" if name.endswith("_HOST") else f"127.0.0.1:{number}"
    return "localhost" if name == "HOSTNAME" else str(number)


@pytest.mark.skipif(not CASES, reason=f"no conformance kit in {KIT}")
@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_kit_is_rejected_where_a_server_rejects_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yaml = pytest.importorskip("yaml")
    for place in sorted(folder.glob("*/Corefile")):
        case = yaml.safe_load((place.parent / "case.yaml").read_text())
        if case.get("expand_files"):
            continue   # files that are not yet what they are for a server
        variables = dict.fromkeys([*_VARIABLE.findall(place.read_text()), *case.get("ports", ())])
        values = {name: machine(name, 20_000 + at) for at, name in enumerate(variables)} | (case.get("env") or {})
        with monkeypatch.context() as patch:
            patch.chdir(place.parent)
            for name, value in values.items():
                patch.setenv(name, str(value))
            findings = validate(Source("Corefile", "Corefile"))
        errors = [one for one in findings if not isinstance(one, ConfigWarning)]
        if any("not built yet" in error.what for error in errors):
            continue
        if not case.get("start_fails"):
            assert [str(error) for error in errors] == [], place
        # What only shows when a server starts, such as a port in use, is said without a line.
        lines = {int(line) for said in case.get("stderr") or () for line in re.findall(r"Corefile\\?:(\d+)", said)}
        assert not lines or lines & {error.at.line for error in errors if error.at}, place
