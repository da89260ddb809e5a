"""Imports in a Corefile: files, globs and snippets, put in the place of the line that names them."""

from __future__ import annotations

import glob
import os.path
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from corepy.errors import ConfigError
from corepy.words import MAX_DEPTH, Block, Line, Word, nearest, not_set, place, remark, shown

_MAX_IMPORTS = 10_000
"""Imports in all, as in CoreDNS: snippets that import others twice would double for ever."""


@dataclass(slots=True)
class Snippet:
    """A named part of a Corefile, `(NAME) { ... }`: its lines are checked only where it is imported."""

    name: Word
    lines: list[Line]
    used: bool = False


@dataclass(slots=True)
class Imports:
    """What the imports of one reading of a Corefile share.

    `parse` turns a file's contents and its name into lines. A mistake in an import is added to `errors` and leaves
    out its line; `files` are those read, in this order.
    """

    parse: Callable[[str | bytes, str], list[Line]]
    errors: list[ConfigError]
    warnings: list[Word]
    files: list[str]
    snippets: dict[str, Snippet] = field(default_factory=dict)
    _active: list[str] = field(default_factory=list)
    _count: int = 0

    def define(self, name: Word, block: Block) -> None:
        """Keep a snippet for the imports below it. One that is defined twice or imports itself is an error."""
        lines = block.lines
        if earlier := self.snippets.get(name):
            hint = f"it was defined at {earlier.name.at}"
            self.errors.append(ConfigError(f"snippet {shown(name)} is defined twice", name.at, hint=hint))
            return
        if (own := _import_of(name, lines)) is not None:
            self.errors.append(ConfigError(f"snippet {shown(name)} imports itself", own.at))
            lines = []
        self.snippets[name] = Snippet(name, lines)

    def expand(self, lines: list[Line]) -> Iterator[Line]:
        """The lines, with what they import in the place of each import.

        The lines of a block within them stay as they are. Raises ConfigError when imports do not end.
        """
        for line in lines:
            if line[0] != "import":
                yield line
                continue
            try:
                target = _target(line)
            except ConfigError as error:
                self.errors.append(error)
                continue
            if snippet := self.snippets.get(target):
                snippet.used = True
                with self._inside(f"snippet {shown(target)}", target):
                    yield from self.expand(snippet.lines)
            else:
                yield from self._files(target)

    @contextmanager
    def _inside(self, name: str, target: Word) -> Iterator[None]:
        """Bound the imports: what is being imported cannot be imported again within itself."""
        self._count += 1
        if name in self._active:
            path = " -> ".join([*self._active[self._active.index(name) :], name])
            raise ConfigError(f"import {shown(target)} goes round in a circle: {path}", target.at)
        if len(self._active) >= MAX_DEPTH:
            raise ConfigError(f"import {shown(target)} is one too many: imports nest {MAX_DEPTH} deep", target.at)
        if self._count > _MAX_IMPORTS:
            raise ConfigError(f"import {shown(target)} is one too many: there are {_MAX_IMPORTS}", target.at)
        self._active.append(name)
        try:
            yield
        finally:
            self._active.pop()

    def _files(self, target: Word) -> Iterator[Line]:
        """The lines of the files that a path or a pattern stands for, which is relative to the importing file."""
        for path in self._paths(target):
            with self._inside(path, target):
                try:
                    data = Path(path).read_bytes()
                except (OSError, ValueError) as error:
                    self.errors.append(self._unreadable(target, error))
                    continue
                self.files.append(path)
                yield from self.expand(self.parse(data, path))

    def _paths(self, target: Word) -> list[str]:
        base = os.path.dirname(target.at.file)  # noqa: PTH120 - a name, and "" stays ""
        if "*" in target or "?" in target:
            try:
                # Path.glob takes no absolute pattern.
                matches = glob.glob(target, root_dir=base or None, include_hidden=True)  # noqa: PTH207
            except (OSError, ValueError):
                matches = []
            if not matches:
                self.warnings.append(remark(f"no file matches import {target}", target.at))
            matches.sort(key=lambda path: path.split("/"))
        else:
            matches = [target]
        return [os.path.normpath(os.path.join(base, path)) for path in matches]  # noqa: PTH118 - a name as above

    def _unreadable(self, target: Word, error: Exception) -> ConfigError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        what = f"cannot import {shown(target)}: {reason}{not_set([target])}"
        return ConfigError(what, target.at, expected="a file or a snippet", hint=nearest(target, self.snippets))


def _target(line: Line) -> Word:
    """The argument of an import. Raises ConfigError unless there is exactly one, with at most one wildcard."""
    expected = "one file, pattern or snippet"
    if len(line) < 2:
        raise ConfigError("import lacks an argument", place(line[0]), expected=expected)
    target = line[1]
    if isinstance(target, Block) or len(line) > 2:
        surplus = target if isinstance(target, Block) else line[2]
        text = "{" if isinstance(surplus, Block) else surplus
        raise ConfigError(f"import takes one argument, not {shown(text)} too", place(surplus), expected=expected)
    if not target:
        raise ConfigError(f"import of nothing{not_set([target])}", target.at, expected=expected)
    if target.count("*") > 1 or target.count("?") > 1 or ("[" in target and "]" in target):
        raise ConfigError(
            f"import pattern {shown(target)} has too many wildcards", target.at, expected="at most one * and one ?"
        )
    return target


def _import_of(name: str, lines: list[Line]) -> Word | None:
    """The first import of the snippet `name` in these lines and the blocks within."""
    for line in lines:
        if line[0] == "import" and len(line) > 1 and line[1] == name and isinstance(line[1], Word):
            return line[1]
        for item in line:
            if isinstance(item, Block) and (found := _import_of(name, item.lines)) is not None:
                return found
    return None
