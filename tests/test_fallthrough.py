"""The option `fallthrough`."""

import pytest

from corepy import wire as w
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.fallthrough import Fallthrough


def parse(text: str) -> Fallthrough:
    return Fallthrough.parse(directives(text)[0])


@pytest.mark.parametrize(
    ("text", "name", "falls"),
    [
        ("fallthrough", "www.example.org", True),
        ("fallthrough example.org", "www.example.org", True),
        ("fallthrough example.org", "example.net", False),
        ("fallthrough 10.0.0.0/8", "1.2.3.10.in-addr.arpa", True),
        ("fallthrough .", "example.net", True),
    ],
)
def test_names_that_fall_through(text: str, name: str, falls: bool) -> None:
    assert parse(text).through(w.encode_name(name)) is falls


def test_without_the_option_nothing_falls_through() -> None:
    assert not Fallthrough().through(w.encode_name("example.org"))
    assert Fallthrough() == Fallthrough([])
    assert len({Fallthrough(), Fallthrough()}) == 1


def test_what_is_no_zone() -> None:
    with pytest.raises(ConfigError, match=r"Corefile:1:13: .*a\.\.b"):
        parse("fallthrough a..b")
