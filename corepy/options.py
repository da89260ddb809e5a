"""EDNS options of a message: others in their place, or some of them gone.

All else of the OPT record, and of the message, stays as it is. Names point backwards, so what moves is no target.
"""

from __future__ import annotations

from collections.abc import Iterable

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure
from corepy.query import Edns, Query


def with_options(wire: bytes, opt: w.Record, options: Iterable[tuple[int, bytes]]) -> bytes:
    """The message with these options, code and data, in the OPT record that it has."""
    data = b"".join([w.option(code, data) for code, data in options])
    return wire[: opt.start] + w.opt_record(opt.rclass, opt.ttl >> 24, opt.ttl & 0xFFFF, data) + wire[opt.end :]


def without(wire: bytes, code: int) -> bytes:
    """The message less all options of a code, the same object where it has none. Raises Malformed."""
    opt = w.find_opt(wire)
    found = list(w.options(wire, opt)) if opt else []
    kept = [(each, data) for each, data in found if each != code]
    return wire if opt is None or len(kept) == len(found) else with_options(wire, opt, kept)


def with_rcode(query: Query, wire: bytes, rcode: int) -> bytes:
    """A reply to the query under another rcode, the upper bits of which are in its OPT record (RFC 6891 6.1.3).

    Where it has none and needs one, it gets one, with the options that come back. Raises Failure where a client without
    EDNS would have to be told an rcode above 15: there is no way to say it (CoreDNS says nothing at all).
    """
    opt = w.find_opt(wire)
    head = wire[:3] + bytes((wire[3] & 0xF0 | rcode & w.RCODE,))
    if opt is not None:
        at = opt.start + 5
        return head + wire[4:at] + bytes((rcode >> 4,)) + wire[at + 1 :]
    if rcode <= w.RCODE:
        return head + wire[4:]
    if query.edns is None:
        raise Failure(f"{codes.rcode_label(rcode)} cannot be said to a client without EDNS")
    return w.with_additional(head + wire[4:], w.opt_record(0, rcode >> 4, options=echoed(query.edns)))


def echoed(edns: Edns) -> bytes:
    """The options of a query that come back, encoded; the rest of them is dropped, as CoreDNS does."""
    return b"".join([w.option(code, data) for code, data in edns.options if code in codes.ECHOED_OPTIONS])


__all__ = ["echoed", "with_options", "with_rcode", "without"]
