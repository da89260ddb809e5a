"""Answer with the first rule that is for a question: records written by templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.gotemplate import ExecutionError, Template
from corepy.metrics import Counter
from corepy.options import with_rcode
from corepy.plugin import Directive, Failure, Outcome, Plugin, Query, Reply
from corepy.plugins.template.data import ANY_CLASS, Data
from corepy.plugins.template.rule import Rule
from corepy.records import EncodedRecord, decode, encode, parse_record

if TYPE_CHECKING:
    from corepy.errors import Position
    from corepy.site import Site

_MEMORY: Final = 4096
"""Texts whose records are remembered: what popular names are answered with, in less than 4 MiB."""
_FOLLOWED: Final = frozenset((codes.A, codes.AAAA))
"""Types for which the target of a CNAME is looked up."""

_EXTENDED_ERROR: Final = 15
"""The EDNS option (RFC 8914 2)."""

_LABELS: Final = ("server", "zone", "view", "class", "type")
_FAILURE: Final = (*_LABELS, "section", "template")
_MATCHES: Final = Counter("template_matches_total", "Queries that a template was for.", _LABELS)
_TEMPLATE_FAILURES: Final = Counter("template_template_failures_total", "Templates that did not fit.", _FAILURE)
_RR_FAILURES: Final = Counter("template_rr_failures_total", "Texts of templates that were no record.", _FAILURE)

_parse = lru_cache(_MEMORY)(parse_record)


@dataclass
class Templates(Plugin):
    """The rules of all `template` directives of a server block, in their order."""

    rules: list[Rule]
    _site: Site | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all of them: they are tried one after the other."""
        return [cls([Rule.parse(directive) for directive in directives])]

    def configure(self, site: Site) -> None:
        """Remember the server block, whose view is a label of metrics, and not known yet; hand on the clock."""
        self._site = site
        for rule in self.rules:
            rule.conditions.look_at(self.clock)

    def ends(self) -> Sequence[bytes]:
        """The zones of rules for all types that answer every name, or fail those that do not match."""
        everything = [rule for rule in self.rules if rule.rtype == codes.ANY and rule.rclass in (codes.IN, ANY_CLASS)]
        ending = [rule for rule in everything if not rule.expressions or not rule.fallthrough.zones]
        return [zone for rule in ending for zone in rule.zones]

    def branches(self) -> Sequence[Position]:
        """The directives."""
        return [rule.at for rule in self.rules if rule.at is not None]

    def serve(self, query: Query) -> Outcome:
        """Answer by the first rule that matches; a rule without `fallthrough` that does not match gives SERVFAIL."""
        for rule in self.rules:
            zone = rule.zone(query)
            if zone is None:
                continue
            data = rule.match(query, zone)
            if data is not None:
                if self.note is not None:
                    self.note(query, f"the template at {rule.at} matches", rule.at)
                return self._answer(query, rule, data)
            if not rule.fallthrough.through(query.key):
                if self.note is not None:
                    self.note(query, f"the template at {rule.at} does not match, and has no fallthrough for the name")
                return Reply.failed(query)
        return self.next(query)

    def _answer(self, query: Query, rule: Rule, data: Data) -> Outcome:
        data.view = self._site.view if self._site else ""
        _MATCHES.add(*_labels(data))
        if rule.rcode == codes.SERVFAIL:
            return Reply.failed(query)
        answer = [_record(template, data) for template in rule.answer]
        if query.qtype in _FOLLOWED:
            for record in answer:
                if record.rtype == codes.CNAME:
                    return self._follow(query, rule, data, answer)
        return _reply(query, rule, data, answer)

    async def _follow(self, query: Query, rule: Rule, data: Data, answer: list[EncodedRecord]) -> Reply:
        """Put behind each CNAME what the server itself says about its target."""
        records: list[EncodedRecord] = []
        flags = 0
        for record in answer:
            records.append(record)
            if record.rtype == codes.CNAME:
                found = await self._look_up(record.rdata, query)
                if found is not None:
                    flags = found.flags & w.TC
                    records += decode(found.wire)[0]
        return _reply(query, rule, data, records, flags)

    async def _look_up(self, name: bytes, query: Query) -> Reply | None:
        """The server's reply for a target; None where it has none, and the CNAME has to do."""
        try:
            reply = await self.resolve(name, query.qtype, query)
            decode(reply.wire)
        except (Failure, Malformed, TimeoutError) as error:
            self.log.debug(f"{w.decode_name(name)} is not followed: {error}")  # noqa: G004 - our own log
            return None
        return reply


def _reply(query: Query, rule: Rule, data: Data, answer: list[EncodedRecord], flags: int = 0) -> Reply:
    """The message: sections, and what the rule says about rcode and extended error."""
    authority = [_record(template, data) for template in rule.authority] if rule.authority else []
    additional = [_record(template, data) for template in rule.additional] if rule.additional else []
    body = encode(query.qname, answer, authority, additional)
    counts = len(answer), len(authority), len(additional)
    reply = Reply.build(query, rule.rcode & w.RCODE, flags=w.AA | flags, counts=counts, body=body)
    if rule.error_data and query.edns is not None:
        reply = reply.with_option(_EXTENDED_ERROR, rule.error_data)
    return reply if rule.rcode <= w.RCODE else Reply(with_rcode(query, reply.wire, rule.rcode))


def _record(template: Template, data: Data) -> EncodedRecord:
    """What a template makes of a question. Raises Failure where that is no record."""
    try:
        text = template.render(data)
    except ExecutionError as error:
        _TEMPLATE_FAILURES.add(*_labels(data), template.name, template.text)
        raise Failure(str(error)) from None
    try:
        return _parse(text)
    except ValueError as error:
        _RR_FAILURES.add(*_labels(data), template.name, template.text)
        raise Failure(f"{template.name} made {text!r}: {error}") from None


def _labels(data: Data) -> tuple[str, str, str, str, str]:
    return data.query.endpoint.server, data.zone, data.view, data.class_name(), data.qtype_name()
