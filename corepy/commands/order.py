"""`corepy order [-conf FILE] [-format text|json]`: the directives of each server block in the order in which they run.

A directive that stands below one which runs after it is marked: it `overtakes` that one, whatever the file looks like.
With `-compat VERSION` it shows instead what ran in another order in that version of CoreDNS; the exit status is then 3
where anything did.
"""

from __future__ import annotations

import json
import sys
from itertools import combinations
from typing import Any, Final, NamedTuple

from corepy import registry
from corepy.blocks import ServerBlock
from corepy.corefile import Corefile
from corepy.directive import Directive
from corepy.errors import ConfigError, Position
from corepy.flags import Flag, UsageError, parse, usage
from corepy.order import order_of
from corepy.plugin import Plugin
from corepy.source import NotFound, Source

FLAGS: Final = [
    Flag("compat", "Show what ran in another order in this version of CoreDNS, such as 1.14.1"),
    Flag("conf", 'Corefile to load, "stdin" for standard input (default "Corefile")'),
    Flag("format", '"text" or "json" (default "text")'),
]


_DIFFERS: Final = 3
"""The exit status where a version ran the Corefile in another order: 1 and 2 are for what went wrong."""


class Step(NamedTuple):
    """A directive at its place in the run order, and those of its kind that stand above it and run after it."""

    directive: Directive
    kind: str
    """`chain` where queries go through it, `listener` where it shapes the block otherwise, or `not built`."""
    overtakes: list[Directive]


def main(arguments: list[str]) -> int:
    """Show the order; the exit status."""
    try:
        values, rest = parse(arguments, FLAGS)
        _check(values, rest)
    except UsageError as error:
        sys.stderr.write(f"{error}\n".lstrip() + usage("corepy order", FLAGS) + "\n")
        return error.code
    conf = values.get("conf")
    show = _json if values.get("format") == "json" else _text
    try:
        parsed = Source.find(str(conf) if conf is not None else None, 53).parse()
        if "compat" in values:
            return _compare(parsed, str(values["compat"]), as_json=show is _json)
        sys.stdout.write(show(parsed))
    except NotFound as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ConfigError as error:
        sys.stderr.write(f"{error.explain()}\n")
        return 1
    return 0


def _check(values: dict[str, str | bool], rest: list[str]) -> None:
    if rest:
        raise UsageError(f"extra command line arguments: [{' '.join(rest)}]")
    try:
        order_of(str(values.get("compat", "1.14.7")))
    except ValueError as error:
        raise UsageError(f"flag -compat: {error}") from None
    if values.get("format", "text") not in ("text", "json"):
        raise UsageError(f'invalid value "{values["format"]}" for flag -format')


def steps(block: ServerBlock) -> list[Step]:
    """The directives of a server block as they run; those of one name keep their order.

    Raises ConfigError where a plugin cannot be loaded.
    """
    places, failed = registry.places({directive.name for directive in block.directives})
    for error in failed.values():
        raise error
    written = {id(directive): place for place, directive in enumerate(block.directives)}
    running = sorted(block.directives, key=lambda directive: places[directive.name])
    kinds = [_kind(directive.name) for directive in running]
    found = []
    for place, (directive, kind) in enumerate(zip(running, kinds, strict=True)):
        alike = (each for each, other in zip(running[place:], kinds[place:], strict=True) if other == kind)
        overtakes = [each for each in alike if written[id(each)] < written[id(directive)]]
        found.append(Step(directive, kind, overtakes))
    return found


class Swap(NamedTuple):
    """Two directives of a server block that a version ran the other way round, in the order in which they run now."""

    first: Directive
    second: Directive


def swaps(block: ServerBlock, version: str) -> list[Swap]:
    """What a version of CoreDNS runs in another order; directives of other packages keep their places.

    Raises ConfigError where a plugin cannot be loaded, ValueError for a version whose order is not known.
    """
    then = {name: place for place, name in enumerate(order_of(version))}
    chain = [step.directive for step in steps(block) if step.kind != "listener" and step.directive.name in then]
    return [Swap(one, two) for one, two in combinations(chain, 2) if then[one.name] > then[two.name]]


def _compare(parsed: Corefile, version: str, *, as_json: bool) -> int:
    """Show what a version runs in another order; the exit status."""
    found = [swap for block in parsed.blocks for swap in swaps(block, version)]
    if as_json:
        listed = [
            {side: {"name": each.name, **_place(each.at)} for side, each in (("first", one), ("second", two))}
            for one, two in found
        ]
        sys.stdout.write(json.dumps({"version": version, "swaps": listed}, indent=2) + "\n")
    for one, two in [] if as_json else found:
        sys.stdout.write(f"{one.at}: {one.name} runs before {two.name} ({two.at}); in {version} it ran after it\n")
    return _DIFFERS if found else 0


def _kind(name: str) -> str:
    plugin: type[Plugin] | None = registry.find(name)
    if plugin is None:
        return "not built"
    return "listener" if plugin.serve is None else "chain"


def _text(parsed: Corefile) -> str:
    return "\n".join(_block(block) for block in parsed.blocks)


def _block(block: ServerBlock) -> str:
    found = steps(block)
    name = max((len(step.directive.name) for step in found), default=0)
    place = max((len(str(step.directive.at)) for step in found), default=0)
    lines = [f"{' '.join(block.keys)} ({block.at})"]
    for kind, title in (("chain", ""), ("listener", "  not in the chain:"), ("not built", "  not built yet:")):
        listed = [step for step in found if step.kind == kind]
        lines += [title] * bool(title and listed)
        for number, (directive, _, overtakes) in enumerate(listed, 1):
            below = ", ".join(dict.fromkeys(each.name for each in overtakes)) if kind == "chain" else ""
            mark = number if kind == "chain" else "-"
            line = f"{mark:>4} {directive.name:{name}}  {directive.at!s:{place}}"
            lines.append(f"{line}  written below {below}" if below else line.rstrip())
    return "".join(f"{line}\n" for line in lines)


def _json(parsed: Corefile) -> str:
    blocks = [
        {"keys": block.keys, **_place(block.at), "directives": [_plain(step) for step in steps(block)]}
        for block in parsed.blocks
    ]
    return json.dumps({"blocks": blocks}, indent=2) + "\n"


def _plain(step: Step) -> dict[str, Any]:
    overtakes = [{"name": each.name, **_place(each.at)} for each in step.overtakes]
    directive = step.directive
    return {
        "name": directive.name, "arguments": directive.arguments, **_place(directive.at),
        "kind": step.kind, "overtakes": overtakes,
    }  # fmt: skip


def _place(at: Position) -> dict[str, Any]:
    return {"file": at.file, "line": at.line, "column": at.column}
