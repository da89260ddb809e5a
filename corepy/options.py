"""EDNS options of a message: others in their place, or some of them gone.

All else of the OPT record, and of the message, stays as it is. Names point backwards, so what moves is no target.
"""

from __future__ import annotations

from collections.abc import Iterable

from corepy import wire as w


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


__all__ = ["with_options", "without"]
