"""Regular expressions of a Corefile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import expression


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("refused$", "connection refused", True),
        ("^refused", "connection refused", False),
        (".*", "anything", True),
        (r"a\.b", "a.b", True),
        (r"a\.b", "axb", False),
        ("(?i)REFUSED", "refused", True),
        ("(?P<name>a)", "a", True),
        ("(?:a|b)+?c{2,3}", "xabccx", True),
        (r"[\d\]+*]+[(?=]", "]+(", True),
        ("[[]", "[", True),
        ("[]a]", "]", True),
        (r"\\1", r"\1", True),
        (r"\(?=", "=", True),
        ("é", "café", True),
    ],
)
def test_search(pattern: str, text: str, matches: bool) -> None:
    assert expression.compile(pattern).search(text) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "(", "[a", "a**", "a{2,1}", "*", "\\",
        "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "(?P<n>a)(?P=n)", "(a)(?(1)b)", "(?#remark)", r"(a)\1",
        "a*+", "a++", "a?+", "a{2}+", "[[:alpha:]]", "[^x[:^digit:]]",
    ],
)  # fmt: skip
def test_no_expression(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression|not built yet"):
        expression.compile(pattern)


def test_at_most_ten_thousand_octets() -> None:
    assert expression.compile("a" * 10_000).search("a" * 10_000)
    with pytest.raises(ValueError, match="10001 octets, more than 10000"):
        expression.compile("a" * 10_001)
    with pytest.raises(ValueError, match="10002 octets"):
        expression.compile("é" * 5_001)


def test_equal_by_their_text() -> None:
    assert expression.compile("a+") == expression.compile("a+")
    assert expression.compile("a+") != expression.compile("a*")
    assert expression.compile("a+").pattern == "a+"


@given(st.text())
def test_any_text_is_an_expression_or_a_value_error(text: str) -> None:
    try:
        compiled = expression.compile(text)
    except ValueError:
        return
    compiled.search(text)
