"""The data of a record as text: what `types` reads, written back.

Types without a row here, and data that does not have the form of its type, are written as any type may be (RFC 3597 5).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from socket import AF_INET, AF_INET6, inet_ntop  # turns octets into text; nothing is opened
from time import gmtime, strftime
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records.services import SERVICE_KEYS


def write_data(rtype: int, data: bytes) -> str:
    """The data of a record as in a zone file; `data` has no compressed names (as `decode` gives it)."""
    octets = _Octets(data)
    try:
        words = [word for write in _WRITERS.get(rtype, ()) for word in write(octets)]
    except (IndexError, OSError, ValueError, Malformed):
        words = []
    if not words or octets.left:
        return f"\\# {len(data)} {data.hex()}".rstrip()
    return " ".join(words)


def is_whole(rtype: int, data: bytes) -> bool:
    """Whether the data of a type ends neither within a field nor behind the last one; other types' data always is.

    No data at all is whole too. What a field says is not looked at.
    """
    octets = _Octets(data)
    writers = _WRITERS.get(rtype, ())
    try:
        for write in writers if data else ():
            write(octets)
    except (IndexError, Malformed):
        return False
    except (OSError, ValueError):   # it is no text, but may be sent
        return True
    return not (writers and octets.left)


class _Octets:
    """The data, read from its start. Raises IndexError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Octets that nobody has taken."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise IndexError
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        return self.take(self.left)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def counted(self) -> bytes:
        """Octets behind their number."""
        return self.take(self.number(1))

    def name(self) -> str:
        name, self._at = w.read_name(self._data, self._at)
        return w.decode_name(name)


Writer = Callable[[_Octets], list[str]]


def _number(size: int) -> Writer:
    return lambda octets: [str(octets.number(size))]


_u8: Final = _number(1)
_u16: Final = _number(2)
_u32: Final = _number(4)


def quoted(raw: bytes) -> str:
    r"""A character string in quotes, with `\"` and `\DDD` escapes (RFC 1035 5.1)."""
    return '"' + "".join([_QUOTED.get(octet) or _printed(octet) for octet in raw]) + '"'


_QUOTED: Final = {0x22: '\\"', 0x5C: "\\\\"}


def _printed(octet: int) -> str:
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


def _name(octets: _Octets) -> list[str]:
    return [octets.name()]


def _ipv4(octets: _Octets) -> list[str]:
    return [inet_ntop(AF_INET, octets.take(4))]


def _ipv6(octets: _Octets) -> list[str]:
    return [inet_ntop(AF_INET6, octets.take(16))]


def _string(octets: _Octets) -> list[str]:
    return [quoted(octets.counted())]


def _strings(octets: _Octets) -> list[str]:
    """As many as there are."""
    words = []
    while octets.left:
        words += _string(octets)
    return words


def _long_string(octets: _Octets) -> list[str]:
    return [quoted(octets.rest())]


def _hex(octets: _Octets) -> list[str]:
    return [octets.rest().hex()]


def _base64(octets: _Octets) -> list[str]:
    return [base64.b64encode(octets.rest()).decode()]


def _tag(octets: _Octets) -> list[str]:
    """The tag of CAA: letters and digits alone, else it could not be read back."""
    tag = octets.counted()
    if not tag.isalnum():
        raise ValueError(tag)
    return [tag.decode("ascii")]


def _type(octets: _Octets) -> list[str]:
    return [codes.type_name(octets.number(2))]


def _time(octets: _Octets) -> list[str]:
    """YYYYMMDDHHmmSS in UTC (RFC 4034 3.2)."""
    return [strftime("%Y%m%d%H%M%S", gmtime(octets.number(4)))]


def _salt(octets: _Octets) -> list[str]:
    return [octets.counted().hex() or "-"]


def _hashed_owner(octets: _Octets) -> list[str]:
    return [base64.b32hexencode(octets.counted()).decode().rstrip("=").lower()]


def _bitmap(octets: _Octets) -> list[str]:
    """Types by their names, from windows of bits (RFC 4034 4.1.2)."""
    return [codes.type_name(number) for number in _bits(octets)]


def _bits(octets: _Octets) -> Iterator[int]:
    while octets.left:
        window = octets.number(1) << 8
        for at, octet in enumerate(octets.counted()):
            yield from (window + 8 * at + bit for bit in range(8) if octet & 0x80 >> bit)


def _groups(octets: _Octets) -> list[str]:
    """Sixty-four bits as four groups (RFC 6742 2.1.3)."""
    return [octets.take(8).hex(":", 2)]


