"""A directory of zone files: which of them are zones, and what has become of them since the last look."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from corepy import wire as w
from corepy.expression import Expression
from corepy.words import shown
from corepy.zone import Unchanged, Zone, ZoneError, load, succeed

_GROUP: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
"""What Go's `Regexp.Expand` replaces: a dollar for two, `${1}` and `$1`, which takes all letters that follow."""


class Look(NamedTuple):
    """What a look at the directory has brought."""

    changed: dict[bytes, Zone]
    """Zones by their names, which are new or have another serial."""
    gone: set[bytes]
    """Zones that no file is there for any more."""
    remarks: list[str]
    """What is wrong, as far as it has not been said before."""


class Directory:
    """The files below `path` whose names match `expression`; their zones' names are made by `template`.

    A group of the expression stands in the template as `{1}`, `{name}`, `$1` or `$name` (as CoreDNS). Of files for the
    same zone the first one in the order of their paths counts.
    """

    def __init__(self, path: Path, expression: Expression, template: str) -> None:
        self.path = path
        self._expression = expression
        self._template = template.replace("{", "${")
        self._zones: dict[bytes, Zone] = {}
        self._said: set[str] = set()

    def look(self) -> Look:
        """Read what is new and what has another serial; zones that are broken stay as they were. Never raises."""
        remarks: list[str] = []
        files = self._files(remarks)
        changed: dict[bytes, Zone] = {}
        for origin, path in files.items():
            try:
                old = self._zones.get(origin)
                changed[origin] = zone = load(path, origin, known=old.serial if old else None)
                succeed(old, zone)
            except Unchanged:
                continue
            except ZoneError as error:
                remarks.append(f"zone {w.decode_name(origin)}: {error}")
            except OSError as error:
                remarks.append(f"zone {w.decode_name(origin)}: cannot read {path}: {error.strerror or error}")
        gone = self._zones.keys() - files.keys()
        for origin in gone:
            del self._zones[origin]
        self._zones.update(changed)
        new = [remark for remark in remarks if remark not in self._said]
        self._said = set(remarks)
        return Look(changed, gone, new)

    def origin(self, name: str) -> bytes | None:
        """The zone that a file of this name is for, a key; None where its name does not match.

        Raises ValueError where the name that the template makes is none.
        """
        match = self._expression.match(name)
        if match is None:
            return None
        groups = match.named()
        made = _GROUP.sub(lambda found: found[1] or groups.get(found[2] or found[3], ""), self._template)
        return w.encode_name(made).lower() if made else None

    def _files(self, remarks: list[str]) -> dict[bytes, Path]:
        """The file of each zone. None is outside of the directory, whatever links there are."""
        found: dict[bytes, Path] = {}
        top = os.path.realpath(self.path)
        for entry in _walk(top, remarks):
            try:
                origin = self.origin(entry.name)
            except ValueError as error:
                remarks.append(f"{entry.path} is no zone file: {error}")
                continue
            if origin is None:
                continue
            if os.path.commonpath((top, os.path.realpath(entry.path))) != top:
                remarks.append(f"{entry.path} leads out of {shown(str(self.path))} and is left out")
            elif origin in found:
                remarks.append(f"{entry.path} is left out: {found[origin]} is zone {w.decode_name(origin)} already")
            else:
                found[origin] = Path(entry.path)
        return found


def _walk(top: str, remarks: list[str]) -> Iterator[os.DirEntry[str]]:
    """All files below a directory, in the order of their paths; links are followed to files, not to directories."""
    waiting = _entries(top, remarks)
    while waiting:
        entry = waiting.pop()
        if entry.is_dir(follow_symlinks=False):
            waiting += _entries(entry.path, remarks)
        elif not entry.is_dir():
            yield entry


def _entries(path: str, remarks: list[str]) -> list[os.DirEntry[str]]:
    """What is in a directory, the last one first."""
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        remarks.append(f"cannot look into {shown(path)}: {error.strerror}")
        return []
