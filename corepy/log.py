"""What the server says: lines on standard output in CoreDNS's form, `[LEVEL] text`.

Every line is made safe here and nowhere else: control characters are escaped, so that no name, header or upstream can
forge a line (names in presentation form are safe already). Debug lines appear when a running Corefile has `debug`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import ClassVar, Final

_WAITING: Final = 1000
"""Lines that wait at the most: some 100 KB."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def at_once(flush: Callable[[], None]) -> None:
    """Write lines as they come."""
    flush()


class Log:
    """Lines under one prefix, as `plugin/errors: `."""

    soon: ClassVar[Callable[[Callable[[], None]], object]] = staticmethod(at_once)
    """When lines are written: at once, or, as the server has it, at the end of this round of its loop. One system
    call for the lines of a batch of queries is a tenth of one for each."""
    _waiting: ClassVar[list[str]] = []

    debugging = False
    """Whether debug lines are written; one for the process, as with CoreDNS."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def debug(self, text: str) -> None:
        """For people who look into their configuration; not written unless `debug` asks for it."""
        if Log.debugging:
            self._write("DEBUG", text)

    def info(self, text: str) -> None:
        """Something that is as it should be."""
        self._write("INFO", text)

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

    def _write(self, level: str, text: str) -> None:
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
        lines = "\n".join(Log._waiting)
        Log._waiting.clear()
        try:
            if lines:
                sys.stdout.write(lines + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            # Standard output is closed or full: there is nobody left to tell, and serving goes on.
            return


log = Log()
"""For lines of the server itself."""
