"""How the data of each type is written: one small reader a type, most of them a row of fields.

The rows follow the RFC that defines the type; a type is added by adding its row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from corepy import codes
from corepy.records import dnssec, location, services
from corepy.records.fields import Fields, counted, read_hex
from corepy.records.ttl import parse_ttl
from corepy.records.words import octets

Reader = Callable[[Fields], bytes]

_name: Final = Fields.name
_ipv4: Final = Fields.ipv4
_ipv6: Final = Fields.ipv6
_string: Final = Fields.string
_hex: Final = Fields.hexadecimal
_base64: Final = Fields.base64


def _u8(fields: Fields) -> bytes:
    return fields.number(1)


def _u16(fields: Fields) -> bytes:
    return fields.number(2)


def _u32(fields: Fields) -> bytes:
    return fields.number(4)


def _u64_groups(fields: Fields) -> bytes:
    """Sixty-four bits as four groups of hexadecimal digits (RFC 6742 2.1.3)."""
    word = fields.word()
    groups = word.split(":")
    if len(groups) != 4 or not all(len(group) <= 4 for group in groups):
        raise ValueError(f"{word!r} is not written as 0014:4fff:ff20:ee64")
    return read_hex("".join([group.zfill(4) for group in groups]))


def row(*readers: Reader) -> Reader:
    """A reader for fields that follow each other."""
    if len(readers) == 1:
        return readers[0]
    return lambda fields: b"".join([read(fields) for read in readers])


def _time(fields: Fields) -> bytes:
    """A time of SOA: seconds, or with units."""
    return parse_ttl(fields.word()).to_bytes(4, "big")


def _texts(fields: Fields) -> bytes:
    """Any number of strings; one that is too long goes on in the next (as CoreDNS reads them)."""
    words = fields.rest()
    if not words:
        raise ValueError("data is missing")
    parts = []
    for word in words:
        raw = octets(word)
        parts += [counted(raw[at : at + 255]) for at in range(0, len(raw) or 1, 255)]
    return b"".join(parts)


def _host_information(fields: Fields) -> bytes:
    """HINFO: CPU and system; one text with a space in it is both, and what is too much belongs to the system."""
    words = fields.rest()
    if len(words) == 1:
        words = words[0].split() if len(words[0].split()) > 1 else [words[0], ""]
    if not words:
        raise ValueError("data is missing")
    return counted(octets(words[0])) + counted(octets(" ".join(words[1:])))


def _caa(fields: Fields) -> bytes:
    """Flags, tag, and a value that needs no length (RFC 8659 4.1)."""
    flags, tag = _u8(fields), fields.word()
    if not tag.isalnum() or not tag.isascii():
        raise ValueError(f"{tag!r} is no tag")
    return flags + counted(tag.encode()) + octets(fields.word())


def _uri(fields: Fields) -> bytes:
    """Priority, weight, and a target that needs no length (RFC 7553 4.5)."""
    return _u16(fields) + _u16(fields) + octets(fields.word())


def _eui(size: int) -> Reader:
    """A hardware address of `size` octets with dashes (RFC 7043 3.2)."""

    def read(fields: Fields) -> bytes:
        word = fields.word()
        groups = word.split("-")
        if len(groups) != size or not all(len(group) == 2 for group in groups):
            raise ValueError(f"{word!r} is not {size} octets with dashes between them")
        return read_hex("".join(groups))

    return read


def _optional_strings(fields: Fields) -> bytes:
    """ISDN: an address and perhaps a subaddress (RFC 1183 3.2)."""
    return _string(fields) + (_string(fields) if fields.peek() is not None else b"")


_ROWS: Final[dict[str, Reader]] = {
    "A": _ipv4,
    "NS MD MF CNAME MB MG MR PTR NSAP-PTR DNAME": _name,
    "SOA": row(_name, _name, _u32, _time, _time, _time, _time),
    "HINFO": _host_information,
    "MINFO RP TALINK": row(_name, _name),
    "MX AFSDB RT KX LP": row(_u16, _name),
    "TXT SPF AVC NINFO RESINFO": _texts,
    "X25 UINFO": _string,
    "ISDN": _optional_strings,
    "PX": row(_u16, _name, _name),
    "GPOS": row(_string, _string, _string),
    "AAAA": _ipv6,
    "LOC": location.loc,
    "SRV": row(_u16, _u16, _u16, _name),
    "NAPTR": row(_u16, _u16, _string, _string, _string, _name),
    "CERT": row(dnssec.certificate_type, _u16, dnssec.algorithm, _base64),
    "APL": location.apl,
    "DS CDS DLV TA": row(_u16, dnssec.algorithm, _u8, _hex),
    "SSHFP": row(_u8, _u8, _hex),
    "RRSIG SIG": dnssec.rrsig,
    "NSEC": row(_name, dnssec.type_bitmap),
    "DNSKEY CDNSKEY KEY RKEY": row(_u16, _u8, dnssec.algorithm, _base64),
    "DHCID OPENPGPKEY": _base64,
    "NSEC3": row(_u8, _u8, _u16, dnssec.salt, dnssec.hashed_owner, dnssec.type_bitmap),
    "NSEC3PARAM": row(_u8, _u8, _u16, dnssec.salt),
    "TLSA SMIMEA": row(_u8, _u8, _u8, _hex),
    "HIP": services.hip,
    "IPSECKEY": services.ipseckey,
    "CSYNC": row(_u32, _u16, dnssec.type_bitmap),
    "ZONEMD": row(_u32, _u8, _u8, _hex),
    "SVCB HTTPS": services.svcb,
    "UID GID": _u32,
    "NID L64": row(_u16, _u64_groups),
    "L32": row(_u16, _ipv4),
    "EUI48": _eui(6),
    "EUI64": _eui(8),
    "URI": _uri,
    "CAA": _caa,
    "EID NIMLOC": _hex,
    "AMTRELAY": services.amtrelay,
}

READERS: Final = {codes.TYPES[name]: reader for names, reader in _ROWS.items() for name in names.split()}
"""Type number to the reader of its data, which takes all fields that it knows and raises ValueError."""
