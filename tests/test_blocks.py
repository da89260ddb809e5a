"""Server blocks: which words are keys, and where a block begins and ends."""

from __future__ import annotations

import pytest

from corepy.corefile import load
from corepy.errors import ConfigError


def blocks(text: str) -> list[tuple[list[str], list[str]]]:
    """The keys of each server block and the names of its directives."""
    found = load(text, "Corefile", {"ZONE": "example.org", "TWO": "a.test b.test", "COMMA": "a.test,"}).blocks
    return [([str(key) for key in block.keys], [str(one.name) for one in block.directives]) for block in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\n\n", []),
        (".", [(["."], [])]),
        (". {\n}", [(["."], [])]),
        (". { }", [(["."], [])]),
        (". {\n whoami\n}", [(["."], ["whoami"])]),
        (". { whoami\n}", [(["."], ["whoami"])]),
        (". {\n whoami\n log\n whoami\n}", [(["."], ["whoami", "log", "whoami"])]),
        ("a.test\nwhoami\nlog {\n class all\n}\n", [(["a.test"], ["whoami", "log"])]),
        ("a.test b.test\nwhoami", [(["a.test", "b.test"], ["whoami"])]),
        ("a.test b.test\n", [(["a.test", "b.test"], [])]),
        (
            "a.test,\nb.test, c.test d.test,\n\n e.test\n{\n whoami\n}",
            [(["a.test", "b.test", "c.test", "d.test", "e.test"], ["whoami"])],
        ),
        ("a.test { \n} b.test {\n}\nc.test\n{\n}", [(["a.test"], []), (["b.test"], []), (["c.test"], [])]),
        ("{$ZONE}:53 {$TWO} {\n}", [(["example.org:53", "a.test b.test"], [])]),
        ("{$COMMA}\nb.test {\n}", [(["a.test", "b.test"], [])]),
        ('"" a.test "" {\n}', [(["a.test"], [])]),
        ('a.test, ""\n"" b.test {\n}', [(["a.test", "b.test"], [])]),
        ("(a) (b) {\n}", [(["(a)", "(b)"], [])]),
        ("(a) {\n whoami\n}\n. {\n}", [(["."], [])]),
        ('"" (a) {\n}', []),
    ],
)
def test_server_blocks(text: str, expected: list[tuple[list[str], list[str]]]) -> None:
    assert blocks(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.test,", "Corefile:1:1: nothing behind a comma, expected another zone"),
        ("a.test,\n{\n}", "Corefile:2:1: unexpected '{' behind a comma, expected another zone"),
        ("a.test , b.test {\n}", "Corefile:1:8: unexpected ',', expected the comma directly behind a zone"),
        ("(a)\nwhoami", "Corefile:1:1: snippet '(a)' has no block, expected '{'"),
        ("(a)", "Corefile:1:1: snippet '(a)' has no block, expected '{'"),
        ("a.test\nwhoami\n}\nb.test {\n}", "Corefile:3:1: '}' closes no block"),
        (". {\n whoami\n}\n}\n. {\n}\n", "Corefile:4:1: '}' closes no block"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, "Corefile", {})
    assert str(caught.value) == message


def test_a_block_is_where_its_first_key_is() -> None:
    found = load("\n  a.test,\nb.test {\n}\nc.test {\n}", "Corefile", {}).blocks
    assert [str(block.at) for block in found] == ["Corefile:2:3", "Corefile:5:1"]
    assert [str(key.at) for key in found[0].keys] == ["Corefile:2:3", "Corefile:3:1"]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("{\n whoami\n}", "Corefile:1:1: server block without a zone left out"),
        ('. {\n}\n"" {\n}', "Corefile:3:1: server block without a zone left out"),
        (
            "{$UP}\nwhoami",
            "Corefile:1:1: server block without a zone left out (the environment variable UP is not set)",
        ),
    ],
)
def test_a_block_without_a_zone_is_left_out_with_a_warning(text: str, warning: str) -> None:
    found = load(text, "Corefile", {})
    assert all(block.keys == ["."] for block in found.blocks)
    assert found.warnings == [warning]
