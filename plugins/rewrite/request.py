"""A query while rules change it, and what they want done with its reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from corepy import wire as w
from corepy.options import with_options
from corepy.plugin import Query
from corepy.renaming import with_question

if TYPE_CHECKING:
    from corepy.plugins.rewrite.rules import RcodeRule
    from corepy.plugins.rewrite.steps import Step

_SIZE: Final = 4096
"""What an OPT record says that a rule has added; CoreDNS's."""
_NO_RECORDS: Final = bytes(6)
_pack = w.QUESTION.pack


class Revert(NamedTuple):
    """An option to be undone: its code, the data that a rule gave it, and those it had, None if it was not there."""

    code: int
    new: bytes
    old: bytes | None


class Request:
    """A query as the rules see it: each one sees what those before it have made.

    `name` is in wire form, `key` the same in lower case. `options` are those of EDNS, None until a rule has looked at
    them; then the query goes on with an OPT record, whether it came with one or not.
    """

    __slots__ = ("key", "name", "options", "qclass", "qtype", "query", "rcodes", "reverts", "steps")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.name = query.qname
        self.key = query.key
        self.qtype = query.qtype
        self.qclass = query.qclass
        self.options: list[tuple[int, bytes]] | None = None
        self.steps: list[Step] = []
        """What the rules want done with the records of the reply, to be done in reverse order."""
        self.rcodes: list[RcodeRule] = []
        self.reverts: list[Revert] = []
        """Options to be undone, in reverse order."""

    @property
    def text(self) -> str:
        """The name in presentation form and lower case."""
        return w.decode_name(self.key)

    @property
    def wants_reply(self) -> bool:
        """Whether any rule wants to do something with the reply."""
        return bool(self.steps or self.rcodes or self.reverts)

    def rename(self, name: bytes) -> None:
        """Ask for another name."""
        self.name = name
        self.key = name.lower()

    def edns(self) -> list[tuple[int, bytes]]:
        """The options, to be changed by rules."""
        if self.options is None:
            found = self.query.edns
            self.options = list(found.options) if found else []
        return self.options

    def changed(self) -> Query:
        """The query to go on with: the same one if nothing has changed. Raises Malformed where it cannot be read."""
        query = self.query
        wire = query.wire
        question = self.name + _pack(self.qtype, self.qclass)
        if not wire.startswith(question, 12):
            wire = wire[:12] + question if wire[6:12] == _NO_RECORDS else with_question(wire, question)
        if self.options is not None:
            wire = _with_options(wire, self.options)
        return query if wire is query.wire else query.with_wire(wire)


def _with_options(wire: bytes, options: list[tuple[int, bytes]]) -> bytes:
    """The query with these options, and with an OPT record even where there are none."""
    found = w.find_opt(wire)
    if found is None:
        return w.with_additional(wire, w.opt_record(_SIZE, options=b"".join([w.option(*option) for option in options])))
    return with_options(wire, found, options)
