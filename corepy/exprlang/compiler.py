"""From a tree to a program: types are checked, and each node becomes a closure.

A closure takes the frame of a run, a list: the context that functions get comes first, then the variables, each in the
place that the compiler gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from corepy import expression
from corepy.exprlang import texts, tree
from corepy.exprlang.builtins import BUILTINS
from corepy.exprlang.checked import check_arguments, listed, nothing, parameters, text, truth
from corepy.exprlang.errors import ExpressionError
from corepy.exprlang.methods import METHODS, method_of
from corepy.exprlang.operators import BINARY, UNARY, result_of_binary, result_of_unary, written
from corepy.exprlang.parser import PREDICATES
from corepy.exprlang.predicates import CHECKS, RESULTS
from corepy.exprlang.scope import ENVIRONMENT, Scope
from corepy.exprlang.types import (
    ANY,
    BOOL,
    BYTES,
    FLOAT,
    FUNCTION,
    INT,
    MAP,
    NIL,
    PARTED,
    STRING,
    Bytes,
    Function,
    Reference,
    Type,
    array,
    common,
    fits,
    item_of,
)
from corepy.exprlang.types import matches_at_run as matches
from corepy.words import nearest

Run = Callable[[list[Any]], Any]
_MAX_DEPTH: Final = 100
"""Nodes below one another; chains of `and` and of `or` count as one. The interpreter's stack holds a few times more."""
_AND: Final = ("and", "&&")
_OR: Final = ("or", "||")


class _Made(NamedTuple):
    type: Type
    run: Run


class _Element(NamedTuple):
    """What a predicate is evaluated for, and the places of `#`, `#index` and `#acc`."""

    type: Type
    place: int
    accumulator: Type | None = None


