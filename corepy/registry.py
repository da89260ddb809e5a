"""Directive names and the plugin classes behind them.

A built-in plugin is the folder `plugins/NAME`; anyone else's is an entry point of the group `corepy.plugins` called
as the directive. Both are imported when a Corefile names them and never before.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from corepy import order
from corepy.errors import ConfigError
from corepy.plugin import Plugin

GROUP = "corepy.plugins"


@cache
def built_in() -> frozenset[str]:
    """The directives that come with corepy: the folders of plugins/."""
    import corepy.plugins as folder  # noqa: PLC0415 - the package itself, no plugin of it

    return frozenset(path.parent.name for path in Path(folder.__path__[0]).glob("*/__init__.py"))


@cache
def installed() -> dict[str, EntryPoint]:
    """The directives that other packages bring, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def known() -> list[str]:
    """Every directive there is: CoreDNS's, built or not, our own, and those of other packages."""
    return list(dict.fromkeys([*order.DIRECTIVES, *sorted(built_in()), *installed()]))


@cache
def find(name: str) -> type[Plugin] | None:
    """The class for a directive, None where nobody has built it. Raises ConfigError where it cannot be loaded."""
    try:
        if name in built_in():
            return _class_in(importlib.import_module(f"corepy.plugins.{name}"), name)
        if name in installed():
            loaded = installed()[name].load()
            return loaded if _is_plugin(loaded) else _class_in(loaded, name)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"the plugin cannot be loaded: {type(error).__name__}: {error}", plugin=name) from error
    return None


def places(names: Iterable[str]) -> tuple[dict[str, int], dict[str, ConfigError]]:
    """Where each directive stands in the chain, as a sort key; and those that have no place, with the reason.

    Those that CoreDNS does not have say before which one of CoreDNS's they stand.
    """
    before: dict[str, str] = {}
    failed: dict[str, ConfigError] = {}
    for name in names:
        if name in order.DIRECTIVES:
            continue
        try:
            plugin = find(name)
            if plugin is not None:
                order.chain_order({name: plugin.before})
                before[name] = plugin.before
        except ConfigError as error:
            failed[name] = error
        except ValueError as error:
            failed[name] = ConfigError(str(error), plugin=name)
    return order.chain_order(before), failed


def _is_plugin(value: object) -> TypeGuard[type[Plugin]]:
    return isinstance(value, type) and issubclass(value, Plugin) and value is not Plugin


def _class_in(module: object, name: str) -> type[Plugin]:
    """The one Plugin class that a module exports."""
    classes = [value for value in vars(module).values() if _is_plugin(value)] if isinstance(module, ModuleType) else []
    if len(classes) != 1:
        raise ConfigError(f"it brings {len(classes)} Plugin classes, expected one", plugin=name)
    return classes[0]


def origin(name: str) -> str:
    """Where a directive's plugin comes from, for people: `corepy`, or the package that brings it."""
    if name in built_in():
        return "corepy"
    point = installed().get(name)
    package = point.dist.name if point and point.dist else ""
    return package or "an entry point"
