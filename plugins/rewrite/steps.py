"""What rules do to the records of a reply, one record after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from corepy import codes
from corepy import wire as w
from corepy.plugins.rewrite.names import Pattern, Regex, Rename, encoded, renaming
from corepy.records import EncodedRecord
from corepy.renaming import data_name, with_data_name


class Step(Protocol):
    """One change. Raises Failure where a name becomes none, Malformed where data are cut short."""

    def change(self, record: EncodedRecord) -> EncodedRecord:
        """The record as it is to be; the same one where the step has nothing to do."""


class OwnerStep:
    """Give records other owners."""

    def __init__(self, rename: Rename) -> None:
        self.rename = rename

    def change(self, record: EncodedRecord) -> EncodedRecord:
        """Change the owner."""
        name = self.rename(record.owner)
        return record if name is None else record._replace(owner=name)


class DataStep:
    """Change the name that data lead to (see `data_name`)."""

    def __init__(self, rename: Rename) -> None:
        self.rename = rename

    def change(self, record: EncodedRecord) -> EncodedRecord:
        """Change the data."""
        target = data_name(record)
        name = None if target is None else self.rename(target)
        return record if name is None else with_data_name(record, name)


def both(rename: Rename) -> list[Step]:
    """The steps that `answer auto` stands for."""
    return [OwnerStep(rename), DataStep(rename)]


@dataclass(frozen=True)
class Answer:
    """`answer name FROM TO`, or `answer value FROM TO`: owners, or data, that an expression matches."""

    part: str
    pattern: Regex
    new: str
    step: Step = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        rename = renaming(self.pattern, self.new)
        object.__setattr__(self, "step", OwnerStep(rename) if self.part == "name" else DataStep(rename))


@dataclass(frozen=True)
class TtlStep:
    """Keep TTLs, in seconds, within a range."""

    low: int
    high: int

    def change(self, record: EncodedRecord) -> EncodedRecord:
        """Change the TTL."""
        ttl = min(max(record.ttl, self.low), self.high)
        return record if ttl == record.ttl else record._replace(ttl=ttl)


@dataclass(frozen=True)
class CnameStep:
    """Let CNAMEs lead elsewhere. What stood behind such a record is replaced by what the server knows of the target."""

    pattern: Pattern
    new: str

    def change(self, record: EncodedRecord) -> EncodedRecord:
        """Change the target; in lower case it is looked at."""
        if record.rtype != codes.CNAME:
            return record
        target = w.decode_name(record.rdata.lower())
        if not self.pattern.matches(target):
            return record
        return record._replace(rdata=encoded(self.pattern.replaced(target, self.new)))
