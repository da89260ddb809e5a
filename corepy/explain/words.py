"""In words what a reply is, and how queries and replies differ from what they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from corepy import codes, display
from corepy.errors import Failure, Malformed
from corepy.query import Edns, Query
from corepy.records import EncodedRecord, decode
from corepy.reply import Reply

_SHOWN: Final = 4
"""Records that are named where a section has changed: beyond that nobody reads on."""



def answered(reply: Reply) -> str:
    """What a reply is, in a few words."""
    if not reply.wire:
        return "there is no reply"
    count = int.from_bytes(reply.wire[6:8], "big")
    records = f" with {count} record{'s' * (count != 1)}" if count else ""
    nodata = " without records" if not count and _rcode(reply) == "NOERROR" else ""
    return f"answered {_rcode(reply)}{records}{nodata}"


def failed(error: Exception) -> str:
    """What the client hears of an exception, and why."""
    if isinstance(error, Failure):
        return f"failed, {codes.rcode_name(error.rcode)}: {error}"
    return f"failed, SERVFAIL, by a mistake in the plugin: {error!r}"


def query_changes(old: Query, new: Query) -> list[str]:
    """In what a query differs from what it was."""
    changes = []
    if old.key != new.key or (old.qtype, old.qclass) != (new.qtype, new.qclass):
        changes.append(f"{display.question(old.wire)} -> {display.question(new.wire)}")
    elif old.qname != new.qname:
        changes.append("the name spelled in another case")
    changes += _flag_changes(old.wire, new.wire)
    if old.edns != new.edns:
        changes.append(f"EDNS: {_edns(old.edns)} -> {_edns(new.edns)}")
    if not changes and old.wire[2:] != new.wire[2:]:
        changes.append("other octets")
    return changes


def reply_changes(old: Reply, new: Reply) -> list[str]:
    """In what a reply differs from the one that came from behind."""
    if old.wire == new.wire:
        return []
    if not old.wire or not new.wire:
        return [answered(new)]
    try:
        return _changes(old, new) or ["changed the reply's octets, not what they say"]
    except Malformed as error:
        return [f"changed the reply, which is not readable: {error}"]


def _changes(old: Reply, new: Reply) -> list[str]:
    changes = []
    if _rcode(old) != _rcode(new):
        changes.append(f"{_rcode(old)} -> {_rcode(new)}")
    asked = display.question(old.wire), display.question(new.wire)
    if asked[0].lower() != asked[1].lower():
        changes.append(f"question {asked[0]} -> {asked[1]}")
    changes += _flag_changes(old.wire, new.wire)
    names = "answer", "authority", "additional"
    for name, before, now in zip(names, decode(old.wire), decode(new.wire), strict=True):
        changes += [f"{name} {change}" for change in _section_changes(before, now)]
    return changes


def _section_changes(old: Sequence[EncodedRecord], new: Sequence[EncodedRecord]) -> list[str]:
    if old == new:
        return []
    gone, come = [each for each in old if each not in new], [each for each in new if each not in old]
    if not gone and not come:
        return ["in another order" if len(old) == len(new) else f"of {len(new)} records, not {len(old)}"]
    if [each._replace(ttl=0) for each in gone] == [each._replace(ttl=0) for each in come]:
        before, now = (sorted({each.ttl for each in some}) for some in (gone, come))
        return [f"TTL {_numbers(before)} -> {_numbers(now)}"]
    return _listed("-", gone) + _listed("+", come)


def _listed(sign: str, records: list[EncodedRecord]) -> list[str]:
    """Records that have gone or come, the first few by name."""
    words = [f"{sign} {_shown(record)}" for record in records[:_SHOWN]]
    return words + [f"{sign} {len(records) - _SHOWN} more"] * (len(records) > _SHOWN)


def _shown(record: EncodedRecord) -> str:
    return "EDNS" if record.rtype == codes.OPT else display.show_record(record)


def _flag_changes(old: bytes, new: bytes) -> list[str]:
    before, now = display.flags(old), display.flags(new)
    signs = [f"-{name}" for name in before if name not in now] + [f"+{name}" for name in now if name not in before]
    return [f"flags {' '.join(signs)}"] if signs else []


def _edns(edns: Edns | None) -> str:
    if edns is None:
        return "none"
    options = f", options {_numbers(code for code, _ in edns.options)}" if edns.options else ""
    return f"size {edns.size}{', do' * edns.do}{options}"


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _rcode(reply: Reply) -> str:
    return codes.rcode_name(display.rcode(reply.wire))
