"""The text of a hosts file as encoded records, ready to be put behind a question.

A line is an address and names: `192.0.2.1 www.example.org www # comment`. What is no entry is left out, as everywhere
hosts files are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from socket import AF_INET, inet_pton
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.address import Address

_ROOT: Final = b"\0"
_ASTERISK: Final = b"\1*\0"
"""A wildcard for nothing, since one label has to stay behind it."""
_OWNER: Final = b"\xc0\x0c"
"""A pointer to the name in the question."""
_HEAD: Final = 12
"""Octets of a record before its data, with such an owner."""
_LONGEST: Final = w.MAX_MESSAGE
"""Octets of one RRset that are worth keeping: more fit into no message, and the reply is truncated in any case. Lists
that point a million names to 0.0.0.0 would have a PTR RRset of many megabytes."""


class Table:
    """Records by name and by address; filled by `parse`, not changed later."""

    __slots__ = ("_names", "_ptr", "_wildcards", "entries")

    def __init__(self) -> None:
        self._names: dict[int, dict[bytes, bytes]] = {codes.A: {}, codes.AAAA: {}}
        self._ptr: dict[bytes, bytes] = {}
        self._wildcards = False
        self.entries = 0
        """Records that the text asked for."""

    def addresses(self, rtype: int, key: bytes) -> bytes:
        """The A or AAAA records of a name; those of the wildcard for its first label if it has none of the type.

        `key` is a wire name in lower case. Empty octets where there are none.
        """
        names = self._names[rtype]
        found = names.get(key)
        if found is None:
            return names.get(_wildcard(key), b"") if self._wildcards else b""
        return found

    def pointers(self, packed: bytes) -> bytes:
        """The PTR records of an address of 4 or 16 octets."""
        return self._ptr.get(packed, b"")

    def add(self, packed: bytes, key: bytes, record: bytes, pointer: bytes | None) -> None:
        """Take in one entry: the record of its name, and that of its address if it is to have one."""
        self.entries += 1
        _append(self._names[codes.A if len(packed) == 4 else codes.AAAA], key, record)
        if key.startswith(b"\1*"):
            self._wildcards = True
        elif pointer is not None:
            self.entries += 1
            _append(self._ptr, packed, pointer)


def parse(text: bytes, zones: Sequence[bytes], *, ttl: int, reverse: bool = True) -> Table:
    """The table of a hosts file: its names in the zones (keys), under this TTL in seconds; never raises.

    With `reverse` there are PTR records, but none for wildcards. Names are in lower case.
    """
    table = Table()
    last, packed, record = b"", b"", b""
    for line in BytesIO(text):
        words = line.partition(b"#")[0].split()
        if len(words) < 2:
            continue
        if words[0] != last:
            last, packed = words[0], parse_address(words[0])
            record = _encode(codes.A if len(packed) == 4 else codes.AAAA, ttl, packed)
        if not packed:
            continue
        for word in words[1:]:
            key = _key(word)
            if key is not None and key != _ASTERISK and w.in_zones(key, zones):
                table.add(packed, key, record, _encode(codes.PTR, ttl, key) if reverse else None)
    return table


def parse_address(word: bytes) -> bytes:
    """The 4 or 16 octets of an address, without the zone of a link-local one; none where it is no address."""
    try:
        return Address.of(word.partition(b"%")[0].decode("ascii"), 0).packed
    except ValueError:
        return b""


def parse_reverse(key: bytes) -> bytes | None:
    """The address that a name below in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5), if it does."""
    try:
        if key.endswith(_IN_ADDR):
            labels = [suffix[1 : suffix[0] + 1] for suffix in w.suffixes(key[: -len(_IN_ADDR)] + _ROOT)][:-1]
            return inet_pton(AF_INET, b".".join(reversed(labels)).decode("ascii")) if len(labels) == 4 else None
        if key.endswith(_IP6) and len(key) == 64 + len(_IP6) and key[:64:2] == b"\1" * 32:
            packed = bytes.fromhex(key[63:0:-2].decode("ascii"))
            return Address.of_ipv6(packed, 0).packed if len(packed) == 16 else None
    except (ValueError, OSError):
        return None
    return None


_IN_ADDR: Final = b"\7in-addr\4arpa\0"
_IP6: Final = b"\3ip6\4arpa\0"


def count(records: bytes) -> int:
    """How many records of the form above there are."""
    at = number = 0
    while at < len(records):
        at += _HEAD + int.from_bytes(records[at + 10 : at + 12], "big")
        number += 1
    return number


def under_name(records: bytes, name: bytes, at: int) -> bytes:
    """The records under this spelling of their owner's name.

    It is written out where they begin, at offset `at` of the message, and pointed to by the others.
    """
    parts, start = [], 0
    while start < len(records):
        end = start + _HEAD + int.from_bytes(records[start + 10 : start + 12], "big")
        parts.append(records[start + len(_OWNER) : end])
        start = end
    return name + (0xC000 | at).to_bytes(2, "big").join(parts)


def _append(records: dict[bytes, bytes], key: bytes, record: bytes) -> None:
    found = records.get(key)
    if found is None:
        records[key] = record
    elif len(found) <= _LONGEST:
        records[key] = found + record


def _encode(rtype: int, ttl: int, data: bytes) -> bytes:
    return _OWNER + w.RECORD.pack(rtype, codes.IN, ttl, len(data)) + data


def _key(word: bytes) -> bytes | None:
    """The name as a key; None where it is none."""
    try:
        return w.key(w.encode_name(word.decode("utf-8", "surrogateescape")))
    except ValueError:
        return None


def _wildcard(key: bytes) -> bytes:
    """The wildcard that stands for a name: `*` for its first label, and at least one behind it (as CoreDNS)."""
    parent = key[key[0] + 1 :]
    return b"\1*" + parent if len(parent) > 1 else b""
