"""Tell the client its own address, in the additional section of an empty answer."""

from corepy import codes, wire
from corepy.plugin import Outcome, Plugin, Query, Reply

_OWNER = b"\xc0\x0c"
"""A pointer to the name in the question."""


class Whoami(Plugin):
    """Any name, any type: an A or AAAA record for the client's address, an SRV record for port and transport."""

    def serve(self, query: Query) -> Outcome:
        """Answer; no name is ever passed on."""
        client = query.client
        packed = client.packed
        address = codes.A if len(packed) == 4 else codes.AAAA
        rclass = query.qclass
        body = (
            _OWNER + wire.RECORD.pack(address, rclass, 0, len(packed)) + packed
            + (b"\4_udp" if query.endpoint.proto == "udp" else b"\4_tcp")
            + _OWNER + wire.RECORD.pack(codes.SRV, rclass, 0, 7)
            + b"\0\0\0\0" + client.port.to_bytes(2, "big") + b"\0"
        )  # fmt: skip
        return Reply.build(query, flags=wire.AA, counts=(0, 0, 2), body=body)
