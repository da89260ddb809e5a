"""Read `rewrite` lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from corepy import codes, expression
from corepy.expression import Expression
from corepy.plugin import Directive
from corepy.plugins.rewrite import edns
from corepy.plugins.rewrite.edns import OptionRule
from corepy.plugins.rewrite.names import KINDS, Pattern, Regex
from corepy.plugins.rewrite.rules import ClassRule, CnameRule, NameRule, RcodeRule, Rule, TtlRule, TypeRule
from corepy.plugins.rewrite.steps import Answer, CnameStep, TtlStep
from corepy.words import Word, nearest, shown

_NUMBER: Final = re.compile(
    r"0[xX](_?[0-9a-fA-F]){1,9}|0[oO](_?[0-7]){1,9}|0(_?[0-7]){0,9}|0[bB](_?[01]){1,32}|[1-9](_?[0-9]){0,9}"
)
"""A number as Go reads it where the base is open."""
_TTL: Final = re.compile(r"([0-9]{0,10})(-?)([0-9]{0,10})")
_TTL_EXPECTED: Final = "seconds, or a range such as 30-300, 30- or -300"
_HIGHEST_TTL: Final = 2**31 - 1
"""Seconds, where a range has no upper end (RFC 2181 8)."""
_HIGHEST_GROUP: Final = 100
"""Groups are looked for up to this number where CoreDNS counts them."""
_HIGHEST_RCODE: Final = 23
"""The highest rcode that may be given as a number; CoreDNS's."""

_TYPES: Final = codes.TYPES
_CLASSES: Final = {**codes.CLASSES, "ANY": 255}
_RCODES: Final = codes.COREFILE_RCODES
_FIELDS_EXPECTED: Final = "one of name, type, class, ttl, rcode, cname, edns0"
_ANSWER_EXPECTED: Final = "answer auto, answer name FROM TO or answer value FROM TO"
_PARTS: Final = ("auto", "name", "value")


def read(directive: Directive) -> Rule:
    """One rule. Raises ConfigError, with the place."""
    rule = _flat(directive)
    word = rule.word(_FIELDS_EXPECTED)
    stop = word.lower() != "continue"
    if word.lower() in ("continue", "stop"):
        field = rule.optional()
        if field is None:
            raise rule.error(f"{shown(word)} without a rule", word, _FIELDS_EXPECTED)
        word = field
    if word.lower() == "answer":
        raise rule.error("an answer rule that follows no name rule", word, "name, and answer rules behind it")
    reader = _READERS.get(word.lower())
    if reader is None:
        raise rule.error(f"unknown field {shown(word)}", word, _FIELDS_EXPECTED, nearest(word, _READERS))
    made = reader(rule, stop)
    rule.no_more()
    return made


def _flat(directive: Directive) -> Directive:
    """The words of a directive and of its block, in one line: the block is only there to break a long one.

    Behind more than one word there is no block, as in CoreDNS.
    """
    words = directive.words()
    if directive.block is not None and len(words) < 2:
        for line in directive.lines():
            words = [*words, line.name, *line.words()]
    return Directive(directive.name, words)


# --- fields ---


def _read_name(rule: Directive, stop: bool) -> NameRule:
    """Read `[KIND] FROM TO [answer ...]`; answer rules need the kind."""
    kind, words = _kind_and(rule, "FROM and TO", 2)
    old, new, *rest = words
    pattern = _pattern(rule, kind, old)
    if kind == "exact":
        # CoreDNS's check, with TO as the expression: whoever writes a group here has meant another kind.
        _check_groups(rule, _expression(rule, new), new, old)
    elif isinstance(pattern, Regex):
        _check_groups(rule, pattern.expression, old, new)
    auto, answers = _answers(rule, rest)
    return NameRule(stop, pattern, _complete(new), auto, answers)


