"""corepy.yamlfile: values by their names, and each mistake with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import yamlfile
from corepy.errors import ConfigError, ConfigErrors
from corepy.yamlfile import MAX_FILE, Section, Wrong, load

VALUES = {
    "text": yamlfile.text,
    "texts": yamlfile.texts,
    "flag": yamlfile.boolean,
    "number": yamlfile.integer,
    "word": lambda node: yamlfile.one_of(node, ("one", "two")),
    "pairs": lambda node: [(yamlfile.text(key), yamlfile.text(value)) for key, value in yamlfile.named(node)],
}


def values(text: str | bytes) -> tuple[dict[str, object], list[ConfigError]]:
    """What the section `s` of a file has, and what is wrong with the file. Raises ConfigErrors."""
    top = load(text.encode() if isinstance(text, str) else text, "x.yml")
    section = top.section("s")
    found = {name: section.get(name, reader) for name, reader in VALUES.items()}
    for each in (top, section):
        each.finish()
    return {name: value for name, value in found.items() if value is not None}, top.errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing", {}),
        ("s: ~", {}),
        ("s: {text: , number: ~}", {}),
        ("s:\n  text: no\n  flag: no\n  number: 007", {"text": "no", "flag": False, "number": 7}),
        ("s: {texts: [a, 1, 'b c'], flag: On, word: two}", {"texts": ["a", "1", "b c"], "flag": True, "word": "two"}),
        ("s: {pairs: {a: 1, b: 2}}", {"pairs": [("a", "1"), ("b", "2")]}),
    ],
)
def test_values(text: str, expected: dict[str, object]) -> None:
    assert values(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", "1:1: unexpected sequence, expected a mapping"),
        ("a: 1\na: 2", "2:1: 'a' is given twice"),
        ("? [a]\n: b", "1:3: a sequence as a name, expected a word"),
        ("a: [", "1:5: no YAML: expected the node content, but found '<stream end>'"),
        ("a\n  b: c\n--- b", "2:4: no YAML: mapping values are not allowed here"),
        ("a: 1\n--- \nb: 1", "2:1: no YAML: but found another document"),
        ("\x01", "1:1: no YAML: unacceptable character #x0001"),
        ("[" * 5000, "1:1: no YAML that anybody would write: too deep"),
        ("#" * (MAX_FILE + 1), "1:1: it has more than 1048576 octets"),
        ("s: 7", "1:4: unexpected scalar, expected a mapping"),
        ("s:\n  x: 1", "2:3: unknown key 'x', expected one of text, texts, flag, number, word, pairs"),
        ("s:\n  numbr: 1", "2:3: unknown key 'numbr', expected one of text, texts, flag, number, word, pairs"),
        ("s: {text: [a]}", "1:11: invalid value a sequence, expected a text"),
        ("s: {texts: a}", "1:12: invalid value 'a', expected a list"),
        ("s: {texts: [{a: b}]}", "1:13: invalid value a mapping, expected a text"),
        ("s: {flag: 1}", "1:11: invalid value '1', expected true or false"),
        ("s: {number: -1}", "1:13: invalid value '-1', expected a whole number"),
        ("s: {number: 1234567890}", "1:13: invalid value '1234567890', expected a whole number"),
        ("s: {word: on}", "1:11: invalid value 'on', expected one of one, two"),
        ("s: {pairs: [a]}", "1:12: invalid value a sequence, expected a mapping"),
        ("s: {pairs: {a: 1, b: 2, a: 3}}", "1:25: 'a' is given twice"),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    try:
        [error, *_] = values(text)[1]
    except ConfigErrors as found:
        [error] = found.errors   # what is no YAML has no values
    assert str(error).startswith(f"x.yml:{expected}")


@pytest.mark.parametrize("secret", [False, True])
def test_a_line_that_is_secret_is_not_shown(secret: bool) -> None:
    def refuse(node: object) -> None:
        raise Wrong(node, "not this one", secret=secret)  # type: ignore[arg-type]  # it is a node of YAML's

    top = load(b"password: hunter2\n", "x.yml")
    assert top.get("password", refuse) is None
    assert ("hunter2" in ConfigErrors(top.errors).explain()) is not secret


def test_mistakes_of_all_sections_are_in_one_list() -> None:
    top = load(b"a: {x: 1}\nb: {y: 1}\n", "x.yml")
    sections: list[Section] = [top.section("a"), top.section("b")]
    for section in sections:
        section.get("z", yamlfile.text)
        section.finish()
    assert [str(error) for error in top.errors] == [
        "x.yml:1:5: unknown key 'x', expected one of z", "x.yml:2:5: unknown key 'y', expected one of z",
    ]  # fmt: skip


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    try:
        errors = values(octets)[1]
    except ConfigErrors as found:
        errors = found.errors
    assert all(error.at is not None for error in errors)
