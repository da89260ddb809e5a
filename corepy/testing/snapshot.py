"""Answers as they were when somebody last looked at them: a text file beside the test has them, one for each test.

The text of an answer is stable: it has no id, and the records of a section are in the order of the alphabet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corepy import display

if TYPE_CHECKING:
    from corepy.testing.answer import Answer

_FOLDER: Final = "snapshots"
_OPTION: Final = "--corefile-snapshot-update"


class Snapshots:
    """What a test has asked so far, against its file."""

    def __init__(self, test: Path, name: str, *, update: bool) -> None:
        """The file of a test: `snapshots/MODULE/NAME.txt` beside the module."""
        plain = re.sub(r"[^\w.,=+-]+", "_", name).strip("_")
        self.path = test.parent / _FOLDER / test.stem / f"{plain}.txt"
        self._update = update
        self._texts: list[str] = []

    def __call__(self, answer: Answer, *, ttl: bool = True) -> None:
        """The answer is what the file has next; without `ttl`, of whatever TTLs. Raises AssertionError."""
        __tracebackhide__ = True
        self._texts.append("\n".join(_lines(answer, ttl=ttl)))
        if self._update:
            return
        known = self.path.read_text(encoding="utf-8").rstrip("\n").split("\n\n") if self.path.exists() else []
        number, text = len(self._texts), self._texts[-1]
        if len(known) < number:
            raise AssertionError(f"answer {number} is not in {self.path} yet: run with {_OPTION}\n{text}")
        before = known[number - 1]
        if before != text:
            diff = unified_diff(before.split("\n"), text.split("\n"), lineterm="", n=100)
            shown = "\n".join(list(diff)[3:])   # without the names of files and the numbers of lines
            why = f"\nwhat plugins did:\n{answer.explanation}" if answer.explanation else ""
            raise AssertionError(f"answer {number} is not as in {self.path} ({_OPTION} if it is right)\n{shown}{why}")

    def close(self) -> None:
        """Write the file, where that is wanted."""
        if self._update and self._texts:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("\n\n".join(self._texts) + "\n", encoding="utf-8")


def _lines(answer: Answer, *, ttl: bool) -> Iterator[str]:
    """An answer, a line for each thing that it says."""
    wire = answer.reply.wire
    yield f";; {display.question(wire) or 'no question'}"
    yield f";; {answer.rcode}: {' '.join(answer.flags)}"
    yield from [line for line in display.show(wire).split("\n") if line.startswith("; ")]   # EDNS
    sections = {"ANSWER": answer.records, "AUTHORITY": answer.authority, "ADDITIONAL": answer.additional}
    for title, records in sections.items():
        for record in sorted(records):
            owner, seconds, rest = record.split(" ", 2)
            yield f"{title} {owner} {seconds if ttl else '*'} {rest}"


__all__ = ["Snapshots"]
