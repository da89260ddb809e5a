"""The layout of a Corefile: what becomes of its space, and that nothing else becomes of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepy.corefile import Corefile, load
from corepy.directive import Directive
from corepy.errors import ConfigError
from corepy.layout import format_corefile


def formatted(text: str | bytes) -> str:
    return format_corefile(text, "Corefile")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n \n", ""),
        ("# alone", "# alone\n"),
        ("\ufeff.  {\n\twhoami\r\n}", ". {\n    whoami\n}\n"),
        (". {\nlog .  {\nclass\tall\n}\n}\n", ". {\n    log . {\n        class all\n    }\n}\n"),
        (". { log\n}\n", ". {\n    log\n}\n"),
        (". { }", ". {\n}\n"),
        ("\n\na {\n\n\n whoami\n\n\n log\n\n}\n\n", "a {\n    whoami\n\n    log\n}\n"),
        ("a {\n}\nb {\n}\n", "a {\n}\n\nb {\n}\n"),
        ("a {\n} b {\n}\n", "a {\n} b {\n}\n"),
        ("a {#1\n log#2 \n#3 \n}#4\n#5", "a { #1\n    log #2\n    #3\n} #4\n\n#5\n"),
        ('a {\n nsid "x\r\n  y"z\n}', 'a {\n    nsid "x\r\n  y" z\n}\n'),
        ("a,\nb\n{\nwhoami\n}", "a,\nb\n{\n    whoami\n}\n"),
        ("a\nwhoami  x\nlog", "a\nwhoami x\nlog\n"),
        (". {\n nsid {$X} {%Y%} c\rd\n}", ". {\n    nsid {$X} {%Y%} cd\n}\n"),
    ],
)
def test_space(text: str, expected: str) -> None:
    assert formatted(text) == expected


@pytest.mark.parametrize("text", [". {", "}", '. "a', ". { log }"])
def test_what_has_no_syntax_has_no_layout(text: str) -> None:
    with pytest.raises(ConfigError, match="Corefile:1:"):
        formatted(text)


def test_bytes_that_are_no_utf8_stay_what_they_are() -> None:
    assert formatted(b"a {\nnsid \xff # \xfe\n}").encode("utf-8", "surrogateescape") == (
        b"a {\n    nsid \xff # \xfe\n}\n"
    )


TOKENS = [*'ab{}#"\\,\n\r \t', " {\n", "\n}\n", "import", "(s)", " x", "{$X}", "# c\n", '"q"', "\x85", "\u2028", "é"]


def meaning(corefile: Corefile) -> object:
    """All that a Corefile says, without its places."""
    blocks = [(block.keys, [plain(one) for one in block.directives]) for block in corefile.blocks]
    return blocks, [(each.name, each.used) for each in corefile.snippets], corefile.files


def plain(directive: Directive) -> object:
    block = None if directive.block is None else [plain(line) for line in directive.block]
    return directive.name, directive.arguments, block


@given(st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)))
@example("a {\n} import {\n}\n")
@example("(s) {\n log\n}\na {\n import s\n}\n")
@example("a { \r\n log \r# x\r\n}\r\n")
def test_the_layout_changes_no_meaning_and_is_its_own(text: str) -> None:
    try:
        before = load(text, "Corefile", {"X": "x {"})
    except ConfigError:
        return
    once = formatted(text)
    assert meaning(load(once, "Corefile", {"X": "x {"})) == meaning(before)
    assert formatted(once) == once


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_no_comment_is_lost(text: str) -> None:
    try:
        load(text, "Corefile", {})
    except ConfigError:
        return
    assert formatted(text).count("#") == text.count("#")
