"""Errors as people read them."""

import pytest

from corepy import codes
from corepy.errors import ConfigError, ConfigErrors, Failure, Malformed, Position

PLACE = Position("Corefile", 2, 5, "    forwrd . 192.0.2.53")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConfigError("what"), "what"),
        (ConfigError("what", expected="that"), "what, expected that"),
        (ConfigError("what", PLACE), "Corefile:2:5: what"),
        (ConfigError("what", plugin="log"), "plugin/log: what"),
        (ConfigError("what", PLACE, expected="that", plugin="log"), "plugin/log: Corefile:2:5: what, expected that"),
    ],
)
def test_an_error_is_one_line(error: ConfigError, line: str) -> None:
    assert str(error) == line


def test_an_explanation_has_the_source_a_caret_and_a_hint() -> None:
    assert ConfigError("what", PLACE, hint='did you mean "forward"?').explain().split("\n") == [
        "Corefile:2:5: what",
        "        forwrd . 192.0.2.53",
        "        ^",
        '    did you mean "forward"?',
    ]
    assert ConfigError("what").explain() == "what"


def test_the_caret_stands_below_its_word_behind_tabs() -> None:
    explained = ConfigError("what", Position("f", 1, 4, "\ta\tb")).explain().split("\n")
    assert explained[2] == "    \t \t^"


def test_locate_fills_in_what_is_not_known() -> None:
    error = ConfigError("what").locate(PLACE, "log")
    assert str(error) == "plugin/log: Corefile:2:5: what"
    assert str(error.locate(Position("other", 1, 1), "other")) == "plugin/log: Corefile:2:5: what"


def test_several_errors_read_as_the_first_and_explain_all() -> None:
    errors = ConfigErrors([ConfigError("one", PLACE, plugin="log"), ConfigError("two")])
    assert str(errors) == "plugin/log: Corefile:2:5: one"
    assert errors.explain().split("\n")[0] == "plugin/log: Corefile:2:5: one"
    assert errors.explain().split("\n")[-1] == "two"


def test_whose_fault_it_is() -> None:
    assert Failure("why").rcode == codes.SERVFAIL
    assert Failure("why", codes.REFUSED).rcode == codes.REFUSED
    assert Malformed("why").rcode is None
    assert str(Malformed("why", codes.FORMERR)) == "why"
