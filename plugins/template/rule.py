"""One `template` directive: which questions it is for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from corepy import codes, expression
from corepy import wire as w
from corepy.expression import Expression
from corepy.fallthrough import Fallthrough
from corepy.gotemplate import Template, TemplateSyntaxError, compile_template
from corepy.plugin import Directive, Query
from corepy.plugins.template.conditions import Conditions
from corepy.plugins.template.data import ANY_CLASS, Data
from corepy.plugins.template.functions import FUNCTIONS
from corepy.words import Word, nearest, shown

if TYPE_CHECKING:
    from corepy.errors import Position

_CLASSES: Final = {**codes.CLASSES, "ANY": ANY_CLASS}
_ROOT: Final = b"\0"
_SECTIONS: Final = ("answer", "authority", "additional")


@dataclass
class Rule:
    """A question is for it by class, type, zone and expression; templates write the sections of the reply."""

    rclass: int
    """ANY_CLASS for every class."""
    rtype: int
    """ANY for every type."""
    zones: tuple[bytes, ...]
    """Keys, the longest one first."""
    expressions: list[Expression] = field(default_factory=list)
    """The first that matches the name counts; without any, every name matches."""
    conditions: Conditions = field(default_factory=Conditions)
    """What else has to be true."""
    answer: list[Template] = field(default_factory=list)
    authority: list[Template] = field(default_factory=list)
    additional: list[Template] = field(default_factory=list)
    rcode: int = codes.NOERROR
    extended_error: tuple[int, str] | None = None
    """Code and text for clients that speak EDNS (RFC 8914)."""
    fallthrough: Fallthrough = field(default_factory=Fallthrough)
    """For which names the rules and plugins behind this one are asked when no expression matches."""
    zone_names: dict[bytes, str] = field(init=False, repr=False, compare=False)
    """The zones as templates and metrics name them."""
    at: Position | None = field(default=None, compare=False)
    """Where the directive stands."""
    error_data: bytes = field(default=b"", init=False)
    """The extended error as the data of an EDNS option; empty without one."""

    def __post_init__(self) -> None:
        self.zones = tuple(sorted(self.zones, key=len, reverse=True))
        self.zone_names = {zone: w.decode_name(zone) for zone in self.zones}
        if self.extended_error is not None:
            code, reason = self.extended_error
            text = reason.encode("utf-8", "surrogateescape")
            self.error_data = code.to_bytes(2, "big") + text

    @classmethod
    def parse(cls, directive: Directive) -> Rule:
        """Read `template CLASS TYPE [ZONE...]` and its block. Raises ConfigError."""
        rclass = _CLASSES[directive.choice(*_CLASSES)]
        rtype = _type(directive)
        rule = cls(rclass, rtype, directive.origins(), at=directive.at)
        names = ("match", "var", "expr", *_SECTIONS, "rcode", "ederror", "fallthrough", "upstream")
        for option in directive.options(*names):
            rule._read(option)
        rule.__post_init__()
        return rule

    def _read(self, option: Directive) -> None:
        match option.name:
            case "match":
                words = option.words("a regular expression", at_least=1)
                self.expressions += [_expression(option, word) for word in words]
            case "var":
                self.conditions.read_variable(option)
            case "expr":
                self.conditions.read_expression(option)
            case "answer" | "authority" | "additional":
                templates = getattr(self, option.name)
                templates += [_template(option, word) for word in option.words("a record", at_least=1)]
            case "rcode":
                self.rcode = _rcode(option)
            case "ederror":
                self.extended_error = _extended_error(option)
            case "fallthrough":
                self.fallthrough = Fallthrough.parse(option)
            case _:
                option.words()   # `upstream` of old Corefiles: targets are looked up through the server in any case

    def zone(self, query: Query) -> str | None:
        """The zone of this rule that the question is in; None where it is in none, or of another class or type."""
        if self.rtype not in (query.qtype, codes.ANY) and query.qtype != codes.ANY:
            return None
        if self.rclass not in (query.qclass, ANY_CLASS) and query.qclass != ANY_CLASS:
            return None
        key = query.key
        for zone in self.zones:
            if zone == _ROOT or w.is_subdomain(key, zone):
                return self.zone_names[zone]
        return None

    def match(self, query: Query, zone: str) -> Data | None:
        """What the templates are given; None where no expression matches, or a condition is not true."""
        data = self._matched(query, zone)
        return data if data is None or self.conditions.hold(data) else None

    def _matched(self, query: Query, zone: str) -> Data | None:
        name = query.name
        if not self.expressions:
            return Data(query, name, zone, self.rclass, self.rtype)
        for each in self.expressions:
            found = each.match(name)
            if found is not None:
                return Data(query, name, zone, self.rclass, self.rtype, each.pattern, found)
        return None


def _type(directive: Directive) -> int:
    expected = "a type such as A, or ANY"
    word = directive.optional()
    if word is None:
        raise directive.error(f"no type behind the class {directive.arguments[0]}", expected=expected)
    if word not in codes.COREFILE_TYPES:
        raise directive.error(f"unknown type {shown(word)}", word, expected, nearest(word, codes.COREFILE_TYPES))
    return codes.COREFILE_TYPES[word]


def _rcode(option: Directive) -> int:
    word = option.word("an rcode such as NXDOMAIN")
    if word not in codes.COREFILE_RCODES:
        hint = nearest(word, codes.COREFILE_RCODES)
        raise option.error(f"unknown rcode {shown(word)}", word, "one such as NXDOMAIN", hint)
    return codes.COREFILE_RCODES[word]


def _expression(option: Directive, word: Word) -> Expression:
    try:
        return expression.compile(word)
    except ValueError as error:
        raise option.error(str(error), word) from None


def _template(option: Directive, word: Word) -> Template:
    try:
        return compile_template(str(word), str(option.name), FUNCTIONS)
    except TemplateSyntaxError as error:
        raise option.error(f"no template: {error.why}, at {shown(word[error.column - 1 :])}", word) from None


def _extended_error(option: Directive) -> tuple[int, str]:
    word = option.word("a code of RFC 8914")
    if not word.isdecimal() or not word.isascii() or len(word) > 5 or int(word) > 0xFFFF:
        raise option.error(f"invalid extended error {shown(word)}", word, "a number from 0 to 65535")
    return int(word), str(option.optional() or "")