def _answers(rule: Directive, words: list[Word]) -> tuple[bool, tuple[Answer, ...]]:
    """Read `answer auto|name FROM TO|value FROM TO`, repeated; only the first one needs the word answer."""
    if words and words[0] != "answer":
        expected = f"the end of the line or {_ANSWER_EXPECTED}"
        raise rule.error(f"unexpected argument {shown(words[0])}", words[0], expected)
    auto: Word | None = None
    answers = []
    left = iter(words)
    for word in left:
        part = next(left, None) if word == "answer" else word
        if part is None:
            raise rule.error(f"nothing behind {shown(word)}", word, _ANSWER_EXPECTED)
        if rule.as_choice(part, *_PARTS) == "auto":
            auto = part
            continue
        old, new = next(left, None), next(left, None)
        if old is None or new is None:
            raise rule.error(f"{shown(part)} lacks an argument", part, f"{part} FROM TO")
        expression_ = _expression(rule, old)
        _check_groups(rule, expression_, old, new)
        answers.append(Answer(part, Regex(old, expression_), _complete(new)))
    if auto is not None and any(answer.part == "name" for answer in answers):
        raise rule.error("names cannot change back by themselves and by a rule", auto, "either auto or name FROM TO")
    return auto is not None, tuple(answers)


def _read_type(rule: Directive, stop: bool) -> TypeRule:
    """Read `FROM TO`."""
    return TypeRule(stop, *(_number(rule, "a type such as AAAA", _TYPES) for _ in range(2)))


def _read_class(rule: Directive, stop: bool) -> ClassRule:
    """Read `FROM TO`."""
    return ClassRule(stop, *(_number(rule, "a class such as IN", _CLASSES) for _ in range(2)))


def _read_ttl(rule: Directive, stop: bool) -> TtlRule:
    """Read `[KIND] NAME SECONDS|[LOW]-[HIGH]`."""
    kind, words = _kind_and(rule, "a name and a TTL", 2, most=2)
    match = _TTL.fullmatch(words[1])
    low, dash, high = match.groups() if match else ("", "", "")
    if not low and not high:
        raise rule.error(f"invalid TTL {shown(words[1])}", words[1], _TTL_EXPECTED)
    lowest = int(low or 0)
    highest = int(high) if high else _HIGHEST_TTL if dash else lowest
    if lowest > highest or highest >= 1 << 32:
        raise rule.error(f"invalid TTL {shown(words[1])}", words[1], _TTL_EXPECTED)
    return TtlRule(stop, _pattern(rule, kind, words[0]), TtlStep(lowest, highest))


def _read_rcode(rule: Directive, stop: bool) -> RcodeRule:
    """Read `[KIND] NAME FROM TO`."""
    kind, words = _kind_and(rule, "a name and two rcodes", 3, most=3)
    old, new = (_as_rcode(rule, word) for word in words[1:])
    return RcodeRule(stop, _pattern(rule, kind, words[0]), old, new)


def _as_rcode(rule: Directive, word: Word) -> int:
    if word.isascii() and word.isdecimal() and len(word) < 10 and int(word) <= _HIGHEST_RCODE:
        return int(word)
    found = _RCODES.get(word.upper())
    if found is None:
        expected = f"an rcode such as NXDOMAIN, or a number up to {_HIGHEST_RCODE}"
        raise rule.error(f"invalid argument {shown(word)}", word, expected, nearest(word, _RCODES))
    return found


def _read_cname(rule: Directive, stop: bool) -> CnameRule:
    """Read `[KIND] FROM TO`. Names that are no exact ones are parts of names as they stand."""
    kind, words = _kind_and(rule, "FROM and TO", 2, most=2)
    old, new = words
    for word in words:
        if not word:
            raise rule.error("empty argument", word, "a name")
    if kind == "exact":
        return CnameRule(stop, CnameStep(KINDS[kind](_complete(old)), _complete(new)))
    pattern = Regex(old, _expression(rule, old, "(?i)")) if kind == "regex" else KINDS[kind](old.lower())
    return CnameRule(stop, CnameStep(pattern, new.lower()))


def _read_edns(rule: Directive, stop: bool) -> OptionRule:
    """Read `local|nsid|subnet ACTION ...`, `revert` at the end."""
    kind = rule.choice("local", "nsid", "subnet", fold_case=True)
    action = rule.choice("set", "append", "replace", "unset", fold_case=True)
    words = rule.words()
    revert = action != "unset" and words[-1:] == ["revert"]
    rest = Directive(rule.name, words[:-1] if revert else words)
    code = {"nsid": codes.NSID, "subnet": codes.CLIENT_SUBNET}.get(kind, 0)
    source: edns.Source = edns.Literal()
    if kind == "local":
        code = _unsigned(rest, "the code of an option", 65535)
    if kind == "local" and action != "unset":
        source = _source(rest, rest.word("the data of the option"))
    elif kind == "subnet" and action != "unset":
        bits4, bits6 = _unsigned(rest, "bits of IPv4 addresses", 32), _unsigned(rest, "bits of IPv6 addresses", 128)
        source = edns.Subnet(bits4, bits6)
    rest.no_more()
    return OptionRule(stop, action, code, source, revert)


