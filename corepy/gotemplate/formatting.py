"""How Go prints values: `print`, `println`, `printf` and what stands in a template by itself (Go's package fmt)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from corepy.gotemplate.numbers import format_float, format_integer
from corepy.gotemplate.values import Struct, Uint, octets, type_of

MAX_WIDTH: Final = 1_000_000
"""Go's own bound for width and precision, against templates that fill the memory."""

_VERB: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?:\[(?P<wi>\d+)\])?(?P<width>\*|\d+)?"
    r"(?:\.(?:\[(?P<pi>\d+)\])?(?P<precision>\*|\d*))?(?:\[(?P<vi>\d+)\])?(?P<verb>.?)",
    re.DOTALL,
)
_QUOTED: Final = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\", '"': r"\"",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spec:
    """One verb of a format and what modifies it."""

    verb: str = "v"
    flags: str = ""
    width: int | None = None
    precision: int | None = None

    def pad(self, text: str, *, zeros: bool = False) -> str:
        """The text at its width; zeros go behind a sign."""
        missing = (self.width or 0) - len(text)
        if missing <= 0:
            return text
        if "-" in self.flags:
            return text + " " * missing
        if zeros and "0" in self.flags:
            sign = text[:1] if text[:1] in ("+", "-", " ") else ""
            return sign + "0" * missing + text[len(sign) :]
        return " " * missing + text


_PLAIN: Final = Spec()


def shown(value: object) -> str:
    """A value as it is written where it stands by itself: `%v`, and `<no value>` for none."""
    if value.__class__ is str:
        return value
    return "<no value>" if value is None else _format(_PLAIN, value)


