"""Whether servers give the same answers: figures of one that does not are worth nothing."""

from __future__ import annotations

from collections.abc import Iterable

from corepy import codes
from corepy.reply import Reply
from corepy.testing import Client

Essence = tuple[str, tuple[str, ...]]
"""Rcode, and the records of the answer without their TTLs."""


def essence(reply: Reply) -> Essence:
    """What two servers must agree on. Flags and other sections are theirs to choose."""
    records = [f"{str(rr.rname).lower()} {codes.type_name(rr.rtype)} {rr.rdata}" for rr in reply.record.rr]
    return codes.rcode_name(reply.rcode), tuple(sorted(records))


def answers(port: int, names: Iterable[str], transport: str) -> list[Essence]:
    """What a server says to a question for each name."""
    found: list[Essence] = []
    with Client("127.0.0.1", port, transport, timeout=5) as client:
        for number, name in enumerate(names, 1):
            try:
                found.append(essence(client.ask(name, message_id=number)))
            except TimeoutError:
                found.append(("silence", ()))
    return found


def differences(mine: list[Essence], theirs: list[Essence]) -> int:
    """In how many answers two servers differ."""
    return sum(one != other for one, other in zip(mine, theirs, strict=True))


__all__ = ["Essence", "answers", "differences", "essence"]
