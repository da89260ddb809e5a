"""corepy's own subcommands, beside CoreDNS's flags: `corepy NAME ...` runs `main(arguments)` of the module NAME."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def run(arguments: list[str]) -> int | None:
    """The exit status of the subcommand that the first word names; None where it names none."""
    if not arguments or arguments[0] not in {module.name for module in iter_modules(__path__)}:
        return None
    return int(import_module(f"{__name__}.{arguments[0]}").main(arguments[1:]))