def _relay(octets: _Octets) -> list[str]:
    """Whether to look for others first, the kind of a relay, and the relay (RFC 8777 4.3.1)."""
    kind = octets.number(1)
    write = _GATEWAYS.get(kind & 0x7F)
    if write is None:
        raise ValueError("a kind of relay that has no text")
    return [str(kind >> 7), str(kind & 0x7F), *write(octets)]


_GATEWAYS: Final[dict[int, Writer]] = {0: lambda _: ["."], 1: _ipv4, 2: _ipv6, 3: _name}


def _eui(size: int) -> Writer:
    return lambda octets: [octets.take(size).hex("-")]


def _parameters(octets: _Octets) -> list[str]:
    """The parameters of SVCB and HTTPS, `key="value"` (RFC 9460 2.1)."""
    words = []
    while octets.left:
        number = octets.number(2)
        value = _Octets(octets.take(octets.number(2)))
        write = _VALUES.get(number)
        if write is None:
            words.append(f"key{number}" + (f"={quoted(value.rest())}" if value.left else ""))
            continue
        text = write(value)
        words.append(SERVICE_KEYS[number] + (f"={text}" if text else ""))
        if value.left:
            raise ValueError(number)
    return words


def _each(write: Callable[[_Octets], str]) -> Callable[[_Octets], str]:
    """All items of a value, with commas."""

    def text(octets: _Octets) -> str:
        items = []
        while octets.left:
            items.append(write(octets))
        return ",".join(items)

    return text


def _protocol(octets: _Octets) -> str:
    """An item of `alpn`; what would need two kinds of escapes is left to the numbered form (RFC 9460 A.1)."""
    item = octets.counted()
    if not item.isascii() or not item.decode().isprintable() or set(item) & set(b' ,"\\;()'):
        raise ValueError(item)
    return item.decode()


def _key_name(octets: _Octets) -> str:
    number = octets.number(2)
    return SERVICE_KEYS.get(number, f"key{number}")


_VALUES: Final[dict[int, Callable[[_Octets], str]]] = {
    0: _each(_key_name),
    1: _each(_protocol),
    2: lambda _: "",
    3: lambda octets: str(octets.number(2)),
    4: _each(lambda octets: _ipv4(octets)[0]),
    5: lambda octets: _base64(octets)[0],
    6: _each(lambda octets: _ipv6(octets)[0]),
    8: lambda _: "",
    9: _each(lambda octets: str(octets.number(2))),
}

_ROWS: Final[dict[str, tuple[Writer, ...]]] = {
    "A": (_ipv4,),
    "NS MD MF CNAME MB MG MR PTR NSAP-PTR DNAME": (_name,),
    "SOA": (_name, _name, _u32, _u32, _u32, _u32, _u32),
    "HINFO": (_string, _string),
    "MINFO RP TALINK": (_name, _name),
    "MX AFSDB RT KX LP": (_u16, _name),
    "TXT SPF AVC NINFO RESINFO ISDN": (_strings,),
    "X25 UINFO": (_string,),
    "PX": (_u16, _name, _name),
    "GPOS": (_string, _string, _string),
    "AAAA": (_ipv6,),
    "SRV": (_u16, _u16, _u16, _name),
    "NAPTR": (_u16, _u16, _string, _string, _string, _name),
    "CERT": (_u16, _u16, _u8, _base64),
    "DS CDS DLV TA": (_u16, _u8, _u8, _hex),
    "SSHFP": (_u8, _u8, _hex),
    "RRSIG SIG": (_type, _u8, _u8, _u32, _time, _time, _u16, _name, _base64),
    "NSEC": (_name, _bitmap),
    "DNSKEY CDNSKEY KEY RKEY": (_u16, _u8, _u8, _base64),
    "DHCID OPENPGPKEY": (_base64,),
    "NSEC3": (_u8, _u8, _u16, _salt, _hashed_owner, _bitmap),
    "NSEC3PARAM": (_u8, _u8, _u16, _salt),
    "TLSA SMIMEA": (_u8, _u8, _u8, _hex),
    "CSYNC": (_u32, _u16, _bitmap),
    "ZONEMD": (_u32, _u8, _u8, _hex),
    "SVCB HTTPS": (_u16, _name, _parameters),
    "UID GID": (_u32,),
    "NID L64": (_u16, _groups),
    "L32": (_u16, _ipv4),
    "EUI48": (_eui(6),),
    "EUI64": (_eui(8),),
    "URI": (_u16, _u16, _long_string),
    "CAA": (_u8, _tag, _long_string),
    "EID NIMLOC": (_hex,),
    "AMTRELAY": (_u8, _relay),
}

_WRITERS: Final = {codes.TYPES[name]: writers for names, writers in _ROWS.items() for name in names.split()}
"""Type number to the writers of its fields, in their order."""
