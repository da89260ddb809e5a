"""Decide by the client's address and the type of its query whether the next plugin sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from corepy import codes
from corepy import wire as w
from corepy.metrics import Counter
from corepy.networks import NetworkSet
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.acl import lint
from corepy.words import Word, nearest, shown

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.site import Site


class Action(StrEnum):
    """What is done about a query; the values are the words of the Corefile."""

    ALLOW = "allow"
    """The next plugin answers."""
    BLOCK = "block"
    """REFUSED, with the extended error Blocked."""
    FILTER = "filter"
    """An empty answer, with the extended error Filtered."""
    DROP = "drop"
    """No answer."""


class Rule(NamedTuple):
    """An action for the queries that have one of the types and come from one of the networks; None is for any."""

    action: Action
    types: frozenset[int] | None = None
    networks: NetworkSet | None = None


class RuleList(NamedTuple):
    """The rules of one line for the names in its zones (keys); the first rule that fits counts."""

    zones: tuple[bytes, ...]
    rules: tuple[Rule, ...]


_EDE: Final = 15
"""The EDNS option Extended DNS Error: an info code of two octets, then text (RFC 8914 2)."""
_BLOCKED: Final = (15).to_bytes(2, "big")
_FILTERED: Final = (17).to_bytes(2, "big")
"""Info codes (RFC 8914 4.16, 4.18)."""
_ALLOW: Final = Action.ALLOW
_NO_RULE: Final = Rule(_ALLOW)
"""What counts where no rule fits."""
_DONE: Final = {_ALLOW: "allowed", Action.BLOCK: "blocked", Action.FILTER: "filtered", Action.DROP: "dropped"}

_ALLOWED_TOTAL: Final = Counter("acl_allowed_requests_total", "Queries that were let through.", ("server", "view"))
_PLACE: Final = ("server", "zone", "view")
_TOTALS: Final = {
    Action.BLOCK: Counter("acl_blocked_requests_total", "Queries that were refused.", _PLACE),
    Action.FILTER: Counter("acl_filtered_requests_total", "Queries that got an empty answer.", _PLACE),
    Action.DROP: Counter("acl_dropped_requests_total", "Queries that got no answer.", _PLACE),
}


@dataclass
class Acl(Plugin):
    """Lists for the name of a query are asked in turn until a rule fits; if none does, the query is allowed."""

    lists: list[RuleList] = field(default_factory=list)
    _site: Site | None = field(default=None, init=False, compare=False, repr=False)
    _places: list[Position] = field(default_factory=list, init=False, compare=False, repr=False)
    """Where the rules stand, one after the other."""

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin with a list for each line."""
        plugin = cls()
        plugin.lists += [_list(directive, plugin._places) for directive in directives]
        return [plugin]

    def configure(self, site: Site) -> None:
        """Remember the server block, whose view is a label of metrics, and not known yet."""
        self._site = site

    def serve(self, query: Query) -> Outcome:
        """Let the query pass, or answer as the rule that fits says."""
        rule, zones = self._decide(query)
        if self.note is not None:
            self.note(query, *self._why(rule))
        action = rule.action
        view = self._site.view if self._site else ""
        if action is _ALLOW:
            _ALLOWED_TOTAL.add(query.endpoint.server, view)
            return self.next(query)
        zone = max((zone for zone in zones if w.is_subdomain(query.key, zone)), key=len)
        _TOTALS[action].add(query.endpoint.server, w.decode_name(zone), view)
        match action:
            case Action.BLOCK:
                return _with_error(query, Reply.refused(query), _BLOCKED)
            case Action.FILTER:
                return _with_error(query, Reply.build(query), _FILTERED)
            case _:
                return Reply.SILENCE

    def _decide(self, query: Query) -> tuple[Rule, tuple[bytes, ...]]:
        """The rule that says what to do, and the zones of its list."""
        packed, qtype = query.client.packed, query.qtype
        for zones, rules in self.lists:
            if not w.in_zones(query.key, zones):
                continue
            for rule in rules:
                _, types, networks = rule
                if (types is None or qtype in types) and (networks is None or packed in networks):
                    return rule, zones
        return _NO_RULE, ()

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the rules
        """Look for what the rules do not do."""
        places = iter(self._places)
        rules = [
            [(next(places), rule.action is _ALLOW, rule.types is None and rule.networks is None) for rule in each.rules]
            for each in self.lists
        ]
        return lint.check(rules, lines[0].at)

    def branches(self) -> Sequence[Position]:
        """The lines of all lists."""
        return self._places

    def _why(self, rule: Rule) -> tuple[str, Position | None]:
        """The decision, with the number and place of its rule."""
        if rule is _NO_RULE:
            return "allowed: no rule is for the query", None
        number = next(at for at, each in enumerate(each for _, rules in self.lists for each in rules) if each is rule)
        at = self._places[number] if self._places else None
        return f"{_DONE[rule.action]} by rule {number + 1}{f' at {at}' if at else ''}", at


def _with_error(query: Query, reply: Reply, code: bytes) -> Reply:
    """The reply with an extended error, for clients that speak EDNS: others are sent no OPT record (RFC 6891 7)."""
    return reply if query.edns is None else reply.with_option(_EDE, code)


# --- the Corefile ---


def _list(directive: Directive, places: list[Position]) -> RuleList:
    """Read `acl [ZONES...]` and the rules in its block, whose places join `places`."""
    zones, rules = directive.origins(), []
    for line in directive.lines():
        rules.append(_rule(line))
        places.append(line.at)
    return RuleList(zones, tuple(rules))


def _rule(line: Directive) -> Rule:
    """Read `ACTION [type QTYPE...] [net SOURCE...]`: sections in any order, those of one kind add up.

    Without a section of its kind, and with an asterisk in one, a rule is for all types or clients.
    """
    action = Action(line.as_choice(line.name, *Action, fold_case=True))
    words = line.words()
    sections: dict[str, list[Word]] = {}
    while words:
        kind = line.as_choice(words[0], *_SECTIONS, fold_case=True)
        length = next((at for at, word in enumerate(words[1:]) if word.lower() in _SECTIONS), len(words) - 1)
        if not length:
            raise line.error(f"nothing behind {shown(words[0])}", words[0], expected=_SECTIONS[kind])
        sections.setdefault(kind, []).extend(_before_asterisk(words[1 : length + 1]))
        words = words[length + 1 :]
    types, sources = sections.get("type", [_ANY]), sections.get("net", [_ANY])
    networks = NetworkSet(line.as_network(word, addresses=True) for word in sources if word != _ANY)
    numbers = frozenset(_type(line, word) for word in types if word != _ANY)
    every = _ANY in types or _NO_TYPE in numbers
    return Rule(action, None if every else numbers, None if _ANY in sources else networks)


_ANY: Final = Word("*")
_NO_TYPE: Final = codes.COREFILE_TYPES["None"]
"""What a rule without types is for, as CoreDNS has it: all of them."""
_SECTIONS: Final = {"type": "a type such as AAAA, or *", "net": "an address, a network, or *"}


def _before_asterisk(words: list[Word]) -> Iterable[Word]:
    """The words up to an asterisk, which says all: CoreDNS reads no further either."""
    for word in words:
        yield word
        if word == _ANY:
            return


def _type(line: Directive, word: Word) -> int:
    """The number of a type; as in CoreDNS in capital letters, and only those that have a name."""
    if word not in codes.COREFILE_TYPES:
        hint = nearest(word, codes.COREFILE_TYPES)
        raise line.error(f"unknown type {shown(word)}", word, expected=_SECTIONS["type"], hint=hint)
    return codes.COREFILE_TYPES[word]
