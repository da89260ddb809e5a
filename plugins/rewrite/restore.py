"""The way back: a reply to the changed query becomes one to the query as it came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.lookup import Resolve
from corepy.options import with_rcode
from corepy.plugin import Failure, Query, Reply
from corepy.plugins.rewrite.edns import answered
from corepy.plugins.rewrite.request import Request
from corepy.plugins.rewrite.steps import CnameStep, DataStep, OwnerStep
from corepy.records import EncodedRecord, decode
from corepy.renaming import asked_alone, check_header, rebuild, with_question

_TC: Final = w.TC >> 8
"""The flag in the third octet of a message."""


class Restoration:
    """How the reply to one query is changed.

    `changed` is the query that went on, `echoed` the options that come back to the client where a reply has no OPT
    record, None where EDNS was nobody's business. `restores` is whether the question and the records are changed.
    """

    __slots__ = ("_asked", "_changed", "_echoed", "_request", "_restores", "_steps")

    def __init__(self, request: Request, changed: Query, restores: bool, echoed: frozenset[int] | None) -> None:
        self._request = request
        self._asked = request.query
        self._changed = changed
        self._restores = restores
        self._echoed = echoed
        steps = request.steps
        self._steps = steps if len(steps) < 2 else steps[::-1]

    def reply(self, reply: Reply) -> Reply:
        """The reply for the client. Raises Failure where it cannot be made."""
        wire = reply.wire
        if not wire:
            return reply
        plain = reply.plain
        try:
            if self._echoed is not None or self._request.rcodes:
                wire, plain = self._head(wire, plain)
            if self._restores:
                wire = self._body(wire)
        except Malformed as error:
            raise Failure(f"a reply that cannot be rewritten: {error}") from None
        return Reply(wire, plain)

    async def followed(self, reply: Reply, resolve: Resolve) -> Reply:
        """The same where rules are about CNAMEs: `resolve` is asked for the target that one now leads to."""
        if not reply.wire:
            return reply
        try:
            head, plain = self._head(reply.wire, reply.plain)
            check_header(head)
            answer, authority, additional = decode(head)
            answer, target = self._up_to_target(answer)
            if target is not None:
                found = (await resolve(target, self._changed.qtype, self._changed)).wire
                answer += decode(found)[0] if found else []
                head = head[:2] + bytes((head[2] & ~_TC | (found[2] & _TC if found else 0),)) + head[3:]
            authority, additional = self._changed_all(authority), self._changed_all(additional)
            return Reply(rebuild(head, self._asked.question, answer, authority, additional), plain)
        except Malformed as error:
            raise Failure(f"a reply that cannot be rewritten: {error}") from None

    def failed(self, error: Exception) -> Exception:
        """A failure under the rcode that it now has; what is no Failure goes on as it is."""
        if not isinstance(error, Failure):
            return error
        rcode = self._rcode(error.rcode)
        return error if rcode == error.rcode else Failure(str(error), rcode if rcode < 16 else codes.SERVFAIL)

    def _rcode(self, rcode: int) -> int:
        for rule in reversed(self._request.rcodes):
            if rule.old == rcode:
                rcode = rule.new
        return rcode

    def _head(self, wire: bytes, plain: bool) -> tuple[bytes, bool]:
        """The reply with the options and the rcode that it is to have; whether it surely has no OPT record."""
        rcodes, echoed = self._request.rcodes, self._echoed
        if echoed is None and not rcodes:
            return wire, plain
        check_header(wire)
        opt = None if plain else w.find_opt(wire)
        rcode = self._rcode(w.rcode(wire, opt))
        if echoed is not None:
            wire = answered(wire, opt, self._asked, self._request, echoed)
            opt = w.find_opt(wire)
        if rcode != w.rcode(wire, opt):
            wire = with_rcode(self._asked, wire, rcode)
        return wire, False

    def _body(self, wire: bytes) -> bytes:
        """The reply with the question as it came and its records changed."""
        asked, changed = self._asked, self._changed
        end = changed.qend
        if wire.startswith(changed.wire[12:end], 12) and asked_alone(wire, end) and self._back() == asked.qname:
            return wire[:12] + asked.wire[12 : asked.qend] + wire[end:]
        check_header(wire)
        if not self._steps:
            return with_question(wire, asked.question)
        return rebuild(wire, asked.question, *map(self._changed_all, decode(wire)))

    def _back(self) -> bytes | None:
        """What becomes of the name that went on, where it owns a record; None if other things than names change."""
        name = self._changed.qname
        for step in self._steps:
            kind = step.__class__
            if kind is OwnerStep:
                name = step.rename(name) or name   # type: ignore[attr-defined]  # an OwnerStep
            elif kind is not DataStep:
                return None
        return name

    def _changed_all(self, records: Iterable[EncodedRecord]) -> list[EncodedRecord]:
        """A section as it is to be; the steps are none of an OPT record's business."""
        return [record if record.rtype == codes.OPT else self._change(record)[0] for record in records]

    def _change(self, record: EncodedRecord) -> tuple[EncodedRecord, bytes | None]:
        """A record as it is to be, and the name that a CNAME has been made to lead to, if it has."""
        target = None
        for step in self._steps:
            changed = step.change(record)
            if changed is not record and step.__class__ is CnameStep:
                target = changed.rdata
            record = changed
        return record, target

    def _up_to_target(self, answer: Sequence[EncodedRecord]) -> tuple[list[EncodedRecord], bytes | None]:
        """The CNAMEs up to the first one that now leads elsewhere, and where to; all records if none does."""
        kept = []
        for record in answer:
            changed, target = self._change(record)
            kept.append(changed)
            if target is not None:
                return [record for record in kept if record.rtype == codes.CNAME], target
        return kept, None
