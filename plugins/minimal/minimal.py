"""Cut the authority and additional sections off answers, where that takes nothing from their meaning."""

from __future__ import annotations

from itertools import islice

from corepy import wire as w
from corepy.classify import ReplyType, typify
from corepy.errors import Malformed
from corepy.plugin import Outcome, Plugin, Query, Reply, after


class Minimal(Plugin):
    """Denials need their SOA, referrals are nothing but these sections, and errors are left alone."""

    def serve(self, query: Query) -> Outcome:
        """Shorten what the next plugin says."""
        return after(self.next(query), _shorten)


def _shorten(reply: Reply) -> Reply:
    """The reply as it is, or a copy without the sections and so without OPT, which finishing writes anew."""
    wire = reply.wire
    if wire[8:12] in (b"", b"\0\0\0\0") or typify(wire) is not ReplyType.NOERROR:
        return reply
    try:
        at = end = w.question_end(wire)
        for record in islice(w.records(wire, at), int.from_bytes(wire[6:8], "big")):
            end = record.end
    except Malformed:
        return reply  # finishing deals with what is no message
    # Names point backwards only, so what is kept needs nothing of what is cut.
    return Reply(wire[:8] + bytes(4) + wire[12:end], plain=True)
