"""Query: what arrived, and from whom.

It is bytes first: header and question are read where they lie; names as text, addresses as objects and the whole
message as a `dnslib` record are made when somebody asks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from corepy import codes, dnsrecords
from corepy import wire as w
from corepy.address import Address
from corepy.endpoint import Endpoint
from corepy.errors import Malformed
from corepy.signed import Signed

if TYPE_CHECKING:
    import dnslib

_start = struct.Struct("!2xH8s").unpack_from
_question = w.QUESTION.unpack_from
_flags = struct.Struct("!H").pack
_NOT_A_QUERY: Final = w.QR | w.OPCODE
_QUESTION_ALONE: Final = b"\0\1\0\0\0\0\0\0"
"""The section counts of a query without EDNS."""
_QUESTION_AND_ONE: Final = b"\0\1\0\0\0\0\0\1"
"""The section counts of a query with EDNS and no more."""
_OPT: Final = b"\0" + codes.OPT.to_bytes(2, "big")
_opt = struct.Struct("!3xHxBHH").unpack_from
"""Size, version, flags and length of the options of an OPT record (RFC 6891 6.1.2, 6.1.3)."""

_SUBNET_BITS: Final = {1: 32, 2: 128}
"""The longest prefix of each address family, which the IANA numbers."""

_NOBODY: Final = [""]
"""Where plugins are noted when nobody wants to know."""


class Edns(NamedTuple):
    """What the OPT record of a query says (RFC 6891 6.1)."""

    size: int
    """The largest UDP reply that the client takes, as it said: not clamped."""
    version: int
    flags: int
    """The lower half of the TTL field; DO is its highest bit."""
    options: tuple[tuple[int, bytes], ...] = ()

    @property
    def do(self) -> bool:
        """DNSSEC OK (RFC 3225)."""
        return bool(self.flags & w.DO)


def _accept(flags: int, counts: bytes) -> None:
    """Refuse what no plugin ever sees, by the header alone, before anything is parsed.

    NOTIFY may bring a SOA (RFC 1996 3.7), IXFR one in the authority section (RFC 1995 3), and OPT and TSIG are the
    two additional records that a query has; more is work for us and nothing else.
    """
    if flags & w.QR:
        raise Malformed("a response")
    if flags & w.OPCODE not in (codes.QUERY << 11, codes.NOTIFY << 11):
        raise Malformed("opcode", codes.NOTIMP)
    questions, answers, authorities, additionals = struct.unpack("!4H", counts)
    if questions != 1 or answers > 1 or authorities > 1 or additionals > 2:
        raise Malformed("section counts", codes.FORMERR)


def _is_subnet(data: bytes) -> bool:
    """Whether a client subnet has lengths that its family may have (RFC 7871 7.1.2; the octets are not looked at)."""
    if len(data) < 4:
        return False
    family, source, scope = int.from_bytes(data[:2], "big"), data[2], data[3]
    return not source if family == 0 else max(source, scope) <= _SUBNET_BITS.get(family, -1)


class Query:
    """One question, the bytes it came in, and who asks.

    `wire` is the message without PROXY header and length prefix; `qtype` and `qclass` are numbers; `edns` is None
    where the query has no OPT. `client` is who asks, known from a PROXY header or the peer itself.
    Raises `Malformed` for what is no proper query.
    """

    wire: bytes
    qtype: int
    qclass: int
    flags: int
    qend: int
    edns: Edns | None
    metadata: dict[str, str | Callable[[], str]] | None
    """What plugins tell about the query under labels `PLUGIN/NAME`; None where nobody wants to know."""
    proven: ClassVar[bool] = False
    """Whether the client has shown over UDP that it is where the query says to come from, as by a cookie (RFC 7873)."""
    reached: list[str]
    """The plugin that the query got to last, in a list of one which is for who wants to know (`Site.follow`)."""
    signed: Signed | None
    """None for a query without TSIG record."""

    __slots__ = (
        "_client", "_key", "_local", "_record", "edns", "endpoint", "flags", "metadata", "qclass", "qend", "qtype",
        "reached", "signed", "wire",
    )  # fmt: skip

    def __init__(
        self, wire: bytes, endpoint: Endpoint, client: bytes | Address, local: bytes | Address = b""
    ) -> None:
        try:
            flags, counts = _start(wire)
        except struct.error:
            raise Malformed("shorter than a header") from None
        if counts != _QUESTION_ALONE or flags & _NOT_A_QUERY:
            _accept(flags, counts)
        at = 12
        try:
            while length := wire[at]:
                if length > 63:
                    raise Malformed("compressed question", codes.FORMERR)
                at += length + 1
            self.qtype, self.qclass = _question(wire, at + 1)
        except (IndexError, struct.error):
            raise Malformed("question cut short", codes.FORMERR) from None
        if at >= 12 + w.MAX_NAME:
            raise Malformed("name too long", codes.FORMERR)
        self.wire = wire
        self.flags = flags
        self.qend = at + 5
        self.endpoint = endpoint
        self._client = client
        self._local = local
        self._key: bytes | None = None
        self._record: Any = None
        self.metadata = None
        self.reached = _NOBODY
        self.signed = None
        try:
            self.edns = self._read_records(counts) if counts != _QUESTION_ALONE else None
        except Malformed as error:
            error.question = wire[12 : self.qend]
            raise

    def _read_records(self, counts: bytes) -> Edns | None:
        """Check that all records are whole; what the OPT among them says, and whether there is a TSIG."""
        wire, found = self.wire, None
        if counts == _QUESTION_AND_ONE and wire.startswith(_OPT, self.qend) and len(wire) >= self.qend + 11:
            size, version, flags, length = _opt(wire, self.qend)
            if not length:
                return Edns(size, version, flags)
        for record in w.records(wire, self.qend):
            if record.rtype == codes.OPT and record.section == w.ADDITIONAL:
                found = record
            elif record.rtype == codes.TSIG:
                self.signed = Signed(wire)
        if found is None:
            return None
        options = tuple(w.options(wire, found)) if found.end > found.data else ()
        if any(code == codes.CLIENT_SUBNET and not _is_subnet(data) for code, data in options):
            raise Malformed("client subnet", codes.FORMERR)
        return Edns(found.rclass, found.ttl >> 16 & 0xFF, found.ttl & 0xFFFF, options)

    @property
    def id(self) -> int:
        """The message id."""
        return int.from_bytes(self.wire[:2], "big")

    @property
    def opcode(self) -> int:
        """QUERY or NOTIFY; other messages are refused before they are a Query."""
        return self.flags >> 11 & 0xF

    @property
    def qname(self) -> bytes:
        """The name asked for, in wire form, spelled as the client did."""
        return self.wire[12 : self.qend - 4]

    @property
    def key(self) -> bytes:
        """The name's identity: its wire form in lower case."""
        key = self._key
        if key is None:
            key = self._key = self.wire[12 : self.qend - 4].lower()
        return key

    @property
    def name(self) -> str:
        """The name in presentation form, in lower case, with its final dot; for people and logs."""
        return w.decode_name(self.key)

    @property
    def question(self) -> bytes:
        """The question section as it came."""
        return self.wire[12 : self.qend]

    @property
    def client(self) -> Address:
        """Who asks: the client of a PROXY header or session, else the peer that sent the message."""
        client = self._client
        if client.__class__ is bytes:
            client = self._client = Address.from_sockaddr(client)
        return client  # type: ignore[return-value]  # the branch above left an Address

    @property
    def ipv6(self) -> bool:
        """Whether the client's address is of IPv6; looked at where it lies."""
        client = self._client
        return len(client) > 16 if isinstance(client, bytes) else client.family == 6   # the size of a sockaddr_in

    @property
    def local(self) -> Address:
        """Our own address, the one that was asked."""
        local = self._local
        if not isinstance(local, Address):
            local = self._local = Address(local or self.endpoint.local, self.endpoint.port)
        return local

    @property
    def do(self) -> bool:
        """Whether the client wants DNSSEC records."""
        return self.edns is not None and self.edns.do

    @property
    def max_size(self) -> int:
        """How large the reply may be: the client's size over UDP, but 512 at least; 65,535 on a stream."""
        if self.endpoint.transport != "udp":
            return w.MAX_MESSAGE
        return max(self.edns.size, w.MIN_UDP_SIZE) if self.edns else w.MIN_UDP_SIZE

    @property
    def record(self) -> dnslib.DNSRecord:
        """The whole message as a `dnslib` record, parsed once; raises Malformed where dnslib cannot read it."""
        if self._record is None:
            self._record = dnsrecords.parse(self.wire)
        return self._record

    def with_wire(self, wire: bytes, *, proven: bool = False) -> Query:
        """Another message from the same client, to the same endpoint: for a plugin that changes a query on its way.

        What is `proven` stays so, whatever comes of the query.

        The query itself is never changed, so that who asked still gets the reply to what was asked. Raises Malformed
        where the octets are no query.
        """
        kind = _Proven if proven or self.proven else Query
        other = kind(wire, self.endpoint, self._client, self._local)
        other.metadata, other.reached, other.signed = self.metadata, self.reached, self.signed
        return other

    def with_flags(self, flags: int, endpoint: Endpoint | None = None) -> Query:
        """As `with_wire`, where only the header's flags are others, and perhaps the endpoint: nothing is read again.

        QR and opcode have to stay as they are.
        """
        other, wire = object.__new__(self.__class__), self.wire
        other.wire, other.flags = wire[:2] + _flags(flags) + wire[4:], flags
        other.qtype, other.qclass, other.qend = self.qtype, self.qclass, self.qend
        other.edns, other.endpoint = self.edns, endpoint or self.endpoint
        other.metadata, other.reached = self.metadata, self.reached
        other._client, other._local = self._client, self._local
        other._key, other._record, other.signed = self._key, None, self.signed
        return other

    def __repr__(self) -> str:
        return f"<Query {self.name} {codes.type_name(self.qtype)} from {self.client}>"


class _Proven(Query):
    """A class of its own, so that other queries do not pay for a field."""

    proven: ClassVar[bool] = True

    __slots__ = ()


__all__ = ["Edns", "Query"]
