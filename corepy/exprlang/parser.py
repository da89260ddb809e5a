"""From words to a tree, by precedence of operators."""

from __future__ import annotations

import math
from typing import Final

from corepy.exprlang import tree
from corepy.exprlang.errors import ExpressionError
from corepy.exprlang.lexer import WORD_OPERATORS, Token, tokens
from corepy.exprlang.tree import Binary, Call, Conditional, Literal, Member, Node, Pointer, Unary
from corepy.exprlang.types import Bytes

_UNARY: Final = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY: Final = {
    "|": 0, "or": 10, "||": 10, "and": 15, "&&": 15, "==": 20, "!=": 20, "<": 20, ">": 20, ">=": 20, "<=": 20,
    "in": 20, "matches": 20, "contains": 20, "startsWith": 20, "endsWith": 20, "..": 25, "+": 30, "-": 30, "*": 60,
    "/": 60, "%": 60, "**": 100, "^": 100, "??": 500,
}  # fmt: skip
_RIGHT: Final = ("**", "^")
_COMPARISONS: Final = ("<", ">", ">=", "<=")
_NEGATED: Final = ("contains", "matches", "startsWith", "endsWith", "in")
PREDICATES: Final = {
    "all": 2, "none": 2, "any": 2, "one": 2, "filter": 2, "map": 2, "count": 2, "sum": 2, "find": 2, "findIndex": 2,
    "findLast": 2, "findLastIndex": 2, "groupBy": 2, "reduce": 3, "sortBy": 3,
}  # fmt: skip
"""Functions whose second argument is evaluated for each element of the first, and how many arguments they take."""
MAX_NESTING: Final = 50
"""Brackets in brackets: more than people read, and far from what the interpreter's stack holds."""
_MAX_INTEGER: Final = (1 << 63) - 1


