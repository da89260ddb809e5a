"""What the server says: lines on standard output in CoreDNS's form, `[LEVEL] text`, or each a JSON object.

Every line is made safe here and nowhere else: control characters are escaped, so that no name, header or upstream can
forge a line (names in presentation form are safe already). Debug lines appear when a running Corefile has `debug`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final

from corepy.clock import SYSTEM

_WAITING: Final = 1000
"""Lines that wait at the most: some 100 KB."""
_ATOMIC: Final = 4096
"""Octets that leave in one piece even where several processes write into one pipe (PIPE_BUF on Linux)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Fields = Mapping[str, object]
"""What a line says, as values for programs; only a JSON line has them."""


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def at_once(flush: Callable[[], None]) -> None:
    """Write lines as they come."""
    flush()


class Log:
    """Lines under one prefix, as `plugin/errors: `; `plugin` is the name for programs, that of the prefix by itself."""

    soon: ClassVar[Callable[[Callable[[], None]], object]] = staticmethod(at_once)
    """When lines are written: at once, or, as the server has it, at the end of this round of its loop. One system
    call for the lines of a batch of queries is a tenth of one for each."""
    structured: ClassVar[bool] = False
    """Whether lines are JSON; chosen once for the process."""
    shared: ClassVar[bool] = False
    """Whether other processes write to the same standard output: lines must not be mixed with theirs."""
    _waiting: ClassVar[list[str]] = []

    silent = False
    """Whether lines are dropped, of one Log or of all, because another process says the same."""
    debugging = False
    """Whether debug lines are written; one for the process, as with CoreDNS."""

    def __init__(self, prefix: str = "", plugin: str = "") -> None:
        self.prefix = prefix
        self.plugin = plugin or prefix.removeprefix("plugin/").removesuffix(": ")

    def debug(self, text: str) -> None:
        """For people who look into their configuration; not written unless `debug` asks for it."""
        if Log.debugging:
            self._write("DEBUG", text)

    def info(self, text: str, fields: Fields | None = None) -> None:
        """Something that is as it should be."""
        self._write("INFO", text, fields)

    def warning(self, text: str) -> None:
        """Something that works, but perhaps not as intended."""
        self._write("WARNING", text)

    def error(self, text: str) -> None:
        """Something that did not work."""
        self._write("ERROR", text)

    def lines(self, text: str) -> None:
        """An error of several lines, a traceback for one; each line is escaped on its own."""
        for line in text.splitlines():
            self._write("ERROR", line)

    def _write(self, level: str, text: str, fields: Fields | None = None) -> None:
        if self.silent:
            return
        if Log.structured:
            line = json_line(level, self.plugin, text, fields)
        else:
            line = f"[{level}] {self.prefix}{text}"
            if not line.isprintable():
                line = _CONTROL.sub(_escape, line).encode("utf-8", "backslashreplace").decode()
        waiting = Log._waiting
        waiting.append(line)
        if len(waiting) == 1:
            Log.soon(Log.flush)
        elif len(waiting) >= _WAITING:
            Log.flush()

    @staticmethod
    def flush() -> None:
        """Write what is waiting."""
        lines = Log._waiting[:]
        Log._waiting.clear()
        try:
            for piece in _pieces(lines) if Log.shared else [lines] * bool(lines):
                sys.stdout.write("\n".join(piece) + "\n")
                sys.stdout.flush()
        except (OSError, ValueError):
            # Standard output is closed or full: there is nobody left to tell, and serving goes on.
            return


def give_up_output() -> None:
    """Let go of lines that standard output has not taken: else Python tries again when it ends, and fails for it."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except ValueError:   # it is closed
        return


def json_line(level: str, plugin: str, text: str, fields: Fields | None = None) -> str:
    """A line as a JSON object, in ASCII, with the keys of CoreDNS's: ts, level, plugin, msg and fields, if any."""
    ts = datetime.fromtimestamp(SYSTEM.wall(), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    line: dict[str, object] = {"ts": ts, "level": level}
    if plugin:
        line["plugin"] = plugin
    line["msg"] = text
    if fields is not None:
        line["fields"] = fields
    return json.dumps(line, separators=(",", ":"))


def _pieces(lines: list[str]) -> Iterator[list[str]]:
    """The lines, parted so that as many as can leave in one piece do; one that is too long leaves alone."""
    piece: list[str] = []
    size = 0
    for line in lines:
        octets = len(line.encode("utf-8", "replace")) + 1
        if piece and size + octets > _ATOMIC:
            yield piece
            piece, size = [], 0
        piece.append(line)
        size += octets
    if piece:
        yield piece


log = Log()
"""For lines of the server itself."""
