"""The author's page: what a plugin is when its author writes nothing."""

import pytest

from corepy import corefile, plugin
from corepy.clock import SYSTEM
from corepy.errors import ConfigError
from corepy.plugin import Plugin


class Bare(Plugin):
    """A plugin of nothing but defaults."""


def test_a_directive_that_takes_nothing_needs_no_parser() -> None:
    [made] = Bare.parse_all(corefile.directives("bare"))
    assert isinstance(made, Bare)
    with pytest.raises(ConfigError, match="Corefile:1:6: unexpected argument 'word', expected no arguments"):
        Bare.parse_all(corefile.directives("bare word"))
    with pytest.raises(ConfigError, match=r"Corefile:1:6: unexpected '\{'"):
        Bare.parse_all(corefile.directives("bare {\n x\n}"))


def test_each_directive_makes_a_plugin() -> None:
    assert len(Bare.parse_all(corefile.directives("bare\nbare"))) == 2


def test_what_a_plugin_has_without_asking() -> None:
    made = Bare()
    assert made.serve is None
    assert made.clock is SYSTEM
    assert made.start() is None
    assert made.stop() is None
    assert made.ready()


def test_all_that_is_promised_is_there() -> None:
    assert list(plugin.__all__) == sorted(plugin.__all__)
    for name in plugin.__all__:
        assert hasattr(plugin, name)
