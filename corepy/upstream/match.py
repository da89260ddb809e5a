"""Which message is the reply to a question (RFC 5452 9.1), and whether it is whole (RFC 9267)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from corepy import wire as w
from corepy.errors import Malformed

_COUNTS: Final = Struct("!3H").unpack_from


def match(question: bytes, wire: bytes) -> bytes | None:
    """The message with the question spelled as it was asked; None where it is no reply to it.

    `question` is a question section: name, type and class. The message must be a response with this one question
    (the case of the name does not matter, RFC 4343) and whole records; octets behind the last record are cut off.
    Socket and id are the caller's to check. Any bytes may be given.
    """
    end = 12 + len(question)
    if wire[12:end] != question:
        if wire[12 : end - 4].lower() != question[:-4].lower() or wire[end - 4 : end] != question[-4:]:
            return None
        wire = wire[:12] + question + wire[end:]
    if wire[2] < 0x80 or wire[4:6] != b"\0\1":
        return None
    behind = records_end(wire, end)
    if behind == len(wire):
        return wire
    return wire[:behind] if behind else None


def records_end(wire: bytes, at: int) -> int:
    """The offset behind the last record of a message whose question ends at `at`; 0 where one is cut short.

    An owner name may only point to what stands before it, so that whoever reads it comes to an end.
    """
    try:
        for _ in range(sum(_COUNTS(wire, 6))):
            start = at
            while length := wire[at]:
                if length >= 0xC0:
                    if (length & 0x3F) << 8 | wire[at + 1] >= start:
                        return 0
                    at += 1
                    break
                if length > 63:
                    return 0
                at += length + 1
            # `at` is the last octet of the name; type, class and TTL follow, then the size of the data.
            at += 11 + (wire[at + 9] << 8 | wire[at + 10])
    except IndexError:
        return 0
    return at if at <= len(wire) else 0


def is_whole(wire: bytes) -> bool:
    """Whether a message can be read from its header to its last record, whatever it is about.

    One that ends with its header is whole, whatever that counts (as CoreDNS has it). Any bytes may be given.
    """
    if len(wire) <= w.HEADER.size:
        return len(wire) == w.HEADER.size
    try:
        return bool(records_end(wire, w.question_end(wire)))
    except Malformed:
        return False


def rcode_of(reply: bytes) -> int:
    """The rcode of a whole message, extended where there is EDNS (RFC 6891 6.1.3)."""
    opt = w.find_opt(reply) if len(reply) > w.HEADER.size else None
    return w.rcode(reply, opt)
