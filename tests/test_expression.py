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
        ("[[:alpha:]]", "1a", True),
        ("[^x[:^digit:]]", "ax", False),
        (r"\Qa.b\E", "a.b", True),
        (r"a\z", "ba", True),
        ("^a$", "a\n", False),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        (r"\pL+\d", "é1", True),
        ("(?i)É", "é", True),
        ("(?U)a+", "a", True),
    ],
)
def test_search(pattern: str, text: str, matches: bool) -> None:
    assert expression.compile(pattern).search(text) is matches


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "missing"), ("[a", "missing"), ("a**", "repetition operator"), ("a{2,1}", "repetition size"),
        ("*", "repetition operator"), ("\\", "trailing"), ("a{1001}", "repetition size"), ("[[:foo:]]", "class"),
        ("((a{100}){100}){100}", "repetition size"), ("\udcff", "UTF-8"),
        ("(?=a)", "perl"), ("(?!a)", "perl"), ("(?<=a)", "."), ("(?<!a)", "."), ("(?>a)", "perl"),
        ("(?#remark)", "perl"),
        ("(?P<n>a)(?P=n)", "."), (r"(a)\1", "escape"), ("a*+", "repetition"), ("a++", "repetition"), (r"a\Z", "escape"),
        (r"\C", "unknown"), (r"[\C]", "."), ("(?P<é>a)", "group name 'é'"), ("(?P<>a)", "."),
    ],
)  # fmt: skip
def test_no_expression(pattern: str, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=f"^no regular expression: .*{why}"):
        expression.compile(pattern)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("pattern", ["(x*x*)*y", "(a|a)*b", "(a*)*b", "(x+x+)+y"])
def test_time_is_linear(pattern: str) -> None:
    expression.compile(pattern).match("x" * 100_000 + "a" * 100_000)


def test_expressions_themselves_are_read_in_linear_time() -> None:
    assert expression.compile(r"\Qa\E" * 1000).search("a" * 1000)


def test_more_memory_than_there_is_makes_it_slow_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    text = "".join(f"{number:020b}" for number in range(3000)).replace("0", "a").replace("1", "b")
    assert not expression.compile("a.{0,900}[^ab]").search(text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pattern", "text", "groups"),
    [
        ("b+", "abbc", ("bb",)),
        ("(a)|(b)", "b", ("b", "", "b")),
        ("(a*)(b*)", "xaab", ("", "", "")),
        ("^(?P<host>[a-z]+)[.](?P<zone>.*)$", "www.example.", ("www.example.", "www", "example.")),
        ("(é)(.)", "caféß", ("éß", "é", "ß")),
        ("a|ab", "ab", ("a",)),
    ],
)
def test_match(pattern: str, text: str, groups: tuple[str, ...]) -> None:
    found = expression.compile(pattern).match(text)
    assert found is not None
    assert found.groups == groups
    assert expression.compile(pattern).groups == len(groups) - 1


def test_groups_by_name_and_number() -> None:
    found = expression.compile("(?P<host>[a-z]+)[.](?<tld>[a-z]+)(!)?").match("www.org")
    assert found is not None
    assert found.named() == {"0": "www.org", "1": "www", "2": "org", "3": "", "host": "www", "tld": "org"}
    assert expression.compile("a").match("b") is None


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
    assert compiled.search(text) is (compiled.match(text) is not None)
