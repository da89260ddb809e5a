"""Change flags of queries before the next plugin sees them, and of replies before the client does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from corepy import wire as w
from corepy.plugin import Directive, Outcome, Plugin, Query, Reply, after

_FLAGS: Final = {"aa": w.AA, "ra": w.RA, "rd": w.RD}


class Change(NamedTuple):
    """What happens to flags: those not in `keep` are cleared, then those in `add` are set."""

    keep: int = 0xFFFF
    add: int = 0

    def then(self, action: str, flag: int) -> Change:
        """This change, followed by `set` or `clear` of a flag."""
        return Change(self.keep & ~flag, self.add & ~flag | (flag if action == "set" else 0))

    def apply(self, wire: bytes) -> bytes:
        """The message with its flags changed."""
        flags = int.from_bytes(wire[2:4], "big")
        changed = flags & self.keep | self.add
        return wire if changed == flags else wire[:2] + changed.to_bytes(2, "big") + wire[4:]


_UNCHANGED: Final = Change()


@dataclass
class Header(Plugin):
    """The changes to queries and to replies."""

    query: Change = _UNCHANGED
    response: Change = _UNCHANGED

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin: the rules of all lines in their order."""
        plugin = cls()
        for directive in directives:
            directive.no_more()
            rules = [plugin._read(line) for line in directive.lines()]
            if not rules:
                raise directive.error("no rules", expected="a block with query or response, set or clear, and flags")
        return [plugin]

    def _read(self, line: Directive) -> None:
        """Read `query|response set|clear FLAGS...`."""
        selector = line.as_choice(line.name, "query", "response", fold_case=True)
        action = line.choice("set", "clear", fold_case=True)
        change = self.query if selector == "query" else self.response
        for word in line.words(f"flags: {', '.join(_FLAGS)}", at_least=1):
            change = change.then(action, _FLAGS[line.as_choice(word, *_FLAGS, fold_case=True)])
        if selector == "query":
            self.query = change
        else:
            self.response = change

    def serve(self, query: Query) -> Outcome:
        """Pass the changed query on, and give back the changed reply."""
        wire = self.query.apply(query.wire)
        if wire is query.wire:
            return after(self.next(query), self._change)
        asked = 0 if query.opcode else query.flags & w.RD   # replies to NOTIFY have none
        changed = query.with_wire(wire)
        return after(self.next(changed), lambda reply: self._change(reply, Change(0xFFFF & ~w.RD, asked)))

    def _change(self, reply: Reply, first: Change = _UNCHANGED) -> Reply:
        """The reply with the RD of the client's own query (RFC 1035 4.1.1) and then our changes.

        A failure or refusal that is left to the server says what the server says, as in CoreDNS.
        """
        wire = reply.wire and first.apply(reply.wire)
        if wire and not reply.unserved:
            wire = self.response.apply(wire)
        return reply if wire is reply.wire else Reply(wire, reply.plain)
