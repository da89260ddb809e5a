"""Answer ANY with a HINFO record that says why (RFC 8482 4.2)."""

from __future__ import annotations

from typing import Final

from corepy import codes, wire
from corepy.plugin import Outcome, Plugin, Query, Reply

_HINFO: Final = 13
_TTL: Final = 8482
_DATA: Final = b"\x0dANY obsoleted\x0cSee RFC 8482"
_RECORD: Final = b"\xc0\x0c" + wire.RECORD.pack(_HINFO, codes.IN, _TTL, len(_DATA)) + _DATA


class Any(Plugin):
    """Every name has the same record for ANY; other types are for the next plugin."""

    def serve(self, query: Query) -> Outcome:
        """Answer or pass on."""
        if query.qtype != codes.ANY:
            return self.next(query)
        return Reply.build(query, counts=(1, 0, 0), body=_RECORD)
