"""TSIG: messages that are signed with a secret which two servers share (RFC 8945). Bytes only; time is handed in.

    signature = find(query.signed.wire)
    key = verify(query.signed.wire, signature, keys, clock.wall())
    query.signed.seal = Signer(key, signature.algorithm, clock.wall, request=signature.mac)

`verify` checks one message, a `Signer` signs a query, or all messages of a reply in turn, a `Verifier` checks all
messages of a reply. Secrets show in no text that these objects have of themselves.
"""

from __future__ import annotations

import hmac
import struct
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, runtime_checkable

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed

ALGORITHMS: Final = {
    w.encode_name(f"hmac-{digest}"): digest for digest in ("sha1", "sha224", "sha256", "sha384", "sha512")
}
"""Names in wire form, and what Python's hashlib calls the digest. MD5 is not among them (as CoreDNS)."""
HMAC_SHA256: Final = w.encode_name("hmac-sha256")

BADSIG: Final = 16   # not BADVERS, which has the same number
BADKEY: Final = codes.RCODES["BADKEY"]
BADTIME: Final = codes.RCODES["BADTIME"]
BADTRUNC: Final = codes.RCODES["BADTRUNC"]
ERROR_NAMES: Final = {BADSIG: "BADSIG", BADKEY: "BADKEY", BADTIME: "BADTIME", BADTRUNC: "BADTRUNC"}
"""What the error field of a TSIG record says (RFC 8945 3)."""
_UNSIGNED: Final = (BADSIG, BADKEY)
"""Errors that are told without a signature: there is no key that both sides know (RFC 8945 5.3.2)."""

