"""What came back from a server, as a person reads it: codes by name, records as text, all of it as dig shows it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from corepy import codes, display
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records import EncodedRecord, decode, parse_record
from corepy.reply import Reply

if TYPE_CHECKING:
    from corepy.testing.told import Question

_ANY_TTL: Final = -1
"""Stands for the TTL of a record whose text says none: any will do."""


class Answer:
    """A reply, and which questions upstreams were asked for it.

    `str()` is the whole reply as dig shows it; `reply` has the octets.
    """

    def __init__(
        self, reply: Reply, *, asked: Sequence[Question] = (), transport: str = "udp", statement: object = ""
    ) -> None:
        self.reply = reply
        self.asked = list(asked)
        """What fake upstreams heard between question and reply."""
        self.transport = transport
        self._statement = statement or ""

    @property
    def explanation(self) -> str:
        """What each plugin did with the question, as `corepy explain` shows it; empty for another process's server."""
        return str(self._statement)

    @property
    def rcode(self) -> str:
        """NOERROR, NXDOMAIN, ...: with the upper bits that EDNS has for it."""
        return codes.rcode_name(display.rcode(self.reply.wire))

    @property
    def flags(self) -> list[str]:
        """The flags that are set, in lower case and in the order of the header: `["qr", "aa", "rd"]`."""
        return display.flags(self.reply.wire)

    @property
    def records(self) -> list[str]:
        """The answer section, each record as `www.example.org. 300 IN A 192.0.2.1`."""
        return self._shown(w.ANSWER)

    @property
    def authority(self) -> list[str]:
        """The authority section, likewise."""
        return self._shown(w.AUTHORITY)

    @property
    def additional(self) -> list[str]:
        """The additional section, likewise, but for OPT."""
        return self._shown(w.ADDITIONAL)

    @property
    def ttl(self) -> int | None:
        """Seconds: the smallest TTL in the answer section, None where that is empty."""
        return min((record.ttl for record in self.encoded[w.ANSWER]), default=None)

    @property
    def edns(self) -> int | None:
        """The size in the OPT record, None where there is none."""
        opt = w.find_opt(self.reply.wire)
        return opt.rclass if opt else None

    @property
    def from_upstream(self) -> bool:
        """Whether any fake upstream was asked between question and reply."""
        return bool(self.asked)

    @cached_property
    def encoded(self) -> tuple[list[EncodedRecord], ...]:
        """The records of all three sections, for comparison. Raises Malformed for what is no message."""
        return tuple([one for one in section if one.rtype != codes.OPT] for section in decode(self.reply.wire))

    def _shown(self, section: int) -> list[str]:
        return [display.show_record(record) for record in self.encoded[section]]

    def __repr__(self) -> str:
        """One line, for where a test has compared a part of it."""
        try:
            records = "; ".join(self.records) or "without records"
        except Malformed as error:
            records = str(error)
        return f"<Answer {codes.rcode_name(self.reply.rcode)} {records}>"

    def __str__(self) -> str:
        """The reply as dig shows it, and what upstreams were asked for it."""
        asked = [f";; upstream was asked: {question} over {question.transport}" for question in self.asked]
        return "\n".join([display.show(self.reply.wire), *asked])


def matches(record: EncodedRecord, text: str) -> bool:
    """Whether a record is what a text says; a text without a TTL leaves it open. Raises ValueError for no record."""
    wanted = parse_record(text, ttl=_ANY_TTL)
    return wanted.ttl in (_ANY_TTL, record.ttl) and _identity(wanted) == _identity(record)


def _identity(record: EncodedRecord) -> tuple[bytes, int, int, bytes]:
    """What a record is, whatever its TTL and the case of names."""
    rdata = record.rdata.lower() if record.rtype in w.NAMES_IN_DATA else record.rdata
    return record.owner.lower(), record.rtype, record.rclass, rdata


__all__ = ["Answer", "matches"]
