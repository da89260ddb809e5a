"""The command line: CoreDNS's flags. `corepy -conf Corefile` and `python -m corepy -conf Corefile` are the same."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from corepy.errors import ConfigError
from corepy.flags import Flag, UsageError, parse, usage
from corepy.log import Log, give_up_output, json_line

if TYPE_CHECKING:
    from corepy.source import Source

FLAGS = [
    Flag("conf", 'Corefile to load, "stdin" for standard input (default "Corefile")'),
    Flag("dns.port", 'Default port (default "53")', same_as="p"),
    Flag("format", 'Format of what -validate finds: "text", "json", "github" or "sarif" (default "text")'),
    Flag("ignore", "Ids of rules that -validate does not warn of, with commas between them"),
    Flag("log-format", 'Format of log lines: "text" or "json" (default "text")'),
    Flag("p", 'Default port (default "53")'),
    Flag("pidfile", "Path to write pid file"),
    Flag("plugins", "List installed plugins", bool),
    Flag("quiet", "Quiet mode (no initialization output)", bool),
    Flag(
        "validate", 'Say all that is wrong with the Corefile and serve nothing; "=strict": warnings are errors', bool,
        words=("strict",),
    ),
    Flag("version", "Show version", bool),
]


def main(arguments: list[str] | None = None, *, source: type[Source] | None = None) -> int:
    """Run corepy with these arguments (those of the process by default); the exit status.

    `source` makes the configurations of a server, for who wants to watch them.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given and not given[0].startswith("-"):
        from corepy import commands  # noqa: PLC0415 - a server needs none

        if (status := commands.run(given)) is not None:
            return status
    try:
        values, rest = parse(given, FLAGS)
    except UsageError as error:
        print(*[str(error)] * bool(str(error)), usage(_name(), FLAGS), sep="\n", file=sys.stderr)
        return error.code
    if rest:
        return _fatal(f"{time.strftime('%Y/%m/%d %H:%M:%S')} extra command line arguments: [{' '.join(rest)}]")
    if values.get("version"):
        from corepy.process import version_lines  # noqa: PLC0415 - the flag needs no server

        print("\n".join(version_lines()))
        return 0
    log_format = values.get("log-format", "text")
    if log_format not in ("text", "json"):
        return _no_format(str(log_format), "log-format")
    Log.structured = log_format == "json"
    if values.get("plugins"):
        print("\n".join(_plugins()))
        return 0
    port = str(values.get("p", "53"))
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", port):
        return _fatal(f"error inspecting server blocks: zone is not a valid domain name: .:{port}")
    if not 0 <= int(port) <= 65535:
        return _fatal(f"address {port}: invalid port")
    return _validate(values, int(port)) if values.get("validate") else _serve(values, int(port), source)


def _validate(values: dict[str, str | bool], port: int) -> int:
    from corepy.report import FORMATS, count  # noqa: PLC0415 - a server needs none
    from corepy.silence import unknown_ids  # noqa: PLC0415 - a server needs none
    from corepy.source import Source  # noqa: PLC0415 - after the quick answers
    from corepy.validate import validate  # noqa: PLC0415 - a server needs none

    name, strict = str(values.get("format", "text")), values["validate"] == "strict"
    if name not in FORMATS:
        return _no_format(name, "format")
    ignore = [each.strip().upper() for each in str(values.get("ignore", "")).split(",") if each.strip()]
    for unknown, hint in unknown_ids(ignore):
        what = f'invalid value "{unknown}" for flag -ignore: no such rule'
        print(what, *[hint] * bool(hint), sep="\n", file=sys.stderr)
        return 2
    conf = values.get("conf")
    findings = validate(Source.find(str(conf) if conf is not None else None, port), ignore)
    # A file may be called as it likes: what is no UTF-8 in its name is shown, not fatal.
    sys.stdout.write(FORMATS[name](findings, strict=strict).encode("utf-8", "backslashreplace").decode())
    errors, _ = count(findings, strict=strict)
    return int(errors > 0)


def _serve(values: dict[str, str | bool], port: int, kind: type[Source] | None) -> int:
    from corepy.ports import take_descriptors  # noqa: PLC0415 - after the quick answers
    from corepy.process import Process  # noqa: PLC0415 - likewise
    from corepy.server import Server  # noqa: PLC0415 - likewise
    from corepy.sockets import inherit  # noqa: PLC0415 - likewise
    from corepy.source import NotFound, Source  # noqa: PLC0415 - likewise
    from corepy.systemd import inherited  # noqa: PLC0415 - likewise

    take_descriptors()
    inherit(inherited())
    conf, pidfile = values.get("conf"), values.get("pidfile")
    try:
        source = (kind or Source).find(str(conf) if conf is not None else None, port)
        configuration = source.read()
        workers = None
        if configuration.workers > 1:
            from corepy.workers import Workers  # noqa: PLC0415 - one process in most, which needs no supervisor

            workers = Workers(source)
        process = Process(
            source, workers or Server(), quiet=bool(values.get("quiet")), pidfile=str(pidfile) if pidfile else None
        )
        life = process.run(configuration)
        status = workers.run(life) if workers else asyncio.run(life)
        give_up_output()
        return status
    except NotFound as error:
        return _fatal(str(error))
    except ConfigError as error:
        return _fatal(error.explain())


def _plugins() -> list[str]:
    """What is built, in the order of the chain, with its origin."""
    from corepy import registry  # noqa: PLC0415 - imports what the flag needs

    names = registry.built_in() | registry.installed().keys()
    places, failed = registry.places(names)
    return [
        f"{name} ({registry.origin(name)}){f': {failed[name].what}' if name in failed else ''}"
        for name in sorted(names, key=lambda name: (places.get(name, len(places)), name))
    ]


def _no_format(value: str, flag: str) -> int:
    print(f'invalid value "{value}" for flag -{flag}', usage(_name(), FLAGS), sep="\n", file=sys.stderr)
    return 2


def _name() -> str:
    """What we were called as."""
    name = Path(sys.argv[0]).name
    return "corepy" if name == "__main__.py" else name


def _fatal(text: str) -> int:
    print(json_line("ERROR", "", text) if Log.structured else text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
