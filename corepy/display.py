"""DNS messages for people: the text that dig has made everyone's.

Any octets can be shown: what is no whole message is shown as far as it can be read, with the reason for the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.errors import Malformed
from corepy.records import EncodedRecord, decode, write_data

_OPCODES: Final = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE"}
_FLAGS: Final = ((w.QR, "qr"), (w.AA, "aa"), (w.TC, "tc"), (w.RD, "rd"), (w.RA, "ra"), (w.AD, "ad"), (w.CD, "cd"))
_SECTIONS: Final = ("ANSWER", "AUTHORITY", "ADDITIONAL")
_EXTENDED_ERROR: Final = 15
"""The EDNS option for extended errors (RFC 8914 2)."""
_OPTION_NAMES: Final = {codes.NSID: "NSID", codes.CLIENT_SUBNET: "CLIENT-SUBNET", 9: "EXPIRE", 10: "COOKIE"}

_EXTENDED_ERRORS: Final = (
    "Other", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer", "Forged Answer",
    "DNSSEC Indeterminate", "DNSSEC Bogus", "Signature Expired", "Signature Not Yet Valid", "DNSKEY Missing",
    "RRSIGs Missing", "No Zone Key Bit Set", "NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored",
    "Filtered", "Prohibited", "Stale NXDOMAIN Answer", "Not Authoritative", "Not Supported", "No Reachable Authority",
    "Network Error", "Invalid Data",
)  # fmt: skip
"""By their info code (RFC 8914 4)."""


def show(wire: bytes) -> str:
    """A whole message: header, EDNS, question and sections, each record in a line."""
    if len(wire) < w.HEADER.size:
        return f";; {len(wire)} octets, which are no message"
    try:
        sections = decode(wire)
        asked = question(wire)
    except Malformed as error:
        return f"{_header(wire, int.from_bytes(wire[2:4], 'big') & w.RCODE)}\n;; not readable: {error}"
    opt = _opt(sections[2])
    lines = [_header(wire, rcode(wire))]
    if opt is not None:
        lines += ["", ";; OPT PSEUDOSECTION:", *_edns(opt)]
    if asked:
        lines += ["", ";; QUESTION SECTION:", f";{asked}"]
    for title, section in zip(_SECTIONS, sections, strict=True):
        shown = [record for record in section if record is not opt]
        if shown:
            lines += ["", f";; {title} SECTION:", *_columns(shown)]
    return "\n".join(lines)


def short(wire: bytes) -> list[str]:
    """The data of the answer section alone, a line for each record. Raises Malformed."""
    return [write_data(record.rtype, record.rdata) for record in decode(wire)[0]]


def question(wire: bytes) -> str:
    """The first question, `www.example.org. IN A`; empty where there is none. Raises Malformed."""
    if wire[4:6] == b"\0\0":
        return ""
    name, at = w.read_name(wire, 12)
    if at + w.QUESTION.size > len(wire):
        raise Malformed("question cut short", codes.FORMERR)
    rtype, rclass = w.QUESTION.unpack_from(wire, at)
    return f"{w.decode_name(name)} {codes.class_name(rclass)} {codes.type_name(rtype)}"


def show_record(record: EncodedRecord) -> str:
    """One record as in a zone file."""
    return " ".join(_fields(record))


def rcode(wire: bytes) -> int:
    """The rcode of a message, with the upper bits that an OPT record has (RFC 6891 6.1.3). Raises Malformed."""
    opt = w.find_opt(wire)
    return w.rcode(wire, opt)


def flags(wire: bytes) -> list[str]:
    """The names of the flags that are set in the header."""
    value = int.from_bytes(wire[2:4], "big")
    return [name for bit, name in _FLAGS if value & bit]


def _header(wire: bytes, code: int) -> str:
    message_id, bits, *counts = w.HEADER.unpack_from(wire)
    opcode = bits >> 11 & 0xF
    sections = ", ".join(f"{title}: {count}" for title, count in zip(("QUERY", *_SECTIONS), counts, strict=True))
    return (
        f";; ->>HEADER<<- opcode: {_OPCODES.get(opcode, f'OPCODE{opcode}')}, status: {codes.rcode_name(code)},"
        f" id: {message_id}\n;; flags: {' '.join(flags(wire))}; {sections}"
    )


def _opt(additional: Iterable[EncodedRecord]) -> EncodedRecord | None:
    return next((record for record in additional if record.rtype == codes.OPT), None)


def _edns(opt: EncodedRecord) -> list[str]:
    """What an OPT record says, in dig's words."""
    do = " do" if opt.ttl & w.DO else ""
    lines = [f"; EDNS: version: {opt.ttl >> 16 & 0xFF}, flags:{do}; udp: {opt.rclass}"]
    data = opt.rdata
    whole = w.Record(w.ADDITIONAL, 0, codes.OPT, opt.rclass, opt.ttl, 0, len(data))
    try:
        lines += [f"; {_option(code, value)}" for code, value in w.options(data, whole)]
    except Malformed as error:
        lines.append(f"; options that are not readable: {error}")
    return lines


def _option(code: int, value: bytes) -> str:
    """One option: in words where it has some, else in hexadecimal."""
    name = _OPTION_NAMES.get(code, f"OPT={code}")
    if code == _EXTENDED_ERROR and len(value) >= 2:
        number, text = int.from_bytes(value[:2], "big"), value[2:].decode("utf-8", "replace").rstrip("\0")
        meaning = f" ({_EXTENDED_ERRORS[number]})" if number < len(_EXTENDED_ERRORS) else ""
        return f"EDE: {number}{meaning}{f': {_printable(text)}' if text else ''}"
    if code == codes.CLIENT_SUBNET and (subnet := _subnet(value)):
        return f"{name}: {subnet}"
    if code == codes.NSID:
        return f"{name}: {value.hex(' ')} ({_printable(value.decode('utf-8', 'replace'))!r})"
    return f"{name}: {value.hex()}"


def _subnet(value: bytes) -> str:
    """`192.0.2.0/24/0`: address, source and scope prefix (RFC 7871 6); empty where it is not of that form."""
    size = {b"\0\1": 4, b"\0\2": 16}.get(value[:2], 0)
    if len(value) < 4 or len(value) - 4 > size:
        return ""
    return f"{Address(value[4:].ljust(size, bytes(1)), 0).host}/{value[2]}/{value[3]}"


def _printable(text: str) -> str:
    """Text from the network that cannot do anything to a terminal."""
    return "".join(letter if letter.isprintable() else "." for letter in text)


def _fields(record: EncodedRecord) -> tuple[str, str, str, str, str]:
    owner, rtype, rclass, ttl, data = record
    return w.decode_name(owner), str(ttl), codes.class_name(rclass), codes.type_name(rtype), write_data(rtype, data)


def _columns(section: list[EncodedRecord]) -> list[str]:
    """Records below each other, all but their data in columns."""
    rows = [_fields(record) for record in section]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [" ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in rows]


__all__ = ["flags", "question", "rcode", "short", "show", "show_record"]
