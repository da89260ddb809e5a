"""`corepy fmt [-w | -check] [FILE...]`: Corefiles in their one layout, with their comments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from corepy.errors import ConfigError
from corepy.flags import Flag, UsageError, parse, usage
from corepy.layout import format_corefile

FLAGS: Final = [
    Flag("check", "Write nothing, name the files that are not formatted, and exit with 1 if there are any", bool),
    Flag("w", "Write the result to the file instead of standard output", bool),
]


def main(arguments: list[str]) -> int:
    """Format the files, `Corefile` where none is named, `-` for standard input; the exit status."""
    try:
        values, files = parse(arguments, FLAGS)
    except UsageError as error:
        sys.stderr.write(f"{error}\n".lstrip() + usage("corepy fmt", FLAGS) + "\n")
        return error.code
    check, write = bool(values.get("check")), bool(values.get("w"))
    if check and write:
        sys.stderr.write("corepy fmt: -check writes nothing, so -w makes no sense with it\n")
        return 2
    return max([_format(file, check=check, write=write) for file in files or ["Corefile"]])


def _format(file: str, *, check: bool, write: bool) -> int:
    try:
        before = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        after = format_corefile(before, "/dev/stdin" if file == "-" else file).encode("utf-8", "surrogateescape")
        if write and file != "-":
            if after != before:
                _replace(Path(file), after)
            return 0
    except ConfigError as error:
        sys.stderr.write(f"{error.explain()}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{file}: {error.strerror or error}\n")
        return 1
    if check:
        if after != before:
            sys.stdout.write(f"{file} is not formatted\n")
        return int(after != before)
    sys.stdout.flush()
    sys.stdout.buffer.write(after)
    return 0


def _replace(path: Path, data: bytes) -> None:
    """Put the data in the file's place at once: a server that reloads never reads half of it."""
    path = path.resolve()   # a link stays one
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(data)
        new.chmod(path.stat().st_mode)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
