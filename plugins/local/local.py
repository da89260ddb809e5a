"""Answer names that mean the own machine (RFC 6761 6.3), so that nobody else is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from corepy import codes
from corepy import wire as w
from corepy.metrics import Counter
from corepy.plugin import Directive, Outcome, Plugin, Query, Reply

_TTL: Final = 604_800
_LOCALHOST: Final = w.encode_name("localhost")
_PREFIX: Final = _LOCALHOST[:-1]
_LOOPBACK: Final = w.encode_name("1.0.0.127.in-addr.arpa")
_ZONES: Final = (_LOCALHOST, *map(w.encode_name, ("0.in-addr.arpa", "127.in-addr.arpa", "255.in-addr.arpa")))
_ENDS: Final = (_LOCALHOST, b"\7in-addr\4arpa\0")
"""Most names have none of these ends, and are not looked at any further."""

_SOA: Final = codes.SOA, _LOCALHOST + b"\4root" + _LOCALHOST + bytes((0, 0, 0, 1)) + bytes(12) + _TTL.to_bytes(4, "big")
"""Serial 1; nobody transfers these zones."""
_APEX: Final = {codes.SOA: _SOA, codes.NS: (codes.NS, _LOCALHOST)}
_ADDRESSES: Final = {codes.A: (codes.A, bytes((127, 0, 0, 1))), codes.AAAA: (codes.AAAA, bytes(15) + b"\1")}

_TOTAL: Final = Counter("local_localhost_requests_total", "Queries for names below or beginning with localhost.")


@dataclass
class Local(Plugin):
    """`prefix` says whether `localhost.example.org` and the like are local, too."""

    prefix: bool = True

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin: of several lines the last option counts."""
        plugin = cls()
        for directive in directives:
            directive.no_more()
            for option in directive.options("localhost_prefix"):
                plugin.prefix = option.choice("on", "off") == "on"
        return [plugin]

    def serve(self, query: Query) -> Outcome:
        """Answer what is local; what is not is for the next plugin."""
        key, qtype = query.key, query.qtype
        if not key.endswith(_ENDS) and not key.startswith(_PREFIX):
            return self.next(query)
        zone = next((zone for zone in _ZONES if w.is_subdomain(key, zone)), None)
        if key == zone:
            return _answer(query, (_APEX | _ADDRESSES if zone == _LOCALHOST else _APEX).get(qtype), zone)
        if zone == _LOCALHOST or (self.prefix and key.startswith(_PREFIX)):
            _TOTAL.add()
            if self.log.debugging:
                remark = f"{query.name} {codes.type_name(qtype)} from {query.client} is taken for this machine"
                self.log.debug(remark)
            return _answer(query, _ADDRESSES.get(qtype), key)
        if zone is None:
            return self.next(query)
        if key == _LOOPBACK:
            return _answer(query, (codes.PTR, _LOCALHOST) if qtype == codes.PTR else None, zone)
        return _denial(query, codes.NXDOMAIN, zone)


def _answer(query: Query, record: tuple[int, bytes] | None, zone: bytes) -> Reply:
    """A reply with a record for the name, or NODATA."""
    if record is None:
        return _denial(query, codes.NOERROR, zone)
    return Reply.build(query, counts=(1, 0, 0), body=_encode(*record, query.key, query.key))


def _denial(query: Query, rcode: int, zone: bytes) -> Reply:
    return Reply.build(query, rcode, counts=(0, 1, 0), body=_encode(*_SOA, zone, query.key))


def _encode(rtype: int, data: bytes, owner: bytes, key: bytes) -> bytes:
    """A record of the name or one of its parents, which a pointer into the question says."""
    pointer = 0xC00C + len(key) - len(owner)
    return pointer.to_bytes(2, "big") + w.RECORD.pack(rtype, codes.IN, _TTL, len(data)) + data
