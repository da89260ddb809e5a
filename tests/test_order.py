"""The order of directives, and where those of other packages find their place."""

from __future__ import annotations

import pytest

from corepy.order import DIRECTIVES, chain_order


def test_each_directive_has_one_place() -> None:
    assert len(set(DIRECTIVES)) == len(DIRECTIVES) == 60


def test_without_others_the_order_is_the_list() -> None:
    places = chain_order({})
    assert sorted(DIRECTIVES, key=places.__getitem__) == list(DIRECTIVES)


def test_others_stand_in_front_of_their_anchor_by_name() -> None:
    places = chain_order({"zebra": "forward", "ant": "forward", "first": "root"})
    names = sorted(places, key=places.__getitem__)
    at = names.index("forward")
    assert names[at - 3 : at + 1] == ["loop", "ant", "zebra", "forward"]
    assert names[:2] == ["first", "root"]


@pytest.mark.parametrize("before", [{"mine": "nothing"}, {"mine": ""}, {"cache": "forward"}, {"a": "b", "b": "cache"}])
def test_an_unknown_anchor_and_a_taken_name_are_errors(before: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="the directive"):
        chain_order(before)
