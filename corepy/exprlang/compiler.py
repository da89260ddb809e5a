"""From a tree to a program: types are checked, and each node becomes a closure.

A closure takes the frame of a run, a list: the context that functions get comes first, then the variables, each in the
place that the compiler gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from corepy import expression
from corepy.exprlang import texts, tree
from corepy.exprlang.builtins import BUILTINS, MISSING
from corepy.exprlang.errors import EvaluationError, ExpressionError
from corepy.exprlang.operators import BINARY, UNARY, result_of_binary, result_of_unary
from corepy.exprlang.parser import PREDICATES, parse
from corepy.exprlang.predicates import CHECKS, RESULTS
from corepy.exprlang.types import ANY, BOOL, FLOAT, INT, MAP, NIL, PARTED, STRING, Function, Type, array, common, fits
from corepy.exprlang.types import matches_at_run as matches
from corepy.words import nearest

Run = Callable[[list[Any]], Any]
_MAX_DEPTH: Final = 100
"""Nodes below one another; chains of `and` and of `or` count as one. The interpreter's stack holds a few times more."""
_AND: Final = ("and", "&&")
_OR: Final = ("or", "||")


class Program:
    """An expression that can be run; `type` is that of its value."""

    def __init__(self, source: str, of: Type, run: Run, places: int) -> None:
        self.source = source
        self.type = of
        self._run = run
        self._empty = [None] * places

    def run(self, context: Any = None, values: Iterable[Any] = ()) -> Any:
        """The value of the expression, where its variables have these values, in their order.

        Raises EvaluationError where it has none.
        """
        try:
            return self._run([context, *values, *self._empty])
        except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError, MemoryError) as error:
            raise EvaluationError(str(error)) from None


def compile_expression(
    source: str, functions: Mapping[str, Function] | None = None, variables: Mapping[str, Type] | None = None
) -> Program:
    """The program for a text that may call these functions and use these variables; raises ExpressionError."""
    compiler = _Compiler(functions or {}, variables or {})
    made = compiler.compile(parse(source))
    return Program(source, made.type, made.run, compiler.places - len(variables or {}))


def is_free_name(text: str, functions: Mapping[str, Function]) -> bool:
    """Whether a variable may have this name: an identifier that stands for nothing else."""
    try:
        node = parse(text)
    except ExpressionError:
        return False
    taken = text in functions or text in BUILTINS or text in PREDICATES or text in MISSING
    return isinstance(node, tree.Name) and node.name == text and not taken


class _Made(NamedTuple):
    type: Type
    run: Run


class _Element(NamedTuple):
    """What a predicate is evaluated for, and the places of `#`, `#index` and `#acc`."""

    type: Type
    place: int
    accumulator: Type | None = None