FUDGE: Final = 300
"""Seconds that the clocks of two servers may differ (RFC 8945 10)."""
_SHORTEST_MAC: Final = 10
"""Octets; a MAC may not be cut below, nor below half of its size (RFC 8945 5.2.2.1)."""
_UNSIGNED_MESSAGES: Final = 99
"""Messages without a signature that one behind them may cover (RFC 8945 5.3.1)."""
_ANY_CLASS: Final = 255   # of all TSIG records (RFC 8945 4.2)
_timers = struct.Struct("!HIH")
"""Time signed, of 48 bits, and fudge."""
_number = struct.Struct("!H").pack


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and its name, which is a key in wire form."""

    name: bytes
    secret: bytes = field(repr=False)
    algorithm: bytes = HMAC_SHA256
    """What we sign with ourselves, in wire form; others choose (as with CoreDNS)."""

    def __str__(self) -> str:
        return w.decode_name(self.name)


def read_secret(text: str) -> bytes:
    """The octets of a secret in base 64 (RFC 4648 4). Raises ValueError, which does not say the text."""
    try:
        secret = a2b_base64(text, strict_mode=True)
    except ValueError:
        secret = b""
    if not secret or len(text) % 4:
        raise ValueError("the secret is not written in base 64")
    return secret


@runtime_checkable
class KeySource(Protocol):
    """A plugin that has keys, for the others of its server block."""

    def tsig_key(self, name: bytes) -> Key | None:
        """The key of this name, which is in wire form and lower case; None where there is none."""


class Rejected(Exception):  # noqa: N818 - what became of a message
    """A signature that does not count: `error` is what its TSIG error would be (RFC 8945 5.2)."""

    def __init__(self, error: int, why: str = "") -> None:
        super().__init__(why or ERROR_NAMES.get(error, str(error)))
        self.error = error


class Signature(NamedTuple):
    """The TSIG record of a message (RFC 8945 4.2); names as keys."""

    start: int
    """Where the record is; nothing follows it that counts."""
    name: bytes
    algorithm: bytes
    time: int
    """When it was signed, in seconds since 1970."""
    fudge: int
    mac: bytes
    original_id: bytes
    """The message id that was signed; forwarders change it in the header."""
    error: int
    other: bytes


def find(wire: bytes) -> Signature | None:
    """The TSIG record of a message; None where there is none.

    Raises Malformed (FORMERR) for one that is not the last record, for several, and for one that is cut short.
    """
    found: w.Record | None = None
    for record in w.records(wire):
        if found is not None:
            raise Malformed("a record behind TSIG", codes.FORMERR)
        if record.rtype == codes.TSIG:
            found = record
    if found is None:
        return None
    if found.section != w.ADDITIONAL or found.rclass != _ANY_CLASS or found.ttl:
        raise Malformed("TSIG record out of place", codes.FORMERR)
    name, _ = w.read_name(wire, found.start)
    algorithm, at = w.read_name(wire, found.data)
    try:
        upper, lower, fudge, size = struct.unpack_from("!HIHH", wire, at)
        at += 10 + size
        original_id, error, length = struct.unpack_from("!2sHH", wire, at)
    except struct.error:
        raise Malformed("TSIG record cut short", codes.FORMERR) from None
    if at + 6 + length != found.end:
        raise Malformed("TSIG record of another size", codes.FORMERR)
    mac, other = wire[at - size : at], wire[at + 6 : found.end]
    time = upper << 32 | lower
    return Signature(found.start, name.lower(), algorithm.lower(), time, fudge, mac, original_id, error, other)


def without(wire: bytes, signature: Signature) -> bytes:
    """The message less its TSIG record."""
    count = int.from_bytes(wire[10:12], "big") - 1
    return wire[:10] + _number(count) + wire[12 : signature.start]


def verify(wire: bytes, signature: Signature, keys: Mapping[bytes, Key], now: float) -> Key:
    """The key that a query is signed with (RFC 8945 5.2).

    Raises Rejected, and Malformed where the MAC has a size that it may not have.
    """
    key = keys.get(signature.name)
    if key is None:
        raise Rejected(BADKEY)
    mac = _Mac(key, signature.algorithm)
    mac.update(signature.original_id + without(wire, signature)[2:] + _variables(signature))
    _check(mac.digest(), signature, now)
    return key


def _check(mac: bytes, signature: Signature, now: float) -> None:
    """Compare the signature with what it should be; of MACs that are cut off none counts."""
    size = len(signature.mac)
    if size > len(mac) or size < max(_SHORTEST_MAC, len(mac) // 2):
        raise Malformed(f"MAC of {size} octets", codes.FORMERR)
    if not hmac.compare_digest(mac[:size], signature.mac):
        raise Rejected(BADSIG)
    if abs(int(now) - signature.time) > signature.fudge:
        raise Rejected(BADTIME)
    if size < len(mac):
        raise Rejected(BADTRUNC)


class _Mac:
    """What a key makes of octets. Raises Rejected for an algorithm that is not known, BADSIG (as CoreDNS)."""

    def __init__(self, key: Key, algorithm: bytes, prior: bytes = b"") -> None:
        if algorithm not in ALGORITHMS:
            raise Rejected(BADSIG)
        self._hmac = hmac.new(key.secret, _number(len(prior)) + prior if prior else b"", ALGORITHMS[algorithm])
        self.update = self._hmac.update
        self.digest = self._hmac.digest


def _variables(signature: Signature, *, timers_only: bool = False) -> bytes:
    """What of the record is signed: all but the MAC (RFC 8945 4.3.3), or only its times (4.3.3.1)."""
    time = _timers.pack(signature.time >> 32, signature.time & 0xFFFFFFFF, signature.fudge)
    if timers_only:
        return time
    owner = signature.name + struct.pack("!HI", _ANY_CLASS, 0)
    return owner + signature.algorithm + time + _error(signature)


def _error(signature: Signature) -> bytes:
    return struct.pack("!HH", signature.error, len(signature.other)) + signature.other


def _record(signature: Signature) -> bytes:
    """The record in wire form."""
    time = _timers.pack(signature.time >> 32, signature.time & 0xFFFFFFFF, signature.fudge)
    data = signature.algorithm + time + _number(len(signature.mac)) + signature.mac + signature.original_id
    data += _error(signature)
    return signature.name + w.RECORD.pack(codes.TSIG, _ANY_CLASS, 0, len(data)) + data


class Signer:
    """Signs a query, or the messages of the reply to one, one after the other.

    `wall` says the time, `request` is the MAC of the query, empty for a query. The messages behind the first one are
    signed with the MAC before, and the times alone (RFC 8945 5.3.1). Raises Rejected for an unknown algorithm.
    """

    def __init__(self, key: Key, algorithm: bytes, wall: Callable[[], float], *, request: bytes = b"") -> None:
        self._key = key
        self._algorithm = algorithm
        self._wall = wall
        self._first = True
        self.mac = request
        """Of the message that was signed last."""
        size = hmac.new(b"", b"", ALGORITHMS[algorithm]).digest_size
        self.room = len(_record(self._made(0, bytes(size), b"\0\0", 0)))
        """Octets that a signature adds to a message."""

    def sign(self, wire: bytes) -> bytes:
        """The message with its signature; whoever alters it afterwards, but for the id, spoils it."""
        made = self._made(int(self._wall()), b"", wire[:2], codes.NOERROR)
        return self._sign(wire, made)

    def _sign(self, wire: bytes, made: Signature) -> bytes:
        mac = _Mac(self._key, self._algorithm, self.mac)
        mac.update(wire)
        mac.update(_variables(made, timers_only=not self._first))
        self.mac, self._first = mac.digest(), False
        return w.with_additional(wire, _record(made._replace(mac=self.mac)))

    def _made(self, time: int, mac: bytes, original_id: bytes, error: int, other: bytes = b"") -> Signature:
        return Signature(0, self._key.name, self._algorithm, time, FUDGE, mac, original_id, error, other)


class ErrorSigner:
    """Signs the reply to a query whose signature does not count, and says why (RFC 8945 5.3.2).

    Without a key that both sides know the record has no MAC. Of BADTIME both sides learn the other one's time.
    """

    def __init__(self, error: int, signature: Signature, keys: Mapping[bytes, Key], wall: Callable[[], float]) -> None:
        self._error = error
        self._signature = signature
        self._keys = keys
        self._wall = wall
        self.room = len(_record(signature)) + 6 + 64
        """Octets that the record has at most: with a time, and with the longest MAC."""

    def sign(self, wire: bytes) -> bytes:
        """The message with its TSIG record."""
        asked, now = self._signature, int(self._wall())
        made = asked._replace(mac=b"", original_id=wire[:2], error=self._error, other=b"", fudge=FUDGE, time=0)
        if self._error in _UNSIGNED:
            return w.with_additional(wire, _record(made))
        if self._error == BADTIME:
            made = made._replace(time=asked.time, other=now.to_bytes(6, "big"))
        else:
            made = made._replace(time=now)
        mac = _Mac(self._keys[asked.name], asked.algorithm, asked.mac)
        mac.update(wire + _variables(made))
        return w.with_additional(wire, _record(made._replace(mac=mac.digest())))


class Verifier:
    """Checks the messages of the reply to a query that was signed, in their order.

    `request` is the MAC of the query. The first message is signed, and the last one; in between up to 99 need not be.
    """

    def __init__(self, key: Key, algorithm: bytes, wall: Callable[[], float], request: bytes) -> None:
        self._key = key
        self._algorithm = algorithm
        self._wall = wall
        self._mac = _Mac(key, algorithm, request)
        self._first = True
        self._unsigned = 0

    def take(self, wire: bytes) -> bytes:
        """The message less its signature. Raises Rejected and Malformed for one that does not belong to the others."""
        signature = find(wire)
        if signature is None:
            self._unsigned += 1
            if self._first or self._unsigned > _UNSIGNED_MESSAGES:
                raise Rejected(BADSIG, "the reply is not signed")
            self._mac.update(wire)
            return wire
        if signature.error and not signature.mac:
            raise Rejected(signature.error)
        if signature.name != self._key.name or signature.algorithm != self._algorithm:
            raise Rejected(BADKEY)
        bare = without(wire, signature)
        self._mac.update(signature.original_id + bare[2:] + _variables(signature, timers_only=not self._first))
        _check(self._mac.digest(), signature, self._wall())
        if signature.error:
            raise Rejected(signature.error)
        self._mac = _Mac(self._key, self._algorithm, signature.mac)
        self._first, self._unsigned = False, 0
        return bare

    @property
    def complete(self) -> bool:
        """Whether the last message was signed, so that nothing is missing between the signed ones."""
        return not self._unsigned and not self._first


__all__ = [
    "ALGORITHMS", "BADKEY", "BADSIG", "BADTIME", "BADTRUNC", "ERROR_NAMES", "FUDGE", "HMAC_SHA256", "ErrorSigner",
    "Key", "KeySource", "Rejected", "Signature", "Signer", "Verifier", "find", "read_secret", "verify", "without",
]  # fmt: skip
