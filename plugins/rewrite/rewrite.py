"""Change queries by rules, one after the other, and their replies back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn, Self

from corepy import codes
from corepy.errors import Malformed
from corepy.plugin import Directive, Failure, Outcome, Plugin, Query, Reply, after
from corepy.plugins.rewrite import setup
from corepy.plugins.rewrite.edns import OptionRule
from corepy.plugins.rewrite.request import Request
from corepy.plugins.rewrite.restore import Restoration
from corepy.plugins.rewrite.rules import CnameRule, Rule

if TYPE_CHECKING:
    from corepy.errors import Position

_PREDEFINED: Final = frozenset((codes.NSID, codes.CLIENT_SUBNET))
"""Options of rules that do not make a code known."""


@dataclass
class Rewrite(Plugin):
    """The rules of a server block, in their order: a request is changed by each that applies, until one says stop."""

    rules: Sequence[Rule] = ()
    places: Sequence[Position] = field(default=(), compare=False)
    """Where the rules stand."""
    _codes: frozenset[int] = field(init=False, compare=False, repr=False)
    """Codes of the options that rules name: known here, so that they come back to the client."""

    def __post_init__(self) -> None:
        named = {rule.code for rule in self.rules if isinstance(rule, OptionRule)}
        self._codes = frozenset(named - _PREDEFINED)
        self._echoed = self._codes | codes.ECHOED_OPTIONS
        self._follows = any(isinstance(rule, CnameRule) for rule in self.rules)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin: the rules of all lines in their order."""
        return [cls([setup.read(directive) for directive in directives], [directive.at for directive in directives])]

    def serve(self, query: Query) -> Outcome:  # noqa: C901 - in parts it would cost each query a call more
        """Change the query, pass it on, and change the reply back.

        Plugins behind see the changed query, those in front the one that came. Where no rule has said stop and none
        wants anything of the reply, that goes out as it comes, with the question that was changed (as CoreDNS's does).
        """
        request = Request(query)
        restores = False
        for rule in self.rules:
            if rule.apply(request):
                if self.note is not None:
                    self.note(query, *self._which(rule))
                if rule.stop:
                    restores = True
                    break
        try:
            changed = request.changed()
        except Malformed as error:
            raise Failure(f"a query that cannot be rewritten: {error}") from None
        wanted = request.wants_reply
        echoed = None
        if request.options is not None or (query.edns is not None and self._knows_one_of(query.edns.options)):
            echoed = self._echoed
        if changed is query and echoed is None and not wanted:
            return self.next(query)
        restoration = Restoration(request, changed, restores or wanted, echoed)
        if self._follows and request.steps:
            return self._follow(changed, restoration)
        if not request.rcodes:
            return after(self.next(changed), restoration.reply)
        try:
            return after(self.next(changed), restoration.reply, restoration.failed)
        except Failure as error:
            _raise(restoration.failed(error), error)

    def branches(self) -> Sequence[Position]:
        """The lines of the rules."""
        return self.places

    def _which(self, rule: Rule) -> tuple[str, Position | None]:
        """The rule by its number and place."""
        number = next(at for at, each in enumerate(self.rules) if each is rule)
        at = self.places[number] if self.places else None
        return f"rule {number + 1}{f' at {at}' if at else ''} applies", at

    async def _follow(self, changed: Query, restoration: Restoration) -> Reply:
        """The same where rules are about CNAMEs, for which the server itself may have to be asked."""
        try:
            reply = await self.next(changed)
        except Failure as error:
            _raise(restoration.failed(error), error)
        return await restoration.followed(reply, self.resolve)

    def _knows_one_of(self, options: Sequence[tuple[int, bytes]]) -> bool:
        """Whether rules name one of the options."""
        return any(code in self._codes for code, _ in options)


def _raise(changed: Exception, original: Failure) -> NoReturn:
    if changed is original:
        raise original
    raise changed from original