def parse(source: str) -> Node:
    """The tree of a text; raises ExpressionError."""
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens = tokens(source)
        self._next = 0
        self._predicates = 0
        self._nesting = 0

    # --- words ---

    @property
    def _current(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._current
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _is(self, *texts: str) -> bool:
        token = self._current
        return token.kind in ("operator", "bracket") and token.text in texts

    def _took(self, text: str) -> bool:
        """Take a word if it is the next one."""
        if not self._is(text):
            return False
        self._take()
        return True

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            raise self._unexpected()
        return self._take()

    def _unexpected(self) -> ExpressionError:
        return ExpressionError(f"unexpected {self._current}", self._current.at)

    # --- expressions ---

    def whole(self) -> Node:
        node = self._sequence()
        if self._current.kind != "end":
            raise self._unexpected()
        return node

    def _sequence(self) -> Node:
        """`a; b`, or one expression; a semicolon may stand at the very end."""
        nodes = [self._expression()]
        while self._took(";") and self._current.kind != "end":
            nodes.append(self._expression())
        return nodes[0] if len(nodes) == 1 else tree.Sequence(nodes, nodes[0].at)

    def _expression(self, precedence: int = 0) -> Node:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ExpressionError(f"nested more than {MAX_NESTING} times", self._current.at)
        if precedence == 0 and self._is("let"):
            node = self._let()
        elif precedence == 0 and self._is("if"):
            node = self._if()
        else:
            node = self._operators(precedence)
            while precedence == 0 and self._is("?"):
                node = self._ternary(node)
        self._nesting -= 1
        return node

    def _operators(self, precedence: int) -> Node:
        left = self._primary()
        before = ""
        while (operator := self._operator(precedence)) is not None:
            token, negated = operator
            if before == "??" and token.text not in ("??", "|"):
                raise ExpressionError(f"{token} and '??' need parentheses between them", token.at)
            if token.text == "|":
                left = self._postfix(self._call(self._name(), [left]))
            elif token.text in _COMPARISONS:
                left = self._comparison(left, token)
            else:
                right = self._expression(_BINARY[token.text] + (token.text not in _RIGHT))
                left = Binary(token.text, left, right, token.at)
            if negated:
                left = Unary("not", left, token.at)
            before = token.text
        return left

    def _operator(self, precedence: int) -> tuple[Token, bool] | None:
        """Take the operator that comes next, if it binds tightly enough; and whether `not` is in front of it."""
        first, second = self._current, self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        negated = first.kind == "operator" and first.text == "not"
        token = second if negated else first
        if token.kind != "operator" or (negated and token.text not in _NEGATED):
            return None
        if _BINARY.get(token.text, -1) < precedence:
            return None
        self._next += 1 + negated
        return token, negated

    def _comparison(self, left: Node, token: Token) -> Node:
        """`a < b < c` is `a < b && b < c`."""
        whole: Node | None = None
        while True:
            right = self._expression(_BINARY[token.text] + 1)
            one = Binary(token.text, left, right, token.at)
            whole = one if whole is None else Binary("&&", whole, one, token.at)
            if not self._is(*_COMPARISONS):
                return whole
            left, token = right, self._take()

    def _ternary(self, condition: Node) -> Node:
        """`a ? b : c`, or `a ?: c` for `a ? a : c`."""
        at = self._expect("?").at
        if self._took(":"):
            return Conditional(condition, condition, self._expression(), at)
        then = self._expression()
        self._expect(":")
        return Conditional(condition, then, self._expression(), at)

    def _if(self) -> Node:
        at = self._expect("if").at
        condition = self._expression()
        self._expect("{")
        then = self._sequence()
        self._expect("}")
        self._expect("else")
        if self._is("if"):
            return Conditional(condition, then, self._expression(), at)
        self._expect("{")
        otherwise = self._sequence()
        self._expect("}")
        return Conditional(condition, then, otherwise, at)

    def _let(self) -> Node:
        self._expect("let")
        name = self._name()
        self._expect("=")
        value = self._expression()
        self._expect(";")
        return tree.Let(name.text, value, self._sequence(), name.at)

    def _name(self) -> Token:
        if self._current.kind != "name":
            raise self._unexpected()
        return self._take()

    # --- values ---

    def _primary(self) -> Node:
        token = self._current
        if token.kind == "operator" and token.text in _UNARY:
            self._take()
            return self._postfix(Unary(token.text, self._expression(_UNARY[token.text]), token.at))
        if self._took("("):
            node = self._sequence()
            self._expect(")")
            return self._postfix(node)
        if self._predicates and self._is("#", "."):
            return self._postfix(self._pointer())
        if self._took("::"):
            return self._postfix(self._call(self._name(), []))
        return self._postfix(self._value())

    def _pointer(self) -> Node:
        token = self._current
        if token.text == ".":   # `.name` is short for `#.name`, the postfix takes the rest
            return Pointer("", token.at)
        self._take()
        follows = self._current
        if follows.kind == "name" and follows.at == token.at + 1:
            return Pointer(self._take().text, token.at)
        return Pointer("", token.at)

    def _value(self) -> Node:
        token = self._current
        if token.kind == "number":
            self._take()
            return Literal(_number(token), token.at)
        if token.kind == "string":
            self._take()
            return Literal(token.text, token.at)
        if token.kind == "bytes":
            self._take()
            return Literal(Bytes(token.text.encode("latin-1")), token.at)
        if token.kind == "name":
            self._take()
            constants = {"true": True, "false": False, "nil": None}
            if token.text in constants:
                return Literal(constants[token.text], token.at)
            return self._call(token, []) if self._is("(") else tree.Name(token.text, token.at)
        if self._is("["):
            return tree.Array(self._list("[", "]"), token.at)
        if self._is("{"):
            return self._map()
        raise self._unexpected()

    def _list(self, opening: str, closing: str) -> list[Node]:
        """Expressions between brackets; a comma behind the last one does no harm."""
        self._expect(opening)
        items: list[Node] = []
        while not self._is(closing):
            items.append(self._expression())
            if not self._took(","):
                break
        self._expect(closing)
        return items

    def _map(self) -> Node:
        at = self._expect("{").at
        pairs: list[tuple[Node, Node]] = []
        while not self._is("}"):
            token = self._current
            key: Node
            if token.kind in ("number", "string", "name"):
                key = Literal(self._take().text, token.at)
            else:
                self._expect("(")
                key = self._sequence()
                self._expect(")")
            self._expect(":")
            pairs.append((key, self._expression()))
            if not self._took(","):
                break
        self._expect("}")
        return tree.Map(pairs, at)

    def _call(self, name: Token, arguments: list[Node]) -> Node:
        """A call; with the operator `|` the first argument is what is in front of it."""
        if name.text not in PREDICATES:
            return Call(name.text, [*arguments, *self._list("(", ")")], name.at)
        self._expect("(")
        most = PREDICATES[name.text]
        while len(arguments) < most and not self._is(")"):
            arguments = [*arguments, self._predicate() if len(arguments) == 1 else self._expression()]
            if not self._took(","):
                break
        self._expect(")")
        return Call(name.text, arguments, name.at)

    def _predicate(self) -> Node:
        self._predicates += 1
        if self._took("{"):
            node = self._sequence()
            self._expect("}")
        else:
            node = self._expression()
        self._predicates -= 1
        return node

    def _postfix(self, node: Node) -> Node:
        """What comes behind a value: `.name`, `?.name`, `[key]`, `[from:to]`."""
        while self._is(".", "?.", "["):
            token = self._take()
            optional = token.text == "?."
            if token.text == "[" or (optional and self._took("[")):
                node = self._index(node, token, optional=optional)
                continue
            key = self._take()
            if key.kind != "name" and key.text not in WORD_OPERATORS:
                raise ExpressionError(f"expected a name and not {key}", key.at)
            if self._is("("):
                node = tree.Method(node, key.text, self._list("(", ")"), key.at)
                continue
            node = Member(node, Literal(key.text, key.at), optional, key.at)
        return node

    def _index(self, node: Node, bracket: Token, *, optional: bool) -> Node:
        start = None if self._is(":") else self._expression()
        if self._took(":"):
            end = None if self._is("]") else self._expression()
            self._expect("]")
            return tree.Slice(node, start, end, bracket.at)
        self._expect("]")
        assert start is not None  # noqa: S101 - else the colon was taken
        return Member(node, start, optional, bracket.at)


def _number(token: Token) -> int | float:
    text = token.text.replace("_", "").lower()
    try:
        if text.startswith(("0x", "0o", "0b")):
            number: int | float = int(text, 0)
        elif "." in text or "e" in text:
            number = float(text)
        else:
            number = int(text[:20])
    except ValueError:
        raise ExpressionError(f"bad number {token}", token.at) from None
    if number == math.inf or (isinstance(number, int) and number > _MAX_INTEGER):
        raise ExpressionError(f"the number {token} is too large", token.at)
    return number
