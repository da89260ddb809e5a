"""The functions that every template has. `and` and `or` are not among them: they do not look at all arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from corepy.gotemplate.errors import Unfit
from corepy.gotemplate.formatting import print_, printf, println
from corepy.gotemplate.values import Function, Struct, Uint, kind_of, length, octets, text_of, truth, type_of

SHORT_CIRCUIT: Final = frozenset(("and", "or"))

_INTEGERS: Final = frozenset(("int", "uint"))


def _position(index: object, end: int) -> int:
    """An index as a number between 0 and `end`."""
    if type(index) not in (int, Uint):
        raise Unfit(f"{type_of(index)} is no index")
    if not 0 <= index <= end:  # type: ignore[operator]  # an integer
        raise Unfit(f"index out of range: {index}")
    return int(index)  # type: ignore[call-overload, no-any-return]  # an integer


def _index(item: Any, *indexes: object) -> Any:
    """`index x 1 2` is x[1][2]; a key that a map has not gives the empty string, an octet of a string its number."""
    if item is None:
        raise Unfit("index of nil")
    for index in indexes:
        if isinstance(item, dict):
            if not isinstance(index, str):
                raise Unfit(f"{type_of(index)} is no key")
            item = item.get(index, "")
            continue
        if not isinstance(item, (str, list, tuple)):
            raise Unfit(f"{type_of(item)} has no index")
        size = length(item)
        at = _position(index, size)
        if at == size:
            raise Unfit(f"index out of range: {at} of {size}")
        item = Uint(octets(item)[at]) if isinstance(item, str) else item[at]
    return item


def _slice(item: Any, *indexes: object) -> Any:
    """`slice x 1 2` is x[1:2]; of strings octets. A third index, the capacity, is for slices alone."""
    if not isinstance(item, (str, list, tuple)):
        raise Unfit(f"slice of {type_of(item)}")
    if len(indexes) > (2 if isinstance(item, str) else 3):
        raise Unfit("too many indexes")
    size = length(item)
    numbers = [_position(index, size) for index in indexes]
    if numbers != sorted(numbers):
        raise Unfit(f"slice from {numbers[0]} to {numbers[-1]}")
    start, end = (numbers + [0, size][len(numbers) :])[:2]
    if not isinstance(item, str):
        return item[start:end]
    return item[start:end] if item.isascii() else text_of(octets(item)[start:end])


def _not(value: object) -> bool:
    return not truth(value)


def _eq(first: object, *others: object) -> bool:
    """Whether the first argument equals any of the others, of which those behind the equal one are not looked at."""
    if not others:
        raise Unfit("nothing to compare with")
    return any(_equal(first, other) for other in others)


def _equal(one: object, two: object) -> bool:
    if one is None or two is None:
        return one is two
    kinds = {kind_of(one), kind_of(two)}
    if len(kinds) > 1 and not kinds <= _INTEGERS:
        raise Unfit(f"{type_of(one)} and {type_of(two)} cannot be compared")
    if "" in kinds and not isinstance(one, Struct):
        raise Unfit(f"{type_of(one)} cannot be compared")
    return one == two


def _ordered(one: Any, two: Any) -> None:
    """Check that two values have an order."""
    kinds = {kind_of(one), kind_of(two)}
    if (len(kinds) > 1 and not kinds <= _INTEGERS) or not kinds.isdisjoint(("", "bool", "complex")):
        raise Unfit(f"{type_of(one)} and {type_of(two)} have no order")


def _key(value: Any) -> Any:
    return octets(value) if isinstance(value, str) else value


def _lt(one: Any, two: Any) -> bool:
    _ordered(one, two)
    return bool(_key(one) < _key(two))


def _le(one: Any, two: Any) -> bool:
    _ordered(one, two)
    return bool(_key(one) <= _key(two))


def _gt(one: Any, two: Any) -> bool:
    _ordered(one, two)
    return bool(_key(one) > _key(two))


def _ge(one: Any, two: Any) -> bool:
    _ordered(one, two)
    return bool(_key(one) >= _key(two))


def _call(function: object, *arguments: object) -> Any:
    """`call f 1 2`: a function that is a value."""
    if not isinstance(function, Function):
        raise Unfit(f"call of {type_of(function)}")
    if wrong := function.wrong_number(len(arguments)):
        raise Unfit(wrong)
    for index, argument in enumerate(arguments):
        if function.kind(index) not in ("any", kind_of(argument)):
            raise Unfit(f"{type_of(argument)} for {function.kind(index)}")
    return function.call(*arguments)


# --- escaping ---

_HTML: Final = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)  # fmt: skip
_JS: Final = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_AS_CODE: Final = frozenset("<>&=")


def _printed(values: tuple[object, ...]) -> str:
    """What is to be escaped: as `print`, but what is missing as it looks by itself."""
    return print_(["<no value>" if value is None else value for value in values])


def _html(*values: object) -> str:
    return _printed(values).translate(_HTML)


def _js(*values: object) -> str:
    """Text for a JavaScript string."""
    return "".join([_js_letter(letter) for letter in _printed(values)])


def _js_letter(letter: str) -> str:
    if letter in _JS:
        return _JS[letter]
    if letter in _JS_AS_CODE or not letter.isprintable():
        return f"\\u{ord(letter):04X}"
    return letter


def _urlquery(*values: object) -> str:
    return quote_plus(octets(_printed(values)))


def _printf(form: str, *values: object) -> str:
    return printf(form, values)


def _gather(function: Callable[[tuple[object, ...]], str]) -> Callable[..., str]:
    return lambda *values: function(values)


BUILTINS: Final[Mapping[str, Function]] = {
    "call": Function(_call, ("any",), "any"),
    "html": Function(_html, (), "any"),
    "index": Function(_index, ("any",), "any"),
    "slice": Function(_slice, ("any",), "any"),
    "js": Function(_js, (), "any"),
    "len": Function(length, ("any",)),
    "not": Function(_not, ("any",)),
    "print": Function(_gather(print_), (), "any"),
    "printf": Function(_printf, ("string",), "any"),
    "println": Function(_gather(println), (), "any"),
    "urlquery": Function(_urlquery, (), "any"),
    "eq": Function(_eq, ("any",), "any"),
    "ne": Function(lambda one, two: not _eq(one, two), ("any", "any")),
    "lt": Function(_lt, ("any", "any")),
    "le": Function(_le, ("any", "any")),
    "gt": Function(_gt, ("any", "any")),
    "ge": Function(_ge, ("any", "any")),
}
