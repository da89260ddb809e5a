"""Rules have ids that are theirs alone, and what they find is a warning with its place."""

import pytest

from corepy.errors import Position
from corepy.plugin import Plugin
from corepy.rules import RULES, ConfigWarning, Rule


def test_an_id_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.rules.RULES", {})
    Rule("X1", "title", "why", "example")
    with pytest.raises(ValueError, match="two rules are called X1"):
        Rule("X1", "other", "why", "example")
    assert "X1" not in RULES


def test_a_warning_has_its_rule_place_and_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.rules.RULES", {})
    rule = Rule("X1", "title", "why", "example")
    found = rule.warn("odd", Position("Corefile", 1, 3, ". x"), hint="even")
    assert isinstance(found, ConfigWarning)
    assert found.rule is rule
    assert found.explain() == "Corefile:1:3: odd\n    . x\n      ^\n    even"


def test_a_plugin_says_nothing_unless_it_wants_to() -> None:
    assert Plugin.ends(Plugin()) == ()
    assert Plugin.check(Plugin(), [], None) == ()  # type: ignore[arg-type] # looks at neither
