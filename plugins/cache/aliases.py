"""Whether an answer section has what was asked for, at the end of its aliases (RFC 1034 3.6.2, RFC 2308 2.2)."""

from __future__ import annotations

from typing import Final

from corepy import codes
from corepy import wire as w

_CLASS_ANY: Final = 255


def answers(wire: bytes, end: int) -> bool:
    """Whether a message, whose question ends at `end`, answers it; Malformed where a name cannot be read.

    For most types a record of that type has to be where the aliases that begin at the name end. An alias is asked for
    as itself; ANY is answered by any record at the name. Aliases that go round, or of which a name has two, lead
    nowhere (RFC 2181 10.1).
    """
    if wire[4:6] != b"\0\1":
        return False
    qtype, qclass = w.QUESTION.unpack_from(wire, end - 4)
    owned = _owned(wire, end, qclass)
    name = w.key(wire[12 : end - 4])
    if qtype == codes.ANY:
        return name in owned
    seen: set[bytes] = set()
    while name not in seen:
        seen.add(name)
        here = owned.get(name, [])
        targets = {w.key(w.read_name(wire, record.data)[0]) for record in here if record.rtype == codes.CNAME}
        if qtype == codes.CNAME:
            return len(targets) == 1
        if not targets:
            return any(record.rtype == qtype for record in here)
        if len(targets) > 1:
            return False
        name = targets.pop()
    return False


def _owned(wire: bytes, end: int, qclass: int) -> dict[bytes, list[w.Record]]:
    """The records of the answer section that are of the class, by their owners' names."""
    owned: dict[bytes, list[w.Record]] = {}
    for record in w.records(wire, end):
        if record.section == w.ANSWER and qclass in (record.rclass, _CLASS_ANY):
            owned.setdefault(w.key(w.read_name(wire, record.start)[0]), []).append(record)
    return owned