def _source(rule: Directive, word: Word) -> edns.Source:
    """Data of a local option: a variable in braces, `0x` and hexadecimal digits, or text."""
    if word.startswith("{") and word.endswith("}"):
        plugin, slash, label = word[1:-1].partition("/")
        if word not in edns.VARIABLES and not (plugin and slash and label):
            expected = f"one of {', '.join(edns.VARIABLES)}, or {{PLUGIN/LABEL}}"
            raise rule.error(f"unknown variable {shown(word)}", word, expected, nearest(word, edns.VARIABLES))
        return edns.Variable(word) if word in edns.VARIABLES else edns.Label(word[1:-1])
    if not word.startswith("0x"):
        return edns.Literal(word.encode("utf-8", "surrogateescape"))
    if not re.fullmatch(r"([0-9a-fA-F]{2})*", word[2:]):
        raise rule.error(f"invalid argument {shown(word)}", word, "pairs of hexadecimal digits behind 0x")
    return edns.Literal(bytes.fromhex(word[2:]))


_READERS: Final[dict[str, Callable[[Directive, bool], Rule]]] = {
    "name": _read_name,
    "type": _read_type,
    "class": _read_class,
    "ttl": _read_ttl,
    "rcode": _read_rcode,
    "cname": _read_cname,
    "edns0": _read_edns,
}


# --- words ---


def _kind_and(rule: Directive, expected: str, least: int, most: int | None = None) -> tuple[str, list[Word]]:
    """`[KIND]` and at least so many words: without a kind no more than these, and the kind is exact."""
    words = rule.words(expected, least)
    if len(words) == least:
        return "exact", words
    kind = rule.as_choice(words[0], *KINDS, fold_case=True)
    if most is not None and len(words) > most + 1:
        raise rule.error(f"unexpected argument {shown(words[most + 1])}", words[most + 1], "the end of the line")
    return kind, words[1:]


def _pattern(rule: Directive, kind: str, word: Word) -> Pattern:
    """What a rule looks for; all but expressions are completed to end with a dot, and so where a label ends."""
    return Regex(word, _expression(rule, word)) if kind == "regex" else KINDS[kind](_complete(word))


def _expression(rule: Directive, word: Word, flags: str = "") -> Expression:
    try:
        return expression.compile(flags + word)
    except ValueError as error:
        raise rule.error(f"{shown(word)}: {error}", word, "a regular expression") from None


def _check_groups(rule: Directive, found: Expression, old: Word, new: Word) -> None:
    """Check that what takes the place of a match does not use more groups than there are; `{0}` counts as one."""
    used = sum(f"{{{number}}}" in new for number in range(_HIGHEST_GROUP + 1))
    if used > found.groups:
        raise rule.error(f"{shown(new)} uses more groups than {shown(old)} has", new, f"{found.groups} at most")


def _complete(text: str) -> str:
    r"""A name, or a part of one, in lower case and with a final dot, which `\.` is not (RFC 1035 5.1)."""
    escapes = len(text) - 1 - len(text[:-1].rstrip("\\"))
    return text.lower() if text.endswith(".") and escapes % 2 == 0 else f"{text.lower()}."


def _number(rule: Directive, expected: str, names: dict[str, int]) -> int:
    """The next word as one of the names, in any case."""
    word = rule.word(expected)
    if word.upper() not in names:
        raise rule.error(f"invalid argument {shown(word)}", word, expected, nearest(word, names))
    return names[word.upper()]


def _unsigned(rule: Directive, expected: str, maximum: int) -> int:
    """The next word as a number up to `maximum`: decimal, or behind 0x, 0o (or 0), or 0b."""
    expected = f"{expected}, from 0 to {maximum}"
    word = rule.word(expected)
    found = maximum + 1
    if _NUMBER.fullmatch(word):
        digits = word.replace("_", "")
        found = int(digits, 8 if digits.isdecimal() and digits[0] == "0" else 0)
    if found > maximum:
        raise rule.error(f"invalid argument {shown(word)}", word, expected)
    return found
