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
    with pytest.raises(ConfigError, match="Corefile:2:2: unexpected 'x' in a block"):
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


def test_what_stands_once_says_where_it_stood() -> None:
    class Single(Plugin):
        once = True

    with pytest.raises(ConfigError, match="Corefile:2:1: given twice in a server block, first at Corefile:1:1"):
        Single.parse_all(corefile.directives("single\nsingle"))
    assert len(Single.parse_all(corefile.directives("single"))) == 1
