"""The Corefile language: text to server blocks and directives, each with its place in the file.

The grammar in corefile.lark gives lines of words and blocks, with variables replaced (`words`); `imports` puts
what is imported in its place, and `blocks` makes server blocks and directives of it. Which directives exist is not
known here. The reading is that of CoreDNS 1.14.7, except where that hides a mistake.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, cast

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

from corepy.blocks import Assembly, ServerBlock
from corepy.directive import Directive, unknown_directive
from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.imports import Imports, Snippet
from corepy.words import MAX_DEPTH, Block, Line, Word, remark, replace_variables, shown

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Corefile:
    """A Corefile that has been read.

    `files` are those read, the Corefile first, by the names that positions use too; `warnings` are for the log
    (`[WARNING] ...`), each with its place; `snippets` are all that were defined, used or not. `errors` are all
    mistakes in the order of the files, none where `load` has read it.
    """

    blocks: list[ServerBlock]
    files: list[str]
    warnings: list[Word]
    snippets: list[Snippet]
    errors: list[ConfigError] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """SHA-512 of what was read, in hexadecimal: of the words, wherever they stand and however they are quoted."""
        blocks = [[block.keys, block.said] for block in self.blocks]
        text = json.dumps(blocks).encode("utf-8", "surrogatepass")
        return hashlib.sha512(text).hexdigest()


class Unclosed(ConfigError):  # noqa: N818 - says what is the case
    """A file that ends within the block `opened`, which takes in what stands below it: that may look wrong and not be.

    Its place is where the file ends, as in CoreDNS.
    """

    def __init__(self, opened: Position, end: Position) -> None:
        super().__init__(f"the block opened at {opened} is not closed", end, expected="'}' in a line of its own")
        self.opened = opened


def load(
    text: str | bytes, filename: str, environ: Mapping[str, str] | None = None, known: Collection[str] | None = None
) -> Corefile:
    """Read a Corefile and what it imports, relative to `filename`, with variables from `environ` (the process's).

    `known` are the directives that there are; without it any name may stand. Raises ConfigError, or ConfigErrors
    with all mistakes in their order if there are several; nothing else, whatever the bytes.
    """
    found = read(text, filename, environ, known)
    _raise(found.errors)
    return found


def read(
    text: str | bytes, filename: str, environ: Mapping[str, str] | None = None, known: Collection[str] | None = None
) -> Corefile:
    """Read a Corefile as `load` does, however wrong it is: what could be understood, and `errors`. Raises nothing."""
    imports = _imports(environ)
    imports.files.append(filename)
    assembly = Assembly(imports)
    try:
        for line in imports.expand(imports.parse(text, filename)):
            assembly.line(line)
        assembly.end()
    except ConfigError as error:
        imports.errors.append(error)
    if known is not None:
        named = (directive for block in assembly.blocks for directive in block.directives)
        imports.errors.extend(unknown_directive(one, known) for one in named if one.name not in known)
    return Corefile(
        assembly.blocks, imports.files, imports.warnings, list(imports.snippets.values()), _in_order(imports)
    )


def tokens(text: str | bytes, filename: str) -> list[tuple[str, str]]:
    """The kind and text of all tokens of one file as they are written, comments included; nothing is imported.

    Kinds are the grammar's: WORD, QUOTED, BRACE_OPEN, BRACE_CLOSE, COMMENT, _NEWLINE. Raises ConfigError, or
    ConfigErrors, where braces or quotes are wrong.
    """
    errors: list[ConfigError] = []
    source = _Source(filename, _decoded(text), {}, errors, [])
    source.tree()
    _raise(errors)
    found = _parser().lex(source.text, dont_ignore=True)
    return [(token.type, str(token)) for token in found if token.type != "SPACE"]


def comments(text: str | bytes, filename: str) -> list[tuple[Word, bool]]:
    """The comments of one file, from their `#` on, each with whether a word stands before it on its line.

    Ends where a quoted word has no end. Raises nothing.
    """
    source = _Source(filename, _decoded(text), {}, [], [])
    found: list[tuple[Word, bool]] = []
    line = 0   # the last one that a word has stood on
    with suppress(UnexpectedInput):
        for token in _parser().lex(source.text, dont_ignore=True):
            if token.type == "COMMENT":
                found.append((Word(token.rstrip(), source.at(token)), token.line == line))
            elif token.type not in ("SPACE", "_NEWLINE"):
                line = token.end_line or 0
    return found


def directives(
    text: str, zones: tuple[bytes, ...] = (b"\0",), environ: Mapping[str, str] | None = None
) -> list[Directive]:
    """The directives of a text, as if it stood in a server block of these zones: for the tests of a plugin.

    Lines count from 1 in a file called Corefile. Raises as `load` does.
    """
    imports = _imports(environ)
    imports.files.append("Corefile")
    found = Assembly(imports).directives(imports.expand(imports.parse(text, "Corefile")))
    _raise(_in_order(imports))
    for directive in found:
        directive.zones = zones
    return found


def _imports(environ: Mapping[str, str] | None) -> Imports:
    errors: list[ConfigError] = []
    warnings: list[Word] = []
    # A plain copy answers for names that the process's environment cannot have, such as one with a null byte.
    variables = dict(os.environ if environ is None else environ)

    def parse(text: str | bytes, filename: str) -> list[Line]:
        source = _Source(filename, _decoded(text), variables, errors, warnings)
        return list(source.lines(source.tree()))

    return Imports(parse, errors, warnings, [])


def _decoded(text: str | bytes) -> str:
    """The text without a byte order mark; bytes that are no UTF-8 stay what they are."""
    return (text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")).removeprefix("\ufeff")


def _in_order(imports: Imports) -> list[ConfigError]:
    """What was found, each mistake once even if its place was imported several times."""
    files = {name: place for place, name in reversed(list(enumerate(imports.files)))}

    def order(error: ConfigError) -> tuple[int, int, int]:
        at = error.at
        return (files.get(at.file, 0), at.line, at.column) if at else (0, 0, 0)

    return sorted({str(error): error for error in imports.errors}.values(), key=order)


def _raise(errors: list[ConfigError]) -> None:
    """Raise the errors, if there are any."""
    if errors:
        raise errors[0] if len(errors) == 1 else ConfigErrors(errors)


@cache
def _parser() -> Lark:
    """The parser, built when first needed: some 15 ms."""
    grammar = Path(__file__).with_name("corefile.lark").read_text(encoding="utf-8")
    # The contextual lexer would take a brace in the wrong place for a word.
    return Lark(grammar, start="file", parser="lalr", lexer="basic")


class _Source:
    """One file of a Corefile: its syntax tree, and the tree as lines with positions."""

    def __init__(
        self,
        name: str,
        text: str,
        environ: Mapping[str, str],
        errors: list[ConfigError],
        warnings: list[Word],
    ) -> None:
        self.name = name
        self.text = text
        self.rows = text.split("\n")
        self.environ = environ
        self.errors = errors
        self.warnings = warnings

    def tree(self) -> Tree[Token]:
        """The syntax tree; as far as there are mistakes in `errors`, of what was probably meant."""
        try:
            return _parser().parse(self.text, on_error=self._recover)
        except UnexpectedInput:
            return Tree("file", [])

    def lines(self, tree: Tree[Token], depth: int = 0) -> Iterator[Line]:
        """The lines of a file or of a block."""
        for line in tree.children:
            if isinstance(line, Tree):
                yield [self._item(item, depth) for item in line.children]

    def _item(self, item: Token | Tree[Token], depth: int) -> Word | Block:
        if isinstance(item, Token):
            return self._word(item)
        opened, closed = (self.at(cast("Token", item.children[end])) for end in (0, -1))
        if depth == MAX_DEPTH:
            raise ConfigError(f"'{{' is one too many: blocks nest {MAX_DEPTH} deep", opened)
        return Block(opened, closed, list(self.lines(item, depth + 1)))

    def _word(self, token: Token) -> Word:
        at = self.at(token)
        if token.type == "QUOTED":
            text = _ESCAPED.sub(lambda match: '"' if match[1] == '"' else match[0], token[1:-1])
        else:
            text = token.replace("\r", "")
            self._warn_of_comment(token, at)
        try:
            text, unset = replace_variables(text, self.environ)
        except ValueError as error:
            raise ConfigError(f"{error}: {shown(text)}", at) from None
        if "\0" in text:   # no path, name or number has one
            raise ConfigError(f"a NUL in {shown(text)}", at, hint="a Corefile is UTF-8, not UTF-16")
        return Word(text, at, unset)

    def _warn_of_comment(self, token: Token, at: Position) -> None:
        """A comment without a space before it ends at its first space in CoreDNS, by mistake."""
        end = token.end_pos or 0
        if self.text.startswith("#", end) and len(self.text[end:].partition("\n")[0].split()) > 1:
            what = f"the comment at {shown(token)} touches it, CoreDNS reads a part of it as words"
            self.warnings.append(remark(what, at))

    def at(self, token: Token) -> Position:
        """Where a token stands."""
        return self._position(token.line or 1, token.column or 1)

    def _position(self, line: int, column: int) -> Position:
        return Position(self.name, line, column, self.rows[line - 1].rstrip("\r"))

    def _end(self) -> Position:
        """Behind the last word of the file."""
        lines = self.text.rstrip().split("\n")
        return self._position(len(lines), len(lines[-1]) + 1)

    def _recover(self, error: UnexpectedInput) -> bool:
        """Note a mistake; whether reading can go on, as if it had not been made."""
        if not isinstance(error, UnexpectedToken):
            at = self._position(error.line, error.column)
            self.errors.append(ConfigError("the quoted word has no end", at, expected="'\"'"))
            return False
        parser = error.interactive_parser
        opened = [item for item in parser.parser_state.value_stack if getattr(item, "type", "") == "BRACE_OPEN"]
        at = self.at(error.token)
        if not opened:
            hint = "a brace counts only where it is a word of its own"
            self.errors.append(ConfigError("'}' closes no block", at, hint=hint))
            return True
        if error.token.type == "BRACE_CLOSE":
            self.errors.append(ConfigError("unexpected '}'", at, expected="it as the first word of a line"))
            missing = 1
        else:
            self.errors.append(Unclosed(self.at(opened[-1]), self._end()))
            missing = len(opened)
        for _ in range(missing):
            parser.feed_token(Token("_NEWLINE", "\n"))
            parser.feed_token(Token.new_borrow_pos("BRACE_CLOSE", "}", error.token))
        return True
