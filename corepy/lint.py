"""What a Corefile says and seldom means: the rules that hold for every plugin. Those of one plugin are its own.

A rule is a function that looks at what has been read; its id, title, reason and example stand above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Final, NamedTuple

from corepy import wire as w
from corepy.blocks import ServerBlock
from corepy.corefile import Corefile
from corepy.directive import Directive
from corepy.errors import ConfigError, Position
from corepy.keys import parse_zones
from corepy.plugin import Plugin
from corepy.rules import Checked, ConfigWarning, Rule
from corepy.site import Site
from corepy.words import Word, shown


class Placed(NamedTuple):
    """A plugin and the directives that it was made of."""

    directives: list[Directive]
    plugin: Plugin

    @property
    def directive(self) -> Directive:
        """The first of them."""
        return self.directives[0]


class Block(NamedTuple):
    """A server block as it is written, and what was made of it."""

    written: ServerBlock
    site: Site

    def plugins(self) -> list[Placed]:
        """The plugins in the order of the chain, as far as they could be made."""
        found = []
        for name in dict.fromkeys(plugin.name for plugin in self.site.plugins):
            lines = [directive for directive in self.written.directives if directive.name == name]
            made = [plugin for plugin in self.site.plugins if plugin.name == name]
            groups = [[line] for line in lines] if len(lines) == len(made) else [lines] * len(made)
            found += [Placed(*pair) for pair in zip(groups, made, strict=True)]
        return found


class Reading(NamedTuple):
    """All that a rule may look at."""

    corefile: Corefile
    blocks: list[Block]


Look = Callable[[Rule, Reading], Iterator[ConfigWarning]]
_LOOKS: Final[list[tuple[Rule, Look]]] = []


def lint(corefile: Corefile, sites: list[Site]) -> list[ConfigWarning]:
    """What the rules find in a Corefile, of whose blocks these sites were made."""
    blocks = [Block(*pair) for pair in zip(corefile.blocks, sites, strict=True)]
    return [found for rule, look in _LOOKS for found in look(rule, Reading(corefile, blocks))]


def _rule(name: str, title: str, why: str, example: str) -> Callable[[Look], Look]:
    """Make a rule of a function."""

    def register(look: Look) -> Look:
        _LOOKS.append((Rule(name, title, why, example), look))
        return look

    return register


@_rule(
    "CPY101",
    "Answers are looked for in another order than written",
    "Directives run in CoreDNS's fixed order. Who reads from top to bottom expects another answer than clients get.",
    ". {\n    forward . 192.0.2.53\n    hosts {\n        192.0.2.1 a.example\n        fallthrough\n    }\n}\n",
)
def _written_order(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for block in reading.blocks:
        answering = [each for each in block.plugins() if _answers(each.plugin)]
        written = {id(directive): place for place, directive in enumerate(block.written.directives)}
        for before, after in pairwise(answering):
            if written[id(before.directive)] > written[id(after.directive)]:
                what = f"{shown(before.plugin.name)} is asked before {shown(after.plugin.name)}, which stands above it"
                hint = f"the order is fixed; write it in front of {after.directive.at}, as it runs"
                yield rule.warn(what, before.directive.at, hint)


@_rule(
    "CPY102",
    "A plugin is never reached",
    "What runs before it answers every query of the block, so the directive does nothing.",
    ". {\n    hosts {\n        192.0.2.1 a.example\n    }\n    forward . 192.0.2.53\n}\n",
)
def _never_reached(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for block in reading.blocks:
        end: Placed | None = None
        for each in block.plugins():
            # Who chooses the queries of the block has done so before the chain.
            if each.plugin.serve is None or getattr(block.site.takes, "__self__", None) is each.plugin:
                continue
            if end is not None:
                what = f"{shown(each.plugin.name)} is never reached: no query gets past {shown(end.plugin.name)}"
                # Several plugins share the option (`corepy.fallthrough`), as a field of this name.
                option = "with the option fallthrough it would let go of some"
                hint = option if hasattr(end.plugin, "fallthrough") else f"it stands at {end.directive.at}"
                yield rule.warn(what, each.directive.at, hint)
            elif block.site.keys and all(w.in_zones(key.zone, tuple(each.plugin.ends())) for key in block.site.keys):
                end = each


@_rule(
    "CPY103",
    "A snippet is never imported",
    "What it says has no effect, and nobody has checked it.",
    "(unused) {\n    log\n}\n. {\n    whoami\n}\n",
)
def _unused_snippet(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for snippet in reading.corefile.snippets:
        if not snippet.used and not reading.corefile.errors:   # who wanted it may not have been understood
            yield rule.warn(f"snippet {shown(snippet.name)} is never imported", snippet.name.at)


@_rule(
    "CPY104",
    "A server block is never chosen",
    "Of several blocks for a zone the first one that takes a query answers; one without a view takes them all.",
    ". {\n    whoami\n}\n. {\n    view never {\n        expr false\n    }\n    whoami\n}\n",
)
def _shadowed(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    takes_all: dict[tuple[str, str, int, bytes], Position] = {}
    for block in reading.blocks:
        for key in block.site.keys:
            for host in block.site.hosts:
                place = key.scheme, host, key.port, key.zone
                if place in takes_all and block.site.takes is not None:
                    what = f"the block for {key} gets no query: all are for the block at {takes_all[place]}"
                    yield rule.warn(what, key.at, hint="the block that is for some queries only comes first")
                if block.site.takes is None:
                    takes_all.setdefault(place, key.at)


@_rule(
    "CPY105",
    "A zone is outside of its server block",
    "The block gets no query for names in it, so the zone means nothing here.",
    "example.org {\n    forward example.net 192.0.2.53\n}\n",
)
def _outside(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for block in reading.blocks:
        zones = tuple(key.zone for key in block.site.keys)
        for each in block.plugins():
            for zone in _zones(each.plugin):
                if zones and not w.in_zones(zone, zones) and not any(w.in_zones(mine, (zone,)) for mine in zones):
                    what = f"{w.decode_name(zone)} is in no zone of this server block"
                    yield rule.warn(what, _named(zone, each.directive), f"its zones begin at {block.written.at}")


@_rule(
    "CPY106",
    "Nothing in a server block serves",
    "Every query for its zones is refused.",
    ". {\n    bind 127.0.0.1\n}\n",
)
def _nothing_serves(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for block in [] if reading.corefile.errors else reading.blocks:   # what serves may not have been understood
        made = {plugin.name for plugin in block.site.plugins}
        if all(plugin.serve is None for plugin in block.site.plugins) and made.issuperset(_names(block)):
            yield rule.warn("no directive of this server block answers queries", block.written.at)


@_rule(
    "CPY107",
    "An environment variable is not set",
    "It becomes nothing, and what stands around it is read as if it were all.",
    ". {\n    forward . 192.0.2.53 {$COREPY_NOT_SET}\n}\n",
)
def _unset_variable(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for block in reading.corefile.blocks:
        for word in [*block.keys, *_words(block.directives)]:
            for name in word.unset:
                yield rule.warn(f"the environment variable {name} is not set", word.at)


@_rule(
    "CPY108",
    "A line may be read in another way",
    "CoreDNS reads it otherwise, or it stands for nothing.",
    ". {\n    whoami#who is it\n}\n",
)
def _doubtful_line(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for remark in reading.corefile.warnings:
        yield rule.warn(remark.removeprefix(f"{remark.at}: "), remark.at)


@_rule(
    "CPY109",
    "A directive is there twice",
    "The second one says nothing that the first has not said; perhaps it was meant to say something else.",
    ". {\n    log\n    log\n    whoami\n}\n",
)
def _repeated(rule: Rule, reading: Reading) -> Iterator[ConfigWarning]:
    for block in reading.corefile.blocks:
        seen: dict[str, Position] = {}
        for directive in block.directives:
            text = repr([[word.name, word.arguments, word.block is None] for word in _lines([directive])])
            if text in seen:
                yield rule.warn(f"{shown(directive.name)} stands at {seen[text]} already", directive.at)
            seen.setdefault(text, directive.at)


def _answers(plugin: Plugin) -> bool:
    """Whether a plugin answers from what it has, which it says by having a word about the end of the chain."""
    return plugin.serve is not None and type(plugin).ends is not Checked.ends


def _zones(plugin: Plugin) -> list[bytes]:
    """The zones of a plugin, which those that have some keep as `zones` or `zone`, as keys."""
    zones = getattr(plugin, "zones", None) or (getattr(plugin, "zone", None),)
    return [zone for zone in zones if isinstance(zone, bytes)]


def _named(zone: bytes, directive: Directive) -> Position:
    """Where a directive names a zone."""
    for word in directive.arguments:
        with suppress(ConfigError):
            if zone in parse_zones([word]):
                return word.at
    return directive.at


def _names(block: Block) -> set[str]:
    return {directive.name for directive in block.written.directives}


def _lines(directives: list[Directive]) -> Iterator[Directive]:
    """Directives and the lines of their blocks, all the way down."""
    for directive in directives:
        yield directive
        yield from _lines(directive.block or [])


def _words(directives: list[Directive]) -> Iterator[Word]:
    for line in _lines(directives):
        yield line.name
        yield from line.arguments


__all__ = ["Block", "lint"]