class Compiler:
    """Makes the closures of one expression; `places` is how many variables its frame has."""

    def __init__(self, functions: Mapping[str, Function], variables: Mapping[str, Type]) -> None:
        self._scope = Scope(functions, variables)
        self._elements: list[_Element] = []
        self._depth = 0

    @property
    def places(self) -> int:
        """Variables that the frame of a run has, those of `let` and of predicates included."""
        return self._scope.places

    def compile(self, node: tree.Node) -> _Made:
        """The closure for a node, and the type of its value. Raises ExpressionError."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ExpressionError("too complex", node.at)
        made: _Made = getattr(self, f"_{type(node).__name__.lower()}")(node)
        self._depth -= 1
        return made

    # --- values ---

    def _literal(self, node: tree.Literal) -> _Made:
        value = node.value
        types: dict[type, Type] = {bool: BOOL, int: INT, float: FLOAT, str: STRING, Bytes: BYTES}
        return _Made(types.get(type(value), NIL), lambda _frame: value)

    def _name(self, node: tree.Name) -> _Made:
        name, scope = node.name, self._scope
        if name in scope.variables:
            of, place = scope.variables[name]
            return _Made(of, lambda frame: frame[place])
        if name == ENVIRONMENT:
            return _Made(MAP, scope.environment)
        if scope.is_handed_in(name):
            return _reference(name)
        if name in BUILTINS or name in scope.functions:
            return _Made(FUNCTION, nothing)   # as in expr-lang
        hint = nearest(name, [*scope.variables, *scope.functions])
        raise ExpressionError(f"unknown name {name!r}" + f" ({hint})" * bool(hint), node.at)

    def _pointer(self, node: tree.Pointer) -> _Made:
        element = self._elements[-1]
        place = element.place
        if node.name == "index":
            return _Made(INT, lambda frame: frame[place + 1])
        if node.name == "acc" and element.accumulator is not None:
            return _Made(element.accumulator, lambda frame: frame[place + 2])
        if node.name:
            raise ExpressionError(f"unknown pointer '#{node.name}'", node.at)
        return _Made(element.type, lambda frame: frame[place])

    def _array(self, node: tree.Array) -> _Made:
        made = [self.compile(item) for item in node.items]
        runs = [item.run for item in made]
        return _Made(array(common([item.type for item in made])), lambda frame: [run(frame) for run in runs])

    def _map(self, node: tree.Map) -> _Made:
        pairs = [(self.compile(key), self.compile(value)) for key, value in node.pairs]
        for (key, _), (where, _) in zip(pairs, node.pairs, strict=True):
            if not fits(key.type, STRING):
                raise ExpressionError(f"a key of type {key.type} and not string", where.at)
        runs = [(key.run, value.run) for key, value in reversed(pairs)]   # of two equal keys the first one counts
        return _Made(MAP, lambda frame: {key(frame): value(frame) for key, value in runs})

    def _let(self, node: tree.Let) -> _Made:
        if self._scope.is_taken(node.name):
            raise ExpressionError(f"the name {node.name!r} is taken", node.at)
        value = self.compile(node.value)
        place = self._scope.let(node.name, value.type, node.value)
        body = self.compile(node.body)
        self._scope.forget(node.name)
        set_to, run = value.run, body.run

        def let(frame: list[Any]) -> Any:
            frame[place] = set_to(frame)
            return run(frame)

        return _Made(body.type, let)

    def _sequence(self, node: tree.Sequence) -> _Made:
        *before, last = map(self.compile, node.nodes)
        runs, value = [made.run for made in before], last.run

        def sequence(frame: list[Any]) -> Any:
            for run in runs:
                run(frame)
            return value(frame)

        return _Made(last.type, sequence)

    # --- operators ---

    def _unary(self, node: tree.Unary) -> _Made:
        operand = self.compile(node.operand)
        of = result_of_unary(node.operator, operand.type)
        if of is None:
            raise ExpressionError(f"{node.operator!r} does not take a {operand.type}", node.at)
        operator, run = UNARY[node.operator], operand.run
        return _Made(of, lambda frame: operator(run(frame)))

    def _binary(self, node: tree.Binary) -> _Made:
        if node.operator in _AND:
            return self._chain(node, _AND, stop=False)
        if node.operator in _OR:
            return self._chain(node, _OR, stop=True)
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator == "??":
            first, second = left.run, right.run
            of = right.type if left.type == NIL else common([left.type, right.type])
            return _Made(of, lambda frame: second(frame) if (value := first(frame)) is None else value)
        of_result = result_of_binary(node.operator, left.type, right.type)
        if of_result is None:
            what = f"{node.operator!r} does not take a {left.type} and a {right.type}"
            raise ExpressionError(what, node.at)
        if node.operator == "matches":
            return self._matches(node, left, right)
        return _Made(of_result, _operation(node, left.run, right.run))

    def _chain(self, node: tree.Binary, operators: tuple[str, ...], *, stop: bool) -> _Made:
        """`a and b and c`, of any length: evaluated until one of them is `stop`."""
        parts: list[tree.Node] = []
        rest: tree.Node = node
        while isinstance(rest, tree.Binary) and rest.operator in operators:
            parts.append(rest.right)
            rest = rest.left
        made = [self.compile(part) for part in [rest, *reversed(parts)]]
        for part in made:
            if not fits(part.type, BOOL):
                raise ExpressionError(f"{node.operator!r} does not take a {part.type}", node.at)
        runs = [part.run for part in made]

        def chain(frame: list[Any]) -> Any:
            for run in runs:
                value = run(frame)
                if value is stop:
                    return stop
                if value is not (not stop):
                    raise TypeError(f"{value!r} is neither true nor false")
            return not stop

        return _Made(BOOL, chain)

    def _matches(self, node: tree.Binary, left: _Made, right: _Made) -> _Made:
        if not isinstance(node.right, tree.Literal):
            return _Made(BOOL, _operation(node, left.run, right.run))
        try:
            search = expression.compile(str(node.right.value)).search
        except ValueError as error:
            raise ExpressionError(str(error), node.right.at) from None
        of = left.run
        if left.type == BYTES:
            return _Made(BOOL, lambda frame: bool(search(written(of(frame)))))
        return _Made(BOOL, lambda frame: (value := of(frame)) is not None and bool(search(text(value))))

    def _conditional(self, node: tree.Conditional) -> _Made:
        condition, then, otherwise = map(self.compile, (node.condition, node.then, node.otherwise))
        if not fits(condition.type, BOOL):
            raise ExpressionError(f"a condition of type {condition.type} and not bool", node.at)
        ask, yes, no = condition.run, then.run, otherwise.run
        return _Made(common([then.type, otherwise.type]), lambda frame: yes(frame) if truth(ask(frame)) else no(frame))

    # --- parts of values ---

    def _member(self, node: tree.Member) -> _Made:
        if self._scope.is_environment(node.of) and isinstance(node.key, tree.Literal):
            return self._handed_in(str(node.key.value), node)
        of, key = self.compile(node.of), self.compile(node.key)
        if isinstance(node.key, tree.Literal) and node.key.value in METHODS.get(of.type, {}):
            return _reference(str(node.key.value))
        wanted = INT if of.type.item else STRING
        if not fits(of.type, PARTED):
            raise ExpressionError(f"a {of.type} has no parts", node.at)
        if of.type != ANY and not fits(key.type, wanted):
            raise ExpressionError(f"a {of.type} has no part that is named by a {key.type}", node.at)
        value, part, optional = of.run, key.run, node.optional

        def member(frame: list[Any]) -> Any:
            whole = value(frame)
            if whole is None and optional:
                return None
            name = part(frame)
            return whole.get(name) if isinstance(whole, dict) else listed(whole)[name]

        return _Made(item_of(of.type), member)

    def _handed_in(self, name: str, node: tree.Member) -> _Made:
        """`$env.name`."""
        if self._scope.is_handed_in(name):
            return self._name(tree.Name(name, node.at))
        if node.optional:
            return _Made(ANY, nothing)
        raise ExpressionError(f"unknown name {name!r}", node.key.at)

    def _slice(self, node: tree.Slice) -> _Made:
        of = self.compile(node.of)
        if not (fits(of.type, STRING) or of.type.item):
            raise ExpressionError(f"a {of.type} cannot be sliced", node.at)
        bounds = [self.compile(bound) if bound is not None else None for bound in (node.start, node.end)]
        if not all(bound is None or fits(bound.type, INT) for bound in bounds):
            raise ExpressionError("a bound that is no int", node.at)
        value = of.run
        start, end = (bound.run if bound is not None else nothing for bound in bounds)

        def sliced(frame: list[Any]) -> Any:
            whole, first, last = value(frame), start(frame), end(frame)
            return texts.part(whole, first, last) if isinstance(whole, str) else type(whole)(listed(whole)[first:last])

        return _Made(of.type, sliced)

    # --- calls ---

    def _call(self, node: tree.Call) -> _Made:
        name = node.name
        functions = self._scope.functions
        function = functions.get(name) or BUILTINS.get(name)
        if name in PREDICATES and name not in functions:
            return self._predicate(node)
        if function is None:
            hint = nearest(name, [*functions, *BUILTINS, *PREDICATES])
            raise ExpressionError(f"unknown function {name!r}" + f" ({hint})" * bool(hint), node.at)
        arguments = [self.compile(argument) for argument in node.arguments]
        check_arguments(node, function, [argument.type for argument in arguments])
        call, runs = function.call, [argument.run for argument in arguments]
        types = [argument.type for argument in arguments]
        result = function.result if isinstance(function.result, Type) else function.result(types)
        if all(isinstance(each, tree.Literal) or self._is_certain(each) for each in node.arguments):
            return _Made(result, lambda frame: call(frame[0], *[run(frame) for run in runs]))
        wanted = parameters(function, len(runs))

        def checked(frame: list[Any]) -> Any:
            values = [run(frame) for run in runs]
            if not all(map(matches, values, wanted)):
                raise TypeError(f"{name} does not take these arguments")
            return call(frame[0], *values)

        return _Made(result, checked)

    def _method(self, node: tree.Method) -> _Made:
        """`value.name(a, b)`."""
        name = node.name
        if self._scope.is_environment(node.of):
            if not self._scope.is_handed_in(name):
                raise ExpressionError(f"unknown name {name!r}", node.at)
            return self._call(tree.Call(name, node.arguments, node.at))
        of, arguments = self.compile(node.of), [self.compile(argument) for argument in node.arguments]
        known = METHODS.get(of.type, {})
        function = known.get(name)
        if function is not None:
            check_arguments(node, function, [argument.type for argument in arguments])
        elif of.type != ANY:
            hint = nearest(name, list(known))
            raise ExpressionError(f"a {of.type} has no method {name!r}" + f" ({hint})" * bool(hint), node.at)
        value, runs = of.run, [argument.run for argument in arguments]

        def method(frame: list[Any]) -> Any:
            whole = value(frame)
            call = function or method_of(whole, name)
            values = [run(frame) for run in runs]
            if len(values) != len(call.parameters) or not all(map(matches, values, call.parameters)):
                raise TypeError(f"{name} does not take these arguments")
            return call.call(frame[0], whole, *values)

        result = function.result if function is not None else ANY
        return _Made(result if isinstance(result, Type) else ANY, method)

    def _is_certain(self, node: tree.Node) -> bool:
        """Whether a value is of its type for sure: what comes of an array may be nil."""
        function = self._scope.functions.get(node.name) if isinstance(node, tree.Call) else None
        return function is not None and function.result not in (ANY, array())

    def _predicate(self, node: tree.Call) -> _Made:
        """`name(array, predicate)`: the predicate is evaluated for each element."""
        name, count = node.name, len(node.arguments)
        if count < (1 if name in ("count", "sum") else 2):
            raise ExpressionError(f"{name!r} lacks an argument", node.at)
        many = self.compile(node.arguments[0])
        if not fits(many.type, array()):
            raise ExpressionError(f"{name!r} takes an array and no {many.type}", node.at)
        item = item_of(many.type)
        third = self.compile(node.arguments[2]) if count > 2 else None
        if name == "sortBy" and third and not fits(third.type, STRING):
            raise ExpressionError(f"'sortBy' takes a string here and no {third.type}", node.arguments[2].at)
        place = self._scope.more_places(3)
        accumulator = ANY if name == "reduce" else None
        self._elements.append(_Element(item, place, accumulator))
        body = self.compile(node.arguments[1]) if count > 1 else _Made(item, lambda frame: frame[place])
        self._elements.pop()
        if name in CHECKS and not fits(body.type, CHECKS[name]):
            raise ExpressionError(f"{name!r} takes a predicate of type {CHECKS[name]} and not {body.type}", node.at)
        function, array_of, more = RESULTS[name], many.run, [third.run] if third else []

        def run(frame: list[Any]) -> Any:
            values = array_of(frame)
            if not isinstance(values, list):
                raise TypeError(f"{name} takes an array")

            def of(index: int, value: Any) -> Any:
                frame[place], frame[place + 1] = value, index
                return body.run(frame)

            def step(index: int, value: Any, before: Any) -> Any:
                frame[place + 2] = before
                return of(index, value)

            return function.call(values, step if name == "reduce" else of, *[argument(frame) for argument in more])

        return _Made(function.result(item, body.type), run)


def _reference(name: str) -> _Made:
    """A function that is not called."""
    reference = Reference(name)
    return _Made(FUNCTION, lambda _frame: reference)


def _operation(node: tree.Binary, left: Run, right: Run) -> Run:
    """The closure for an operator; a constant array to look in becomes a set."""
    operator = BINARY[node.operator]
    if node.operator == "in" and isinstance(node.right, tree.Array):
        items = node.right.items
        if all(isinstance(item, tree.Literal) and isinstance(item.value, str) for item in items):
            known = frozenset(item.value for item in items if isinstance(item, tree.Literal))
            return lambda frame: left(frame) in known
    return lambda frame: operator(left(frame), right(frame))
