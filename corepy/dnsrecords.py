"""The door to `dnslib`: messages as its records, for whoever would rather have objects than octets.

Nothing else imports it, and here it is imported when it is first needed: most servers never do.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from corepy import codes
from corepy.errors import Malformed

if TYPE_CHECKING:
    from dnslib import RR, DNSRecord


def parse(wire: bytes) -> DNSRecord:
    """The message as dnslib sees it; its several error types become Malformed."""
    import dnslib  # noqa: PLC0415 - see above

    try:
        return dnslib.DNSRecord.parse(wire)
    except (dnslib.DNSError, ValueError, IndexError, KeyError, struct.error) as error:
        raise Malformed(f"dnslib: {error}", codes.FORMERR) from None


def records(given: Sequence[str | RR]) -> list[RR]:
    """Records from objects and zone file text. Raises ValueError for text that is no record."""
    import dnslib  # noqa: PLC0415 - see above

    made: list[Any] = []
    for one in given:
        try:
            made += dnslib.RR.fromZone(one) if isinstance(one, str) else [one]
        except (dnslib.DNSError, ValueError, IndexError, KeyError, struct.error, AttributeError) as error:
            raise ValueError(f"{one!r} is no record: {error}") from None
    return made
