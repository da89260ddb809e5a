"""Tell the client its own address, in the additional section of an empty answer."""

from collections.abc import Sequence
from functools import cache

from corepy import codes, wire
from corepy.plugin import Outcome, Plugin, Query, Reply

_OWNER = b"\xc0\x0c"
"""A pointer to the name in the question."""


@cache
def _around(rclass: int, size: int, proto: str) -> tuple[bytes, bytes]:
    """The octets before the address of the first record, and from there to the port in the second."""
    address = codes.A if size == 4 else codes.AAAA
    srv = b"\4_" + proto.encode() + _OWNER + wire.RECORD.pack(codes.SRV, rclass, 0, 7) + b"\0\0\0\0"
    return _OWNER + wire.RECORD.pack(address, rclass, 0, size), srv


class Whoami(Plugin):
    """Any name, any type: an A or AAAA record for the client's address, an SRV record for port and transport."""

    def ends(self) -> Sequence[bytes]:
        """Every query is answered."""
        return (b"\0",)

    def serve(self, query: Query) -> Outcome:
        """Answer; no name is ever passed on."""
        client = query.client
        before, between = _around(query.qclass, len(client.packed), query.endpoint.proto)
        body = before + client.packed + between + client.port.to_bytes(2, "big") + b"\0"
        return Reply.build(query, flags=wire.AA, counts=(0, 0, 2), body=body)
