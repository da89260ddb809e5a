"""Tokens to a tree.

Variables are resolved here: each declaration gets a slot of its own, and a name means the latest declaration that is
still in scope. A scope ends with the `end` of its action; a definition sees none of what is around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from corepy.gotemplate import lexer as lex
from corepy.gotemplate import tree
from corepy.gotemplate.errors import TemplateSyntaxError
from corepy.gotemplate.lexer import Lexer, Token
from corepy.gotemplate.literals import read_number, read_string

MAX_NESTING: Final = 50
"""Parentheses and actions in each other, at most: each takes several Python frames, of which there are 1,000."""

_LITERALS: Final = (tree.Constant, tree.Nil, tree.Number, tree.Dot)
_OPERANDS: Final = (
    lex.WORD, lex.FIELD, lex.VARIABLE, lex.DOT, lex.NUMBER, lex.CHARACTER, lex.STRING, lex.RAW,
)  # fmt: skip


def parse(name: str, text: str, functions: Collection[str]) -> dict[str, tree.Definition]:
    """The definitions of a text by their names, that of the text itself under `name`. Raises TemplateSyntaxError."""
    parser = Parser(Lexer(name, text), functions)
    parser.main()
    return parser.definitions


class Parser:
    """Recursive descent, one method for each thing that can stand somewhere."""

    def __init__(self, lexer: Lexer, functions: Collection[str]) -> None:
        self._lexer = lexer
        self._tokens = list(lexer.tokens())
        self._next = 0
        self._functions = functions
        self.definitions: dict[str, tree.Definition] = {}
        self._scope: list[tuple[str, int]] = []
        self._slots = 1
        self._loops = 0
        self._nesting = 0

    # --- tokens ---

    def _peek(self, *, spaces: bool = False) -> Token:
        """The next token, which stays; spaces are passed over unless they matter."""
        while not spaces and self._tokens[self._next].kind == lex.SPACE:
            self._next += 1
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._peek()
        self._next += token.kind != lex.END
        return token

    def _at_keyword(self, *words: str) -> bool:
        token = self._peek()
        return token.kind == lex.KEYWORD and token.text in words

    def _expect(self, kind: str, where: str) -> Token:
        token = self._take()
        if token.kind != kind:
            raise self._unexpected(token, where)
        return token

    def _error(self, why: str, token: Token) -> TemplateSyntaxError:
        return self._lexer.error(why, token.at)

    def _unexpected(self, token: Token, where: str) -> TemplateSyntaxError:
        return self._error(f"unexpected {token.text or token.kind!r} in {where}", token)

    @contextmanager
    def _nested(self, token: Token) -> Iterator[None]:
        """One level deeper, with a scope of its own."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._error(f"more than {MAX_NESTING} levels of nesting", token)
        visible = len(self._scope)
        yield
        del self._scope[visible:]
        self._nesting -= 1

    # --- statements ---

    def main(self) -> None:
        """The whole text."""
        end = self._definition(self._lexer.name, top=True)
        if end.kind != lex.END:
            raise self._unexpected(end, "the template")

    def _definition(self, name: str, *, top: bool = False) -> Token:
        """Statements with variables of their own, kept under a name; what ended them is returned."""
        outside = self._scope, self._slots, self._loops
        self._scope, self._slots, self._loops = [("$", 0)], 1, 0
        body, end = self._body(top=top)
        made = tree.Definition(body, self._slots)
        self._scope, self._slots, self._loops = outside
        known = self.definitions.get(name)
        if known is None or known.empty:
            self.definitions[name] = made
        elif not made.empty:
            raise self._error(f"template {name!r} is defined twice", end)
        return end

    def _body(self, *, top: bool = False) -> tuple[tree.Body, Token]:
        """Statements up to `else` or `end`, which is taken and returned; at the top up to the end of the text."""
        statements: list[tree.Statement] = []
        while True:
            token = self._take()
            if token.kind == lex.TEXT:
                statements.append(tree.Text(token.at, token.text))
                continue
            if token.kind == lex.END:
                if not top:
                    raise self._error("unexpected end of the text, an 'end' is missing", token)
                return tuple(statements), token
            if self._at_keyword("else", "end"):
                return tuple(statements), self._take()
            if self._at_keyword("define"):
                self._define(token, top=top)
                continue
            statements.append(self._statement(token))

    def _end(self, end: Token, where: str) -> None:
        """Check that a body ended with `end`, and take the rest of that action."""
        if end.text != "end":
            raise self._unexpected(end, where)
        self._expect(lex.CLOSE, "end")

    def _statement(self, start: Token) -> tree.Statement:
        """One action, its `{{` taken."""
        if self._peek().kind != lex.KEYWORD or self._at_keyword("nil"):
            return tree.Action(start.at, self._pipeline("an action", lex.CLOSE))
        keyword = self._take()
        match keyword.text:
            case "if" | "with":
                return self._choice(keyword)
            case "range":
                return self._range(keyword)
            case "break" | "continue":
                if not self._loops:
                    raise self._error(f"{keyword.text} outside of range", keyword)
                self._expect(lex.CLOSE, keyword.text)
                return tree.Leave(keyword.at, keyword.text == "continue")
            case "template":
                return self._call(keyword)
            case "block":
                return self._block(keyword)
        raise self._unexpected(keyword, "an action")

    def _define(self, start: Token, *, top: bool) -> None:
        keyword = self._take()
        if not top:
            raise self._unexpected(keyword, "an action")
        name = self._name("define")
        self._expect(lex.CLOSE, "define")
        with self._nested(start):
            end = self._definition(name)
        self._end(end, "define")

    def _name(self, where: str) -> str:
        token = self._take()
        if token.kind not in (lex.STRING, lex.RAW):
            raise self._unexpected(token, where)
        return self._string(token)

    def _choice(self, keyword: Token) -> tree.Choice:
        branches: list[tuple[tree.Pipeline, tree.Body]] = []
        otherwise: tree.Body = ()
        with self._nested(keyword):
            while True:
                pipeline = self._pipeline(keyword.text, lex.CLOSE)
                body, end = self._body()
                branches.append((pipeline, body))
                if end.text == "else" and self._at_keyword(keyword.text):
                    self._take()
                    continue
                if end.text == "else":
                    self._expect(lex.CLOSE, "else")
                    otherwise, end = self._body()
                self._end(end, keyword.text)
                break
        return tree.Choice(keyword.at, keyword.text == "with", tuple(branches), otherwise)

    def _range(self, keyword: Token) -> tree.Range:
        otherwise: tree.Body = ()
        with self._nested(keyword):
            pipeline = self._pipeline("range", lex.CLOSE)
            self._loops += 1
            body, end = self._body()
            self._loops -= 1
            if end.text == "else":
                self._expect(lex.CLOSE, "else")
                otherwise, end = self._body()
            self._end(end, "range")
        return tree.Range(keyword.at, pipeline, body, otherwise)

    def _call(self, keyword: Token) -> tree.Call:
        name = self._name("template")
        if self._peek().kind == lex.CLOSE:
            self._take()
            return tree.Call(keyword.at, name, None)
        return tree.Call(keyword.at, name, self._pipeline("template", lex.CLOSE))

    def _block(self, keyword: Token) -> tree.Call:
        name = self._name("block")
        pipeline = self._pipeline("block", lex.CLOSE)
        with self._nested(keyword):
            end = self._definition(name)
        self._end(end, "block")
        return tree.Call(keyword.at, name, pipeline)

    # --- pipelines ---

    def _pipeline(self, where: str, end: str) -> tree.Pipeline:
        """`$x := command | command`, up to and with its end: `}}`, or `)` in parentheses."""
        start = self._peek()
        slots = self._variables(where)
        commands: list[tree.Command] = []
        while True:
            token = self._peek()
            if token.kind == end or (token.text == end and token.kind == lex.SIGN):
                self._take()
                break
            if token.kind not in _OPERANDS and token.text not in ("(", "nil"):
                raise self._unexpected(token, where)
            commands.append(self._command())
        if not commands:
            raise self._error(f"missing value for {where}", start)
        for command in commands[1:]:
            if isinstance(command.operands[0], _LITERALS):
                raise self._lexer.error("a constant cannot be given a value by a pipe", command.at)
        return tree.Pipeline(start.at, tuple(commands), slots)

    def _variables(self, where: str) -> tuple[int, ...]:
        """What stands before `:=` or `=`, if one of them is there: the slots for the value."""
        mark = self._next
        names: list[Token] = []
        while self._peek().kind == lex.VARIABLE:
            names.append(self._take())
            sign = self._peek()
            if sign.text in (":=", "=") and sign.kind == lex.SIGN:
                self._take()
                return tuple([self._slot(name, declare=sign.text == ":=") for name in names])
            if sign.text != "," or sign.kind != lex.SIGN:
                break
            self._take()
            if where != "range" or len(names) > 1:
                raise self._error(f"too many variables in {where}", sign)
        if len(names) > 1:
            raise self._unexpected(self._peek(), where)
        self._next = mark
        return ()

    def _slot(self, name: Token, *, declare: bool) -> int:
        """A new slot, or that of the variable; `=` without `:=` before it is an error when it is carried out."""
        slot = self._slots if declare else self._visible(name.text)
        self._slots += declare
        self._scope.append((name.text, slot))
        return slot

    def _visible(self, name: str) -> int:
        """The slot of a name that is in scope, UNDEFINED for none."""
        return next((slot for known, slot in reversed(self._scope) if known == name), tree.UNDEFINED)

    def _command(self) -> tree.Command:
        """Operands up to a pipe, which is taken, or to what ends the pipeline, which stays."""
        start = self._peek()
        operands: list[tree.Operand] = []
        while True:
            operand = self._operand()
            if operand is not None:
                operands.append(operand)
            token = self._peek(spaces=True)
            if token.kind == lex.SPACE:
                self._next += 1
                continue
            if token.kind == lex.SIGN and token.text == "|":
                self._take()
            elif token.kind != lex.CLOSE and token.text != ")":
                raise self._unexpected(token, "a command")
            break
        if not operands:
            raise self._error("empty command", start)
        return tree.Command(start.at, tuple(operands))

    def _operand(self) -> tree.Operand | None:
        """A term with the fields behind it; None where there is no term."""
        start = self._peek()
        term = self._term()
        if term is None or self._peek(spaces=True).kind != lex.FIELD:
            return term
        if isinstance(term, _LITERALS):
            raise self._error("a constant has no fields", self._peek())
        names: tuple[str, ...] = ()
        while self._peek(spaces=True).kind == lex.FIELD:
            names += (self._take().text[1:],)
        if isinstance(term, tree.Field):
            return tree.Field(start.at, term.base, term.names + names)
        return tree.Field(start.at, term, names)

    def _term(self) -> tree.Operand | None:
        token = self._peek()
        if token.kind not in _OPERANDS and token.text not in ("(", "nil"):
            return None
        self._take()
        match token.kind:
            case lex.WORD:
                return self._word(token)
            case lex.DOT:
                return tree.Dot(token.at)
            case lex.FIELD:
                return tree.Field(token.at, tree.Dot(token.at), (token.text[1:],))
            case lex.VARIABLE:
                return self._variable(token)
            case lex.STRING | lex.RAW:
                return tree.Constant(token.at, self._string(token))
            case lex.NUMBER | lex.CHARACTER:
                return self._number(token)
            case lex.KEYWORD:
                return tree.Nil(token.at)
        return self._parenthesis(token)

    def _parenthesis(self, token: Token) -> tree.Pipeline:
        """`( pipeline )`; variables that it declares live on, as long as those around it."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._error(f"more than {MAX_NESTING} levels of nesting", token)
        pipeline = self._pipeline("a parenthesis", ")")
        self._nesting -= 1
        return pipeline

    def _word(self, token: Token) -> tree.Operand:
        if token.text in ("true", "false"):
            return tree.Constant(token.at, token.text == "true")
        if token.text not in self._functions:
            raise self._error(f"function {token.text!r} is not defined", token)
        return tree.Named(token.at, token.text)

    def _variable(self, token: Token) -> tree.Variable:
        if all(known != token.text for known, _ in self._scope):
            raise self._error(f"undefined variable {token.text}", token)
        return tree.Variable(token.at, token.text, self._visible(token.text))

    def _string(self, token: Token) -> str:
        try:
            return read_string(token.text)
        except ValueError as error:
            raise self._error(str(error), token) from None

    def _number(self, token: Token) -> tree.Number:
        try:
            return read_number(token.text, token.at)
        except ValueError as error:
            raise self._error(str(error), token) from None
