"""What a fake upstream is told to do with questions: whom a rule is for, and the reply that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from corepy import codes
from corepy import wire as w
from corepy.duration import parse_duration
from corepy.query import Query
from corepy.records import EncodedRecord, encode, parse_record
from corepy.reply import Reply

_LONGEST = 16
"""CNAMEs in a row that are followed: what goes in circles has an end."""


class Question(NamedTuple):
    """What an upstream was asked, over `transport`, "udp" or "tcp", in the octets of `wire`."""

    name: str
    """In lower case, with its final dot."""
    type: str
    transport: str
    wire: bytes

    @classmethod
    def of(cls, query: Query) -> Question:
        """The question of a query."""
        return cls(query.name, codes.type_name(query.qtype), query.endpoint.transport, query.wire)

    def __str__(self) -> str:
        return f"{self.name} {self.type}"

    def __repr__(self) -> str:
        return f"<Question {self} over {self.transport}>"


@dataclass(frozen=True)
class Pattern:
    """Which questions a rule is for: `NAME [TYPE]`, where NAME may be `*` or `*.ZONE`."""

    name: str = "*"
    type: str = "ANY"

    @classmethod
    def read(cls, text: str) -> Pattern:
        """A pattern from its text. Raises ValueError for more than two words, or for a type that there is not."""
        name, *more = text.split() or ["*"]
        if len(more) > 1 or (more and more[0].upper() not in codes.TYPES):
            raise ValueError(f"{text!r} is no question: NAME, or NAME TYPE")
        return cls(name.lower().rstrip(".") + "." if name != "*" else name, more[0].upper() if more else "ANY")

    def fits(self, question: Question) -> bool:
        """Whether a question is one of these."""
        if self.type not in ("ANY", question.type):
            return False
        if self.name.startswith("*"):
            return question.name.endswith(self.name[1:])
        return self.name == question.name

    def __str__(self) -> str:
        return self.name if self.type == "ANY" else f"{self.name} {self.type}"


@dataclass
class Rule:
    """What to do with some questions; a rule without `to` is for those that its records answer, or for all."""

    to: Pattern | None = None
    records: list[EncodedRecord] = field(default_factory=list)
    rcode: int = codes.NOERROR
    silent: bool = False
    truncate: bool = False
    """Whether a reply over UDP is empty and says that there is more over TCP."""
    delay: float = 0.0
    """Seconds before the reply."""
    once: bool = False

    def fits(self, question: Question) -> bool:
        """Whether the rule is for this question."""
        if self.to is not None:
            return self.to.fits(question)
        return not self.records or bool(self._answering(question))

    def reply(self, query: Query) -> Reply:
        """The reply to a query that the rule is for."""
        if self.truncate and query.endpoint.proto == "udp":
            return Reply.build(query, self.rcode, flags=w.RA | w.TC)
        records = self.records if self.to is not None else self._answering(Question.of(query))
        body = encode(query.qname, records)
        return Reply.build(query, self.rcode, flags=w.RA, counts=(len(records), 0, 0), body=body)

    def _answering(self, question: Question) -> list[EncodedRecord]:
        """Those of the records that answer the question, behind the CNAMEs that lead to them."""
        name, found = w.encode_name(question.name).lower(), list[EncodedRecord]()
        for _ in range(_LONGEST):
            mine = [record for record in self.records if record.owner.lower() == name]
            wanted = [record for record in mine if question.type in ("ANY", codes.type_name(record.rtype))]
            if wanted:
                return found + wanted
            alias = next((record for record in mine if record.rtype == codes.CNAME), None)
            if alias is None:
                break
            found.append(alias)
            name = alias.rdata.lower()
        return found

    def __str__(self) -> str:
        names = {f"{w.decode_name(record.owner)} {codes.type_name(record.rtype)}": None for record in self.records}
        whom = str(self.to) if self.to else ", ".join(names) or "everything"
        return f"{whom}{' (once)' * self.once}"


def read_records(lines: tuple[str, ...]) -> list[EncodedRecord]:
    """The records of zone lines; one text may have several. Raises ValueError for what is no record."""
    return [parse_record(line) for text in lines for line in text.splitlines() if line.strip()]


def seconds(time: str | float) -> float:
    """A time as `"1.5s"`, `"300ms"` or a number of seconds. Raises ValueError for other text."""
    return parse_duration(time) if isinstance(time, str) else float(time)


__all__ = ["Pattern", "Question", "Rule", "read_records", "seconds"]