class _Compiler:
    def __init__(self, functions: Mapping[str, Function], variables: Mapping[str, Type]) -> None:
        self._functions = functions
        self._variables = {name: (of, place) for place, (name, of) in enumerate(variables.items(), 1)}
        self._elements: list[_Element] = []
        self._depth = 0
        self.places = len(variables)

    def compile(self, node: tree.Node) -> _Made:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ExpressionError("too complex", node.at)
        made: _Made = getattr(self, f"_{type(node).__name__.lower()}")(node)
        self._depth -= 1
        return made

    def _places(self, count: int) -> int:
        """Places of the frame that nobody else has; the first of them."""
        first = self.places + 1
        self.places += count
        return first

    # --- values ---

    def _literal(self, node: tree.Literal) -> _Made:
        value = node.value
        types: dict[type, Type] = {bool: BOOL, int: INT, float: FLOAT, str: STRING}
        return _Made(types.get(type(value), NIL), lambda _frame: value)

    def _name(self, node: tree.Name) -> _Made:
        if node.name not in self._variables:
            call = " (a function needs its parentheses)" if node.name in self._functions else ""
            raise ExpressionError(f"unknown name {node.name!r}{call}", node.at)
        of, place = self._variables[node.name]
        return _Made(of, lambda frame: frame[place])

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
        if node.name in self._functions or node.name in BUILTINS or node.name in self._variables:
            raise ExpressionError(f"the name {node.name!r} is taken", node.at)
        value = self.compile(node.value)
        place = self._places(1)
        self._variables[node.name] = (value.type, place)
        body = self.compile(node.body)
        del self._variables[node.name]
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
        text = left.run
        return _Made(BOOL, lambda frame: (value := text(frame)) is not None and bool(search(_text(value))))

    def _conditional(self, node: tree.Conditional) -> _Made:
        condition, then, otherwise = map(self.compile, (node.condition, node.then, node.otherwise))
        if not fits(condition.type, BOOL):
            raise ExpressionError(f"a condition of type {condition.type} and not bool", node.at)
        ask, yes, no = condition.run, then.run, otherwise.run
        return _Made(common([then.type, otherwise.type]), lambda frame: yes(frame) if _truth(ask(frame)) else no(frame))

    # --- parts of values ---

    def _member(self, node: tree.Member) -> _Made:
        of, key = self.compile(node.of), self.compile(node.key)
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
            return whole.get(name) if isinstance(whole, dict) else _list(whole)[name]

        return _Made(of.type.item or ANY, member)

    def _slice(self, node: tree.Slice) -> _Made:
        of = self.compile(node.of)
        if not (fits(of.type, STRING) or of.type.item):
            raise ExpressionError(f"a {of.type} cannot be sliced", node.at)
        bounds = [self.compile(bound) if bound is not None else None for bound in (node.start, node.end)]
        if not all(bound is None or fits(bound.type, INT) for bound in bounds):
            raise ExpressionError("a bound that is no int", node.at)
        value = of.run
        start, end = (bound.run if bound is not None else _nothing for bound in bounds)

        def sliced(frame: list[Any]) -> Any:
            whole, first, last = value(frame), start(frame), end(frame)
            return texts.part(whole, first, last) if isinstance(whole, str) else _list(whole)[first:last]

        return _Made(of.type, sliced)

    # --- calls ---

    def _call(self, node: tree.Call) -> _Made:
        name = node.name
        function = self._functions.get(name) or BUILTINS.get(name)
        if name in PREDICATES and name not in self._functions:
            return self._predicate(node)
        if function is None:
            if name in MISSING:
                raise ExpressionError(f"the function {name!r} is not built yet", node.at)
            hint = nearest(name, [*self._functions, *BUILTINS, *PREDICATES])
            raise ExpressionError(f"unknown function {name!r}" + f" ({hint})" * bool(hint), node.at)
        arguments = [self.compile(argument) for argument in node.arguments]
        _check_arguments(node, function, [argument.type for argument in arguments])
        call, runs = function.call, [argument.run for argument in arguments]
        types = [argument.type for argument in arguments]
        result = function.result if isinstance(function.result, Type) else function.result(types)
        if all(isinstance(each, tree.Literal) or self._is_certain(each) for each in node.arguments):
            return _Made(result, lambda frame: call(frame[0], *[run(frame) for run in runs]))
        wanted = _parameters(function, len(runs))

        def checked(frame: list[Any]) -> Any:
            values = [run(frame) for run in runs]
            if not all(map(matches, values, wanted)):
                raise TypeError(f"{name} does not take these arguments")
            return call(frame[0], *values)

        return _Made(result, checked)

    def _is_certain(self, node: tree.Node) -> bool:
        """Whether a value is of its type for sure: what comes of an array may be nil."""
        function = self._functions.get(node.name) if isinstance(node, tree.Call) else None
        return function is not None and function.result not in (ANY, array())

    def _predicate(self, node: tree.Call) -> _Made:
        """`name(array, predicate)`: the predicate is evaluated for each element."""
        name, count = node.name, len(node.arguments)
        if count < (1 if name in ("count", "sum") else 2):
            raise ExpressionError(f"{name!r} lacks an argument", node.at)
        many = self.compile(node.arguments[0])
        if not fits(many.type, array()):
            raise ExpressionError(f"{name!r} takes an array and no {many.type}", node.at)
        item = many.type.item or ANY
        third = self.compile(node.arguments[2]) if count > 2 else None
        if name == "sortBy" and third and not fits(third.type, STRING):
            raise ExpressionError(f"'sortBy' takes a string here and no {third.type}", node.arguments[2].at)
        place = self._places(3)
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


def _operation(node: tree.Binary, left: Run, right: Run) -> Run:
    """The closure for an operator; a constant array to look in becomes a set."""
    operator = BINARY[node.operator]
    if node.operator == "in" and isinstance(node.right, tree.Array):
        items = node.right.items
        if all(isinstance(item, tree.Literal) and isinstance(item.value, str) for item in items):
            known = frozenset(item.value for item in items if isinstance(item, tree.Literal))
            return lambda frame: left(frame) in known
    return lambda frame: operator(left(frame), right(frame))


def _parameters(function: Function, count: int) -> list[Type]:
    """The types of so many parameters."""
    wanted = list(function.parameters)
    return wanted + [wanted[-1]] * (count - len(wanted)) if function.repeated else wanted[:count]


def _check_arguments(node: tree.Call, function: Function, types: list[Type]) -> None:
    least, most = len(function.parameters) - function.optional, len(function.parameters)
    if len(types) < least or (len(types) > most and not function.repeated):
        number = str(least) if least == most and not function.repeated else f"{least} or more"
        raise ExpressionError(f"{node.name!r} takes {number} arguments and not {len(types)}", node.at)
    for argument, given, wanted in zip(node.arguments, types, _parameters(function, len(types)), strict=True):
        if not fits(given, wanted):
            raise ExpressionError(f"{node.name!r} takes a {wanted} here and no {given}", argument.at)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no array")
    return value


def _nothing(_frame: list[Any]) -> None:
    return None
