"""NOTIFY: telling other servers that a zone has changed (RFC 1996)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from corepy import codes
from corepy import wire as w
from corepy.clock import Clock
from corepy.errors import Malformed
from corepy.plugin import Failure
from corepy.tsig import Key, Rejected, Signer, Verifier
from corepy.upstream import Upstream, match

_TRIES: Final = 3
"""How often one is told that does not say NOERROR (CoreDNS's figure)."""
_TIMEOUT: Final = 2.0
"""Seconds for each reply (CoreDNS's figure)."""


class Notice:
    """One zone's NOTIFY to one server, until it is accepted or has been tried often enough."""

    def __init__(
        self, zone: bytes, server: Upstream, clock: Clock, complain: Callable[[str], None], key: Key | None = None
    ) -> None:
        self._zone = zone
        self._server = server
        self._clock = clock
        self._complain = complain
        self._key = key
        self._verifier: Verifier | None = None
        self._tries = 0
        self._question = zone + w.QUESTION.pack(codes.SOA, codes.IN)
        self.due = 0.0
        """When this try has failed; for the upstream."""

    def send(self) -> None:
        """Tell it, once more."""
        self._tries += 1
        self.due = self._clock.now() + _TIMEOUT
        flags = codes.NOTIFY << 11 | w.AA
        wire = w.HEADER.pack(0, flags, 1, 0, 0, 0) + self._question
        if self._key is not None:
            signer = Signer(self._key, self._key.algorithm, self._clock.wall)
            wire = signer.sign(wire)
            self._verifier = Verifier(self._key, self._key.algorithm, self._clock.wall, signer.mac)
        self._server.over_udp(wire, self)

    def take(self, wire: bytes) -> bool:
        """Whether a message is the reply; if it does not accept, the notice is sent again."""
        if match(self._question, wire) is None:
            return False
        try:
            wire = self._verifier.take(wire) if self._verifier else wire
        except (Rejected, Malformed) as error:
            self._again(f"its reply is not believed: {error}")
            return True
        if rcode := wire[3] & w.RCODE:
            self._again(codes.rcode_name(rcode))
        return True

    def failed(self, error: Failure) -> None:
        """There was no reply."""
        self._again(str(error))

    def _again(self, why: str) -> None:
        if self._tries < _TRIES:
            self.send()
        else:
            zone = w.decode_name(self._zone)
            self._complain(f"NOTIFY for zone {zone} was not accepted by {self._server.name}: {why}")
