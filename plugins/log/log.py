"""Write a line for each query, by the first rule for its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.classify import ReplyClass, classify, typify
from corepy.plugin import Directive, Failure, Log, Outcome, Plugin, Query, Reply, after
from corepy.plugins.log.format import COMMON, Format, structured
from corepy.words import Word

_ROOT: Final = b"\0"
_ALL: Final = "all"
_COMMON: Final = Format(COMMON)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which queries are logged how: those for `scope` (a key) and below it, of these classes (None: of all)."""

    scope: bytes = _ROOT
    format: Format = _COMMON
    classes: frozenset[ReplyClass] | None = None


@dataclass
class QueryLog(Plugin):
    """The first rule whose scope has the name is the one that counts, even where it does not want the reply's class."""

    rules: list[Rule]
    doubtful: list[str] = field(default_factory=list)
    """Names that look like formats, worth a warning."""
    out: ClassVar[Log] = Log(plugin="log")
    """Query lines as text carry no name of a plugin."""

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin with the rules of all lines, in their order."""
        plugin = cls([])
        for directive in directives:
            plugin._read(directive)
        return [plugin]

    def _read(self, directive: Directive) -> None:
        """Read `log [NAMES...] [FORMAT]`: of two arguments or more, the last one is a format if it has a brace."""
        names, made = directive.words(), _COMMON
        if len(names) > 1 and "{" in names[-1]:
            made = Format(names.pop())
        elif names and "{" in names[-1]:
            self.doubtful.append(names[-1])
        classes = _classes(directive)
        self.rules += [Rule(_scope(directive, name), made, classes) for name in names or [Word(".")]]

    def start(self) -> None:
        """Warn where a format has been taken for a name, as CoreDNS takes it."""
        for name in self.doubtful:
            remark = f'a single argument is a name and not a format: log . "{name}" would write every query so'
            self.log.warning(remark)

    def serve(self, query: Query) -> Outcome:
        """Pass the query on, and write its line when the reply is there."""
        for rule in self.rules:
            if rule.scope == _ROOT or w.is_subdomain(query.key, rule.scope):
                break
        else:
            return self.next(query)
        started = self.clock.now() if rule.format.timed or Log.structured else 0.0
        try:
            outcome = self.next(query)
        except Exception as error:
            self._fail(query, rule, started, error)
            raise
        if outcome.__class__ is Reply:
            return self._write(query, rule, started, outcome)
        return self._wait(query, rule, started, outcome)

    def _wait(self, query: Query, rule: Rule, started: float, outcome: Outcome) -> Outcome:
        return after(
            outcome,
            lambda reply: self._write(query, rule, started, reply),
            lambda error: self._fail(query, rule, started, error),
        )

    def _write(self, query: Query, rule: Rule, started: float, reply: Reply) -> Reply:
        if query.metadata is not None:
            found = typify(reply.wire, do=query.do)
            query.metadata.update({"log/type": found.value, "log/class": classify(found).value})
        if rule.classes is None or classify(typify(reply.wire, do=query.do)) in rule.classes:
            seconds = self.clock.now() - started if rule.format.timed or Log.structured else 0.0
            fields = structured(query, reply, seconds) if Log.structured else None
            self.out.info(rule.format.line(query, reply, seconds), fields)
        return reply

    def _fail(self, query: Query, rule: Rule, started: float, error: Exception) -> Exception:
        """Log what the client is going to hear of an exception; the exception goes on."""
        rcode = error.rcode if isinstance(error, Failure) else codes.SERVFAIL
        self._write(query, rule, started, Reply.failed(query, rcode))
        return error


def _scope(directive: Directive, name: Word) -> bytes:
    """A name as a key; it may be any, not only a zone of the server block."""
    try:
        return w.key(w.encode_name(name))
    except ValueError as error:
        raise directive.error(str(error), name, "a domain name") from None


def _classes(directive: Directive) -> frozenset[ReplyClass] | None:
    """The classes of all `class` lines; None for all of them, which is what no line means."""
    words: set[str] = set()
    for option in directive.options("class"):
        names = [each.value for each in ReplyClass]
        words.update(option.as_choice(word, _ALL, *names) for word in option.words("a class", at_least=1))
    return frozenset(map(ReplyClass, words)) if words and _ALL not in words else None
