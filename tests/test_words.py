"""Words with a place, environment variables, and the small texts of errors."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.errors import Position
from corepy.words import Block, Word, nearest, not_set, place, replace_variables, shown

ENVIRON = {"X": "x y", "BRACE": "{", "REF": "{$X}!", "WIN": "{%X%}", "EMPTY": "", "LOOP": "{$LOOP}", "NAME": "X"}


@pytest.mark.parametrize(
    ("text", "value", "unset"),
    [
        ("plain", "plain", ()),
        ("{$X}", "x y", ()),
        ("a{%X%}b{$X}c", "ax ybx yc", ()),
        ("{$BRACE}", "{", ()),
        ("{$EMPTY}", "", ()),
        ("{$NO}", "", ("NO",)),
        ("{$NO}{%NEITHER%}{$NO}", "", ("NEITHER", "NO")),
        ("{$REF}", "x y!", ()),
        ("{%REF%}", "x y!", ()),
        ("{$WIN}", "{%X%}", ()),
        ("{${%NAME%}}", "x y", ()),
        ("{}", "{}", ()),
        ("{$}{$X}", "{$}{$X}", ()),
        ("{%%}", "{%%}", ()),
        ("{$X", "{$X", ()),
        ("$X %X% {X}", "$X %X% {X}", ()),
    ],
)
def test_variables(text: str, value: str, unset: tuple[str, ...]) -> None:
    assert replace_variables(text, ENVIRON) == (value, unset)


def test_values_that_refer_to_each_other_without_end_are_an_error() -> None:
    with pytest.raises(ValueError, match="without end"):
        replace_variables("{$LOOP}", ENVIRON)


@given(st.lists(st.sampled_from(["{$", "{%", "}", "%}", "X", "LOOP", "REF", "NO"])).map("".join))
def test_any_text_is_replaced_or_a_value_error(text: str) -> None:
    try:
        value, unset = replace_variables(text, ENVIRON)
    except ValueError:
        return
    assert all(name not in ENVIRON for name in unset)
    assert replace_variables(value, {}) == (value, ()) or "{$" in value or "{%" in value


def test_a_word_is_a_text_that_knows_its_place() -> None:
    at = Position("Corefile", 2, 5)
    word = Word("forward", at, ("UP",))
    assert word == "forward"
    assert word in {"forward": 1}
    assert (word.at, word.unset) == (at, ("UP",))
    assert copy.deepcopy(word).at == at
    assert place(word) is at
    assert place(Block(at, at, [])) is at


def test_what_is_shown_is_one_line_as_written() -> None:
    assert shown(r"a\.b'c") == r"'a\.b'c'"
    assert shown("two\nlines\0\ud800") == r"'two\nlines\x00\ud800'"


def test_the_nearest_name() -> None:
    assert nearest("forwrd", ["log", "forward"]) == 'did you mean "forward"?'
    assert nearest("WHOAMI", ["whoami"]) == 'did you mean "whoami"?'
    assert nearest("x", ["log", "forward"]) == ""


def test_variables_that_are_not_set_are_listed() -> None:
    words = [Word("a"), Word("b", unset=("X",)), Word("c", unset=("Y", "X")), "plain"]
    assert not_set(words) == " (the environment variables X, Y are not set)"
    assert not_set(words[:2]) == " (the environment variable X is not set)"
    assert not_set(words[:1]) == ""
