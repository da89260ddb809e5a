"""A tree as closures.

`value(operand)` and `statements(body)` are called once for each place of a template; what they return is called with a
`Frame` and the dot each time it is rendered. What is wrong with a place whatever the data is raised when it is reached,
as Go has it: a template may have branches that cannot work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from corepy.gotemplate import tree
from corepy.gotemplate.errors import ExecutionError, Unfit
from corepy.gotemplate.formatting import shown
from corepy.gotemplate.functions import SHORT_CIRCUIT
from corepy.gotemplate.values import Function, Struct, Uint, kind_of, look_up, truth, type_of

MAX_DEPTH: Final = 30
"""Templates that call each other, at most: each call takes several Python frames, of which there are 1,000."""

_UNSET: Final = object()
"""A variable whose declaration was not carried out, in an argument that `and` or `or` did not look at."""


class Frame:
    """One rendering of one definition: what it has written, and its variables."""

    __slots__ = ("depth", "out", "variables")

    def __init__(self, slots: int, dot: object, out: list[str], depth: int = 0) -> None:
        self.variables: list[Any] = [_UNSET] * slots
        self.variables[0] = dot
        self.out = out
        self.depth = depth


Value = Callable[[Frame, Any], Any]
Run = Callable[[Frame, Any], None]


class _Break(Exception):  # noqa: N818 - a way out, no error
    """`break`."""


class _Continue(Exception):  # noqa: N818 - a way out, no error
    """`continue`."""


class Compiler:
    """Makes closures of the definitions of one text; `place` tells line and column of an offset."""

    def __init__(
        self,
        name: str,
        place: Callable[[int], tuple[int, int]],
        functions: Mapping[str, Function],
        definitions: Mapping[str, tree.Definition],
    ) -> None:
        self._name = name
        self._place = place
        self._functions = functions
        self._compiled: dict[str, tuple[int, Run]] = {}
        for known, definition in definitions.items():
            self._compiled[known] = definition.slots, self.statements(definition.body)

    def main(self, name: str) -> tuple[int, Run]:
        """Slots and closure of a definition."""
        return self._compiled[name]

    def _fail(self, at: int, why: object) -> NoReturn:
        raise ExecutionError(self._name, *self._place(at), str(why)) from None

    # --- statements ---

    def statements(self, body: tree.Body) -> Run:
        """A body: its statements one after the other."""
        runs = tuple([self._statement(each) for each in body])
        if len(runs) == 1:
            return runs[0]

        def run(frame: Frame, dot: Any) -> None:
            for each in runs:
                each(frame, dot)

        return run

    def _statement(self, node: tree.Statement) -> Run:
        match node:
            case tree.Text(_, text):
                return lambda frame, _dot: frame.out.append(text)
            case tree.Action(_, pipeline):
                return self._action(pipeline)
            case tree.Choice():
                return self._choice(node)
            case tree.Range():
                return self._range(node)
            case tree.Call():
                return self._template(node)
            case tree.Leave(_, goes_on):
                return _leave(_Continue if goes_on else _Break)

    def _action(self, pipeline: tree.Pipeline) -> Run:
        value = self.value(pipeline)
        if pipeline.slots:
            return lambda frame, dot: value(frame, dot) and None

        def run(frame: Frame, dot: Any) -> None:
            result = value(frame, dot)
            frame.out.append(result if result.__class__ is str else shown(result))

        return run

    def _choice(self, node: tree.Choice) -> Run:
        branches = [(self.value(pipeline), self.statements(body)) for pipeline, body in node.branches]
        otherwise = self.statements(node.otherwise)
        moves_dot = node.moves_dot

        def run(frame: Frame, dot: Any) -> None:
            for value, body in branches:
                result = value(frame, dot)
                if truth(result):
                    body(frame, result if moves_dot else dot)
                    return
            otherwise(frame, dot)

        return run

    def _range(self, node: tree.Range) -> Run:
        value, body, otherwise = self.value(node.pipeline), self.statements(node.body), self.statements(node.otherwise)
        slots, at = node.pipeline.slots, node.at

        def run(frame: Frame, dot: Any) -> None:
            empty = True
            try:
                for index, element in self._elements(value(frame, dot), at, len(slots)):
                    empty = False
                    if slots:
                        frame.variables[slots[-1]] = element
                    if len(slots) > 1:
                        frame.variables[slots[0]] = index
                    try:
                        body(frame, element)
                    except _Continue:
                        continue
            except _Break:
                return
            if empty:
                otherwise(frame, dot)

        return run

    def _elements(self, value: Any, at: int, variables: int) -> Iterable[tuple[Any, Any]]:
        """What `range` goes through, each with its index or key; integers count from 0."""
        if value is None:
            return ()
        if isinstance(value, (list, tuple)):
            return enumerate(value)
        if isinstance(value, dict):
            return sorted(value.items())
        if type(value) in (int, Uint):
            if variables > 1:
                self._fail(at, "a number gives range one variable only")
            return ((None, type(value)(each)) for each in range(value))
        return self._fail(at, f"range over {type_of(value)}")

    def _template(self, node: tree.Call) -> Run:
        value = self.value(node.pipeline) if node.pipeline else lambda _frame, _dot: None
        compiled, name, at = self._compiled, node.name, node.at

        def run(frame: Frame, dot: Any) -> None:
            if name not in compiled:
                self._fail(at, f"template {name!r} is not defined")
            if frame.depth >= MAX_DEPTH:
                self._fail(at, f"more than {MAX_DEPTH} templates in each other")
            slots, body = compiled[name]
            inner = value(frame, dot)
            body(Frame(slots, inner, frame.out, frame.depth + 1), inner)

        return run

    # --- values ---

    def value(self, node: tree.Operand) -> Value:
        """An operand that stands by itself, without arguments."""
        match node:
            case tree.Constant(_, value):
                return lambda _frame, _dot: value
            case tree.Number(at, text, _, _, number):
                if isinstance(number, int) and not -(1 << 63) <= number < 1 << 63:
                    return self._failing(at, f"{text} overflows int")
                return lambda _frame, _dot: number
            case tree.Dot():
                return lambda _frame, dot: dot
            case tree.Nil():
                return lambda _frame, _dot: None
            case tree.Variable():
                return self._variable(node)
            case tree.Pipeline():
                return self._pipeline(node)
            case tree.Named() | tree.Field():
                return self._command(tree.Command(node.at, (node,)), None)

    def _failing(self, at: int, why: str) -> Value:
        return lambda _frame, _dot: self._fail(at, why)

    def _variable(self, node: tree.Variable) -> Value:
        slot, at = node.slot, node.at
        if not slot:
            return lambda frame, _dot: frame.variables[0]

        def get(frame: Frame, _dot: Any) -> Any:
            value = frame.variables[slot] if slot != tree.UNDEFINED else _UNSET
            return value if value is not _UNSET else self._fail(at, f"variable {node.name} has no value")

        return get

    def _pipeline(self, node: tree.Pipeline) -> Value:
        value: Value | None = None
        for command in node.commands:
            value = self._command(command, value)
        assert value is not None  # noqa: S101 - the parser wants one command at least
        if not node.slots:
            return value
        whole, slots, at = value, node.slots, node.at

        def assign(frame: Frame, dot: Any) -> Any:
            result = whole(frame, dot)
            if tree.UNDEFINED in slots:
                self._fail(at, "undefined variable")
            for slot in slots:
                frame.variables[slot] = result
            return result

        return assign

    def _command(self, command: tree.Command, before: Value | None) -> Value:
        """An operand with its arguments; `before` gives the last one, in a pipeline."""
        first, rest = command.operands[0], command.operands[1:]
        if isinstance(first, tree.Named):
            if first.name in SHORT_CIRCUIT and first.name not in self._functions:
                return self._short_circuit(first, rest, before)
            return self._call(first.at, first.name, self._functions[first.name], rest, before)
        if isinstance(first, tree.Field):
            return self._field(first, rest, before)
        if isinstance(first, tree.Nil):
            return self._failing(first.at, "nil is not a command")
        if rest or before is not None:
            return self._failing(first.at, "arguments for what is no function")
        return self.value(first)

    def _field(self, node: tree.Field, rest: tuple[tree.Operand, ...], before: Value | None) -> Value:
        value = self.value(node.base)
        for name in node.names[:-1]:
            value = self._get(node.at, value, name)
        at, name = node.at, node.names[-1]
        if not rest and before is None:
            return self._get(at, value, name)

        def call(frame: Frame, dot: Any) -> Any:
            final = before(frame, dot) if before is not None else None
            receiver = value(frame, dot)
            if receiver is None:
                return None
            method = self._member(at, receiver, name)
            if not isinstance(method, Function):
                self._fail(at, f"arguments for {name}, which is no method")
            piped = None if before is None else lambda _frame, _dot: final
            return self._call(at, name, method, rest, piped)(frame, dot)

        return call

    def _member(self, at: int, receiver: Any, name: str) -> Any:
        try:
            return look_up(receiver, name)
        except Unfit as error:
            return self._fail(at, error)

    def _get(self, at: int, value: Value, name: str) -> Value:
        """A field of a value, or what its method of this name gives without arguments."""

        def get(frame: Frame, dot: Any) -> Any:
            receiver = value(frame, dot)
            found = self._member(at, receiver, name)
            if found.__class__ is not Function or not isinstance(receiver, Struct) or name in receiver.fields:
                return found   # a function that is data is not called, a method is
            return self._call(at, name, found, (), None)(frame, dot)

        return get

    def _call(
        self, at: int, name: str, function: Function, operands: tuple[tree.Operand, ...], before: Value | None
    ) -> Value:
        """A function with its arguments, which are checked as far as that can be done without data."""
        wrong = function.wrong_number(len(operands) + (before is not None))
        if wrong:
            return self._failing(at, f"{name}: {wrong}")
        arguments = [self._argument(each, function.kind(index)) for index, each in enumerate(operands)]
        if before is not None:
            arguments.append(self._checked(at, before, function.kind(len(operands))))
            arguments = [arguments[-1], *arguments[:-1]]
        call, piped = function.call, before is not None

        def run(frame: Frame, dot: Any) -> Any:
            values = [argument(frame, dot) for argument in arguments]
            if piped:
                values.append(values.pop(0))   # it is evaluated first, and given last
            try:
                return call(*values)
            except (Unfit, ValueError, OverflowError) as error:
                self._fail(at, f"{name}: {error}")

        return run

    def _argument(self, node: tree.Operand, kind: str) -> Value:
        """An operand as an argument of a kind: a number without a type becomes what is wanted."""
        match node:
            case tree.Number(at, text, integer, real, _) if kind != "any":
                number = {"int": integer, "float": real, "uint": integer}.get(kind)
                if number is None or (kind == "uint" and number < 0):
                    return self._failing(at, f"{text} for {kind}")
                made = Uint(number) if kind == "uint" else number
                return lambda _frame, _dot: made
            case tree.Nil(at) if kind != "any":
                return self._failing(at, f"nil for {kind}")
        return self._checked(node.at, self.value(node), kind)

    def _checked(self, at: int, value: Value, kind: str) -> Value:
        """A value that has to be of a kind."""
        if kind == "any":
            return value

        def check(frame: Frame, dot: Any) -> Any:
            result = value(frame, dot)
            return result if kind_of(result) == kind else self._fail(at, f"{type_of(result)} for {kind}")

        return check

    def _short_circuit(self, first: tree.Named, rest: tuple[tree.Operand, ...], before: Value | None) -> Value:
        """`and`, `or`: the first argument that decides, or the last one; those behind it are not evaluated."""
        if not rest and before is None:
            return self._failing(first.at, f"{first.name} without arguments")
        values = [self.value(each) for each in rest]
        decides = first.name == "or"

        def run(frame: Frame, dot: Any) -> Any:
            final = before(frame, dot) if before is not None else None
            result = None
            for value in values:
                result = value(frame, dot)
                if truth(result) is decides:
                    return result
            return final if before is not None else result

        return run


def _leave(way: type[Exception]) -> Run:
    def run(_frame: Frame, _dot: Any) -> None:
        raise way

    return run