def print_(values: Sequence[object]) -> str:
    """`print`: with a space between two values neither of which is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(_format(_PLAIN, value))
    return "".join(parts)


def println(values: Sequence[object]) -> str:
    """`println`: with a space between all values, and a newline."""
    return " ".join([_format(_PLAIN, value) for value in values]) + "\n"


def printf(form: str, values: Sequence[object]) -> str:
    """`printf`; as in Go what does not fit is said in the text, as `%!d(string=x)`."""
    return _Format(values).run(form)


class _Format:
    """One call of printf: which value comes next."""

    def __init__(self, values: Sequence[object]) -> None:
        self._values = values
        self._next = 0
        self._jumped = False
        self._bad = False

    def run(self, form: str) -> str:
        parts: list[str] = []
        at = 0
        while (percent := form.find("%", at)) >= 0:
            parts.append(form[at:percent])
            match = _VERB.match(form, percent)
            assert match is not None  # noqa: S101 - every part of it is optional behind the percent sign
            parts.append(self._verb(match))
            at = match.end()
        parts.append(form[at:])
        if not self._jumped and self._next < len(self._values):
            extra = [_bad_value(value) for value in self._values[self._next :]]
            parts.append(f"%!(EXTRA {', '.join(extra)})")
        return "".join(parts)

    def _verb(self, match: re.Match[str]) -> str:
        self._bad = False
        flags, verb = match["flags"], match["verb"]
        prefix = ""
        self._jump(match["wi"])
        width = self._size(match["width"])
        if width is not None and width < 0:
            width, flags = -width, flags + "-"
        if (match["width"] == "*" and width is None) or (width or 0) > MAX_WIDTH:
            prefix, width = "%!(BADWIDTH)", None
        self._jump(match["pi"])
        precision = self._size(match["precision"]) if match["precision"] != "" else 0
        if (match["precision"] == "*" and precision is None) or not 0 <= (precision or 0) <= MAX_WIDTH:
            prefix, precision = prefix + "%!(BADPREC)", None
        self._jump(match["vi"])
        if not verb:
            return prefix + "%!(NOVERB)"
        if verb == "%":
            return prefix + "%"
        if self._bad:
            return f"{prefix}%!{verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"{prefix}%!{verb}(MISSING)"
        self._next += 1
        if "-" in flags:
            flags = flags.replace("0", "")
        if verb == "v":
            flags = flags.replace("+", "")   # names of fields, not signs
        return prefix + _format(Spec(verb, flags, width, precision), self._values[self._next - 1])

    def _jump(self, index: str | None) -> None:
        """`[3]`: the third value comes next."""
        if index is None:
            return
        self._jumped = True
        if len(index) > 9 or not 1 <= int(index) <= len(self._values):
            self._bad = True
        else:
            self._next = int(index) - 1

    def _size(self, text: str | None) -> int | None:
        """A width or precision, `*` for the next value."""
        if not text:
            return None
        if text != "*":
            return int(text) if len(text) < 9 else MAX_WIDTH + 1
        if self._next >= len(self._values):
            return None
        value = self._values[self._next]
        self._next += 1
        return int(value) if type(value) in (int, Uint) and abs(value) <= MAX_WIDTH else None  # type: ignore[call-overload, arg-type]


def _format(spec: Spec, value: Any) -> str:
    """One value by one verb."""
    if spec.verb == "T":
        return spec.pad(type_of(value))
    if value is None:
        return spec.pad("<nil>") if spec.verb == "v" else f"%!{spec.verb}(<nil>)"
    if isinstance(value, Struct):
        return _format(replace(spec, verb="s" if spec.verb == "v" else spec.verb), str(value))
    if isinstance(value, dict):
        pairs = [f"{_format(spec, key)}:{_format(spec, value[key])}" for key in sorted(value)]
        return f"map[{' '.join(pairs)}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join([_format(spec, each) for each in value])}]"
    writer = _WRITERS.get(type(value))
    written = writer(spec, value) if writer else _string(spec, str(value))
    return written if written is not None else f"%!{spec.verb}({_bad_value(value, spec)})"


def _bad_value(value: object, spec: Spec = _PLAIN) -> str:
    """What a verb is not for, as `%v` with the same width; `#` has no meaning there."""
    if value is None:
        return "<nil>"
    return f"{type_of(value)}={_format(replace(spec, verb='v', flags=spec.flags.replace('#', '')), value)}"


def _bool(spec: Spec, value: bool) -> str | None:
    return spec.pad("true" if value else "false") if spec.verb in "tv" else None


def _integer(spec: Spec, value: int) -> str | None:
    if spec.verb == "q":
        return spec.pad(quote(_rune(value), "'"))
    if spec.verb == "c":
        return spec.pad(_rune(value), zeros=True)
    if spec.verb == "v" and "#" in spec.flags and isinstance(value, Uint):
        spec = replace(spec, verb="x")
    text = format_integer("d" if spec.verb == "v" else spec.verb, spec.flags, spec.width, spec.precision, value)
    return text if text is None else spec.pad(text)


def _rune(value: int) -> str:
    return chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else "\ufffd"


def _real(spec: Spec, value: float) -> str | None:
    text = format_float(spec.verb, spec.flags, spec.precision, value)
    return text if text is None else spec.pad(text, zeros=True)


def _complex(spec: Spec, value: complex) -> str | None:
    inner = replace(spec, width=None)
    real = _real(inner, value.real)
    imaginary = _real(replace(inner, flags=inner.flags + "+"), value.imag)
    return None if real is None or imaginary is None else spec.pad(f"({real}{imaginary}i)")


def _string(spec: Spec, value: str) -> str | None:
    if spec.verb in "xX":
        return spec.pad(_hexadecimal(spec, octets(value)[: spec.precision]), zeros=True)
    if spec.precision is not None:
        value = value[: spec.precision]
    if spec.verb == "q" or (spec.verb == "v" and "#" in spec.flags):
        raw = "#" in spec.flags and spec.verb == "q" and "`" not in value and value.isprintable()
        return spec.pad(f"`{value}`" if raw else quote(value, '"', ascii_only="+" in spec.flags))
    return spec.pad(value, zeros=True) if spec.verb in "sv" else None


def _hexadecimal(spec: Spec, raw: bytes) -> str:
    """`%x` of a string: `#` puts 0x in front, a space parts the octets."""
    prefix = "0x" if "#" in spec.flags and raw else ""
    text = prefix + raw.hex(" ").replace(" ", " " + prefix) if " " in spec.flags else prefix + raw.hex()
    return text.upper() if spec.verb == "X" else text


def quote(text: str, mark: str, *, ascii_only: bool = False) -> str:
    """A literal of Go that means the text."""
    parts = []
    for letter in text:
        code = ord(letter)
        if letter == mark or (letter in _QUOTED and letter != '"'):
            parts.append("\\" + mark if letter == mark else _QUOTED[letter])
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif letter.isprintable() and not (ascii_only and code > 0x7E):
            parts.append(letter)
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        else:
            parts.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return mark + "".join(parts) + mark


_WRITERS: Final[Mapping[type, Callable[[Spec, Any], str | None]]] = {
    bool: _bool, int: _integer, Uint: _integer, float: _real, complex: _complex, str: _string,
}  # fmt: skip
