"""debug: one word, no arguments."""

import pytest

from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.debug import Debug
from corepy.site import Site


def parse(text: str) -> list[Debug]:
    return list(Debug.parse_all(directives(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debug", 1),
        ("debug\ndebug", 2),
        ("debug on", "plugin/debug: Corefile:1:7: unexpected argument 'on', expected no arguments"),
        ("debug\ndebug off", "plugin/debug: Corefile:2:7: unexpected argument 'off', expected no arguments"),
        ("debug {\n}", "plugin/debug: Corefile:1:7: unexpected '{', expected no block for debug"),
    ],
)
def test_lines(text: str, expected: int | str) -> None:
    try:
        result: object = len(parse(text))
    except ConfigError as error:
        result = str(error)
    assert result == expected


def test_asks_the_site_for_debug_lines() -> None:
    site = Site([])
    assert not site.debug
    for plugin in parse("debug\ndebug"):
        plugin.configure(site)
    assert site.debug


def test_is_not_in_the_chain() -> None:
    assert Debug.serve is None
