"""The syntax of a Corefile: words, quotes, comments, braces, positions; any bytes are a Corefile or an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepy.corefile import directives, load
from corepy.directive import Directive
from corepy.errors import ConfigError, ConfigErrors, Position

UNCLOSED = "is not closed, expected '}' in a line of its own"
ENVIRON = {"X": "x y", "BRACE": "{", "HASH": "#", "QUOTE": '"', "LOOP": "{$LOOP}"}


def tree(directive: Directive) -> list[object]:
    """A directive as nested lists: the words of its line, then the lines of its block if it has one."""
    words: list[object] = [directive.name, *directive.arguments]
    return words if directive.block is None else [*words, [tree(line) for line in directive.block]]


def words(line: str) -> list[object]:
    """The words of one directive."""
    (directive,) = directives(line, environ=ENVIRON)
    return tree(directive)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log", ["log"]),
        ("  log\t.\u00a0a\u3000b ", ["log", ".", "a", "b"]),
        ('nsid "two words" ""', ["nsid", "two words", ""]),
        (r'nsid "a \"b\" c" d\e "f\g" "h\\i"', ["nsid", 'a "b" c', r"d\e", r"f\g", r"h\\i"]),
        ('nsid mid"dle "start"end', ["nsid", 'mid"dle', "start", "end"]),
        ("nsid 'single quotes' `ticks`", ["nsid", "'single", "quotes'", "`ticks`"]),
        ('nsid "two\nlines" still "" here', ["nsid", "two\nlines", "still", "", "here"]),
        ('nsid "a\r\nb" c\rd', ["nsid", "a\r\nb", "cd"]),
        ('"nsid" "#" "{" "}"', ["nsid", "#", "{", "}"]),
        ("whoami#attached", ["whoami"]),
        ('whoami # { } "', ["whoami"]),
        ('nsid "a"# comment', ["nsid", "a"]),
        ("nsid {} {x x} }{ {{", ["nsid", "{}", "{x", "x}", "}{", "{{"]),
        ("log {\n}", ["log", []]),
        ("log { }", ["log", []]),
        ("log {#comment\n}#comment", ["log", []]),
        ("log {\r\n}\r\n", ["log", []]),
        ("log . { class all\n}", ["log", ".", [["class", "all"]]]),
        ("a {\n b {\n c\n }\n\n d\n}", ["a", [["b", [["c"]]], ["d"]]]),
        ("nsid {$X} {%X%} {$BRACE} {$HASH} {$QUOTE}", ["nsid", "x y", "x y", "{", "#", '"']),
        ("{$X} {$NO}", ["x y", ""]),
        ("\ufeffwhoami", ["whoami"]),
    ],
)
def test_one_directive(text: str, expected: list[object]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (". { whoami }", "Corefile:1:12: unexpected '}', expected it as the first word of a line"),
        (". {\n log {\n class all }\n}", "Corefile:3:12: unexpected '}', expected it as the first word of a line"),
        (". {\n whoami\n", f"Corefile:2:8: the block opened at Corefile:1:3 {UNCLOSED}"),
        (". {\n log {\n }\n x {", f"Corefile:4:5: the block opened at Corefile:4:4 {UNCLOSED}"),
        ("}", "Corefile:1:1: '}' closes no block"),
        (". {\n}\n}\n", "Corefile:3:1: '}' closes no block"),
        ('. {\n nsid "a\n b\n', "Corefile:2:7: the quoted word has no end, expected '\"'"),
        (r'. "a\"', "Corefile:1:3: the quoted word has no end, expected '\"'"),
        (". {\n {\n }\n}", "Corefile:2:2: unexpected '{', expected the brace on the line of its directive"),
        (". {\n log\n {\n }\n}", "Corefile:3:2: unexpected '{', expected the brace on the line of its directive"),
        (". {\n log { } x\n}", "Corefile:2:10: unexpected 'x' behind '}', expected the end of the line"),
        (". {\n log { } { }\n}", "Corefile:2:10: unexpected '{' behind '}', expected the end of the line"),
        (". {$LOOP}", "Corefile:1:3: environment variables refer to each other without end: '{$LOOP}'"),
        ("a {\n log\0\n}", "Corefile:2:2: a NUL in 'log\\x00'"),
        ("a {\n" * 52 + "}\n" * 52, "Corefile:51:3: '{' is one too many: blocks nest 50 deep"),
        ("a {\n" * 10_000, "Corefile:51:3: '{' is one too many: blocks nest 50 deep"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, "Corefile", ENVIRON)
    assert str(caught.value) == message


def test_lines_count_on_after_a_quoted_line_break() -> None:
    found = directives('nsid "a\nb" c # d\n\n  log x')
    assert [(word.at.line, word.at.column) for word in found[0].arguments] == [(1, 6), (2, 4)]
    assert found[1].at == Position("Corefile", 4, 3, "  log x")


def test_an_error_shows_its_line_without_carriage_return() -> None:
    with pytest.raises(ConfigError) as caught:
        load(".\t{ whoami }\r\n", "Corefile", {})
    assert caught.value.explain().splitlines()[1:] == ["    .\t{ whoami }", "     \t         ^"]


def test_all_mistakes_are_found_in_the_order_of_the_file() -> None:
    text = "a.test { whoami }\nb.test {\n  nonsense\n}\n}\nc.test {\n  import\n  forwrd . ::1\n"
    with pytest.raises(ConfigErrors) as caught:
        load(text, "Corefile", {}, known=["whoami", "forward"])
    assert [str(error) for error in caught.value.errors] == [
        "Corefile:1:17: unexpected '}', expected it as the first word of a line",
        "Corefile:3:3: unknown directive 'nonsense', expected a directive of CoreDNS or of an installed plugin",
        "Corefile:5:1: '}' closes no block",
        "Corefile:7:3: import lacks an argument, expected one file, pattern or snippet",
        "Corefile:8:3: unknown directive 'forwrd', expected a directive of CoreDNS or of an installed plugin",
        f"Corefile:8:15: the block opened at Corefile:6:8 {UNCLOSED}",
    ]
    assert caught.value.errors[-2].hint == 'did you mean "forward"?'


def test_a_value_opens_no_block() -> None:
    text = ". {\n  log . {$OPEN}\n    class all\n  }\n  whoami\n}\n"
    with pytest.raises(ConfigErrors) as caught:
        load(text, "Corefile", {"OPEN": "x {"}, known=["log", "whoami"])
    assert str(caught.value).startswith("Corefile:3:5: unknown directive 'class'")


def test_directives_are_case_sensitive() -> None:
    with pytest.raises(ConfigError, match="Corefile:2:2: unknown directive 'Whoami'") as caught:
        load(". {\n Whoami\n}", "Corefile", {}, known={"whoami"})
    assert caught.value.hint == 'did you mean "whoami"?'


def test_a_comment_that_touches_a_word_is_warned_of() -> None:
    text = ". {\n forward . ::1#one 1.1.1.1\n whoami#all is well?\n nsid a #b c\n log#x\n}"
    assert load(text, "Corefile", {}).warnings == [
        f"Corefile:{at}: the comment at {word} touches it, CoreDNS reads a part of it as words"
        for at, word in (("2:12", "'::1'"), ("3:2", "'whoami'"))
    ]


def test_bytes_that_are_no_utf8_stay_what_they_are() -> None:
    (block,) = load(b"\xef\xbb\xbf. {\n nsid \xff\xc3\xa4\n}", "Corefile", {}).blocks
    assert block.directives[0].arguments[0].encode("utf-8", "surrogateescape") == b"\xff\xc3\xa4"
    assert block.at.column == 1


def test_variables_are_the_process_own_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREFILE_TEST", "example.org")
    assert load("{$COREFILE_TEST}", "Corefile").blocks[0].keys == ["example.org"]
    assert load("{$COREFILE_TEST}.", "Corefile", {}).blocks[0].keys == ["."]


TOKENS = [" ", "\n", "{", "}", " {\n", "\n}\n", ".", "a,", "log", "import ", "import s\n", "import t", "import *x"]
TOKENS += ['"', '"a\nb"', "\\", "#", "(s)", "(t) {\n", "{$X}", "{$NO}", "{%X%}", "{$LOOP}", "\r", ",", "\0", "\ud800"]


@given(st.one_of(st.binary(), st.text(), st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)))
@example("{$X\0=}")
@example("import \0")
@example("import \ud800")
@example("import */\ud800")
def test_any_bytes_are_a_corefile_or_an_error(text: str | bytes) -> None:
    error = None
    try:
        corefile = load(text, "nowhere/Corefile", ENVIRON)
    except ConfigError as caught:
        error = caught
    if error is None:
        assert corefile.files == ["nowhere/Corefile"]
        assert all(block.keys for block in corefile.blocks)
    else:
        assert error.at is not None
        assert "\n" not in str(error)
        assert error.explain().startswith(str(error))


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\{\0"), max_size=8)


@given(st.lists(st.lists(WORDS, min_size=1), min_size=1))
def test_quoted_words_are_read_as_they_were_written(lines: list[list[str]]) -> None:
    text = "\n".join(" ".join('"' + word.replace('"', '\\"') + '"' for word in line) for line in lines)
    if any(line[0] == "import" for line in lines):
        return
    assert [tree(directive) for directive in directives(text)] == lines


def test_a_large_corefile_is_read_in_time() -> None:
    text = "".join(f"zone{number}.test {{\n forward . 192.0.2.1 {{\n max_fails 1\n }}\n}}\n" for number in range(500))
    assert len(load(text, "Corefile", {}).blocks) == 500


def test_nothing_is_imported_that_costs_time() -> None:
    source = Path(__file__).parent.parent
    code = "import sys, corepy.corefile; print('dnslib' in sys.modules or 'asyncio' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True)  # noqa: S603
    assert result.stdout == "False\n"
