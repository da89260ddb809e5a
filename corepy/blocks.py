"""Lines of a Corefile to server blocks: which words are keys, where a block begins, what is a directive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from corepy.directive import Directive
from corepy.errors import ConfigError, Position
from corepy.imports import Imports
from corepy.words import MAX_DEPTH, NOWHERE, Block, Line, Word, not_set, place, remark, shown


@dataclass(slots=True)
class ServerBlock:
    """The keys of a server block as written (see `keys.parse_keys`), and its directives in the order of the file."""

    keys: list[Word]
    directives: list[Directive]
    at: Position

    @property
    def said(self) -> list[object]:
        """What the directives say: their words and blocks, wherever they stand and however they are quoted."""
        return [_said(directive) for directive in self.directives]


def _said(directive: Directive) -> list[object]:
    inner = None if directive.block is None else [_said(line) for line in directive.block]
    return [directive.name, directive.arguments, inner]


class Assembly:
    """Takes line after line from outside of blocks and collects server blocks in `blocks`.

    As in CoreDNS, keys may reach over lines with commas, an opening brace may follow on the next line, and a
    block behind keys without a brace reaches to the end of the Corefile. Mistakes are added to `imports.errors`.
    """

    def __init__(self, imports: Imports) -> None:
        self.blocks: list[ServerBlock] = []
        self._imports = imports
        self._keys: list[Word] = []
        self._more = False
        """Whether a comma behind the last key promises another."""
        self._unbraced: ServerBlock | None = None

    def line(self, line: Line) -> None:
        """Take the next line; imports in it must have been expanded, those within its blocks must not."""
        if self._keys and not self._more and not isinstance(line[0], Block) and not self._unbraced:
            self._unbraced = self._add([], None)
        if self._unbraced:
            self._unbraced.directives += self.directives([line])
            return
        for item in line:
            if isinstance(item, Word):
                self._key(item)
            elif (name := self._snippet()) is not None:
                self._keys = []
                self._imports.define(name, item)
            else:
                self._add(self.directives(self._imports.expand(item.lines)), item)

    def end(self) -> None:
        """Take the end of the Corefile: keys may stand alone."""
        if self._keys:
            self._add([], None)

    def directives(self, lines: Iterable[Line], depth: int = 0) -> list[Directive]:
        """The directives, or within a directive the options, of the lines of a block.

        Raises ConfigError when blocks or imports nest without end.
        """
        return [directive for line in lines if (directive := self._directive(line, depth))]

    def _directive(self, line: Line, depth: int) -> Directive | None:
        """The directive on a line: words, and at its end perhaps a block."""
        words = [item for item in line if isinstance(item, Word)]
        block = next((item for item in line if isinstance(item, Block)), None)
        if line[0] is block:
            self._error("unexpected '{'", block, expected="the brace on the line of its directive")
            return None
        directive = Directive(words[0], words[1:])
        if block is None:
            return directive
        if line[-1] is not block:
            surplus = line[line.index(block) + 1]
            text = "{" if isinstance(surplus, Block) else surplus
            self._error(f"unexpected {shown(text)} behind '}}'", surplus, expected="the end of the line")
        if depth == MAX_DEPTH:
            raise ConfigError(f"'{{' is one too many: blocks nest {MAX_DEPTH} deep", block.opened)
        directive.opened, directive.closed = block.opened, block.closed
        directive.block = self.directives(self._imports.expand(block.lines), depth + 1)
        return directive

    def _key(self, word: Word) -> None:
        """Take a key. A comma behind it promises another; an empty word is none and changes nothing."""
        if word == ",":
            self._error("unexpected ','", word, expected="the comma directly behind a zone")
            return
        if word:
            self._more = word.endswith(",")
        self._keys.append(Word(word.removesuffix(","), word.at, word.unset))

    def _snippet(self) -> Word | None:
        """The name of the snippet that the keys announce, if they do: a single one in parentheses."""
        keys = [key for key in self._keys if key]
        if len(keys) != 1 or not (keys[0].startswith("(") and keys[0].endswith(")")):
            return None
        return Word(keys[0][1:-1], keys[0].at, keys[0].unset)

    def _add(self, directives: list[Directive], block: Block | None) -> ServerBlock:
        """Make a server block of the keys that were read; without braces where `block` is None."""
        keys = [key for key in self._keys if key]
        first = self._keys[0] if self._keys else block
        server = ServerBlock(keys, directives, NOWHERE if first is None else place(first))
        if self._more:
            self._error(
                "unexpected '{' behind a comma" if block else "nothing behind a comma",
                block or self._keys[-1],
                "another zone",
            )
        elif block is None and self._snippet() is not None:
            self._error(f"snippet {shown(keys[0])} has no block", keys[0], expected="'{'")
        elif keys:
            self.blocks.append(server)
        else:
            what = f"server block without a zone left out{not_set(self._keys)}"
            self._imports.warnings.append(remark(what, server.at))
        self._keys, self._more = [], False
        return server

    def _error(self, what: str, item: Word | Block, expected: str) -> None:
        self._imports.errors.append(ConfigError(what, place(item), expected=expected))
