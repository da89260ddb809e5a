"""One record: its text as octets."""

from __future__ import annotations

from typing import NamedTuple

from corepy import codes
from corepy.records.fields import Fields, read_class, read_name, read_type
from corepy.records.text import is_whole
from corepy.records.ttl import DEFAULT_TTL, parse_ttl
from corepy.records.types import READERS
from corepy.records.words import split


class EncodedRecord(NamedTuple):
    """A resource record in wire form; names in `owner` and `rdata` are uncompressed and spelled as written."""

    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    """Seconds."""
    rdata: bytes


def parse_record(
    text: str,
    *,
    origin: bytes = b"\0",
    ttl: int = DEFAULT_TTL,
    rclass: int = codes.IN,
    owner: bytes | None = None,
) -> EncodedRecord:
    """The first record of a text: `OWNER [TTL] [CLASS] TYPE DATA`, TTL and class in either order.

    `origin` completes names without a final dot; `ttl` and `rclass` are for a record that does not say them, `owner`
    (of the record before it) for one that begins with a blank. All names in wire form. Raises ValueError, which says
    why the text is no record.
    """
    words = split(text)
    if not words:
        raise ValueError("no record")
    if words[0]:
        owner = read_name(words[0], origin)
    elif owner is None:
        raise ValueError("the owner's name is missing")
    said_ttl: int | None = None
    said_class: int | None = None
    for at in range(1, len(words)):
        word = words[at]
        if said_ttl is None and word[:1].isdecimal():
            said_ttl = parse_ttl(word)
        elif said_class is None and (known := read_class(word)) is not None:
            said_class = known
        elif (rtype := read_type(word)) is not None:
            if said_ttl is not None:
                ttl = said_ttl
            if said_class is not None:
                rclass = said_class
            return EncodedRecord(owner, rtype, rclass, ttl, _data(rtype, Fields(words, at + 1, origin)))
        else:
            raise ValueError(f"{word!r} is neither type, class nor TTL")
    raise ValueError("the type is missing")


def _data(rtype: int, fields: Fields) -> bytes:
    """The data of a record, checked to be whole and not too long."""
    if fields.peek() == "\\#":
        data = fields.unknown()
        if not is_whole(rtype, data):
            raise ValueError(f"{codes.type_name(rtype)} has other fields than these {len(data)} octets")
        return data
    reader = READERS.get(rtype)
    if reader is None:
        raise ValueError(f"data of type {codes.type_name(rtype)} has to be written as \\# LENGTH HEX")
    try:
        data = reader(fields)
    except ValueError as error:
        raise ValueError(f"{codes.type_name(rtype)}: {error}") from None
    fields.end()
    if len(data) > 65535:
        raise ValueError(f"{len(data)} octets of data, more than 65535")
    return data
