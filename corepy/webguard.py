"""What stands in front of an HTTP endpoint: TLS, users with passwords, a limit on requests, headers for responses.

    guard = WebGuard("web.yml", clock)     # raises ConfigErrors
    secured = guard.secure()               # for a new connection
    admission = await guard.admit(request)

As with Prometheus's exporter-toolkit, files are followed: users and headers hold for the next request, certificates
and keys for the next connection. Nothing is read unless it has changed. Once a file is wrong nobody gets in until it is
right again: responses are 500, connections are closed, and the log says why, once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import ssl
from collections import OrderedDict
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.httpmessage import Request, Response, error
from corepy.log import log
from corepy.watched import in_thread
from corepy.webconfig import Pem, Tls, WebConfig, read
from corepy.yamlfile import MAX_FILE

if TYPE_CHECKING:
    from corepy.clock import Clock

_KNOWN: Final = 100
"""Passwords that were found right and need no second look: CoreDNS's number, and more than there are scrapers."""
_NOBODY: Final = "$2b$10$jdtqiItjn7mY7SUkfygrjuy1eUAE5h4TnbaDB.m3kpccfIrMnwGFS"
"""The password of users that do not exist: refusing them takes as long as refusing others."""
_LONGEST: Final = 72
"""Octets of a password that bcrypt looks at."""
_STATES: Final = {"NoClientCert": ssl.CERT_NONE, "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL}
_IP: Final = "IP Address"
_KINDS: Final = ("DNS", "email", _IP, "URI")
"""Of alternative names; others have no text."""
_BASIC: Final = (("WWW-Authenticate", "Basic"),)


class Secured(NamedTuple):
    """TLS for one connection, and whom it is for."""

    context: ssl.SSLContext
    sans: frozenset[str] | None

    def trusts(self, connection: ssl.SSLObject) -> bool:
        """Whether the client's certificate, which has been verified, has one of the names that are asked for."""
        if self.sans is None:
            return True
        names: Any = (connection.getpeercert() or {}).get("subjectAltName", ())
        return any(kind in _KINDS and _plain(kind, text) in self.sans for kind, text in names)


class Admission(NamedTuple):
    """What is done about a request: `refusal` is its response, None lets it in; `headers` are for any response."""

    refusal: Response | None
    headers: tuple[tuple[str, str], ...] = ()


class WebGuard:
    """A web configuration file at work. Raises ConfigErrors for one that is wrong, or names what is wrong."""

    def __init__(self, file: str, clock: Clock) -> None:
        self.file = file
        self._clock = clock
        self._config = WebConfig()
        self._seen: object = None
        self._secured: Secured | None = None
        self._seen_secured: object = None
        self._complaint = ""
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._checking = asyncio.Lock()   # one at a time: a password takes a core for 60 ms and more
        self._full = clock.now()
        """When the bucket of the limit is full."""
        self._look()
        self._look_secured()

    def secure(self) -> Secured | None:
        """TLS as it is now, None where there is none. Raises OSError where it cannot be had; the log knows why."""
        if self._follow(self._look_secured):
            return self._secured
        raise ConnectionAbortedError("no TLS")

    async def admit(self, request: Request) -> Admission:
        """Whether a request may go on."""
        if not self._follow(self._look):
            return Admission(error(500))
        config = self._config
        if config.interval and not self._take(config):
            return Admission(error(429))
        if config.users and not await self._is_user(config, request.authorization):
            return Admission(error(401), (*config.headers, *_BASIC))
        return Admission(None, config.headers)

    # --- files ---

    def _follow(self, look: Any) -> bool:
        """Whether what the files say now can be used."""
        try:
            look()
        except ConfigError as wrong:
            if str(wrong) != self._complaint:
                self._complaint = str(wrong)
                log.error(f"web configuration: {self._complaint}")
            return False
        self._complaint = ""
        return True

    def _look(self) -> None:
        """Read the file if it has changed."""
        seen = _state(self.file)
        if seen is None or seen != self._seen:
            self._seen = None
            self._config = read(_contents(self.file, Position(self.file, 1, 1)), self.file)
            self._seen = seen

    def _look_secured(self) -> None:
        """Read certificates and keys if they have changed."""
        self._look()
        tls = self._config.tls
        files = [] if tls is None else [pem.path for pem in (tls.certificate, tls.key, tls.authorities) if pem]
        seen = self._seen, *map(_state, files)
        if seen != self._seen_secured:
            self._seen_secured = None
            self._secured = None if tls is None else Secured(_context(tls), tls.sans)
            self._seen_secured = seen

    # --- requests ---

    def _take(self, config: WebConfig) -> bool:
        """Take a token from the bucket, which is kept as the time when it will be full."""
        now = self._clock.now()
        full = max(self._full, now) + config.interval
        if full > now + config.interval * config.burst:
            return False
        self._full = full
        return True

    async def _is_user(self, config: WebConfig, authorization: str) -> bool:
        """Whether these credentials are a user's (RFC 7617)."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (ValueError, binascii.Error):
            return False
        hashed = config.users.get(user.decode("utf-8", "replace"), "")
        key = sha256(b"\0".join((user, hashed.encode(), password))).digest()
        if not colon or key in self._known:
            return bool(colon)
        async with self._checking:
            right = await in_thread(partial(_check, password, hashed or _NOBODY))
        if not right or not hashed:
            return False
        while len(self._known) >= _KNOWN:
            self._known.popitem(last=False)
        self._known[key] = None
        return True


def _plain(kind: str, name: str) -> str:
    """As Go writes it, so addresses in their short form."""
    return str(ip_address(name.strip())) if kind == _IP else name


def _check(password: bytes, hashed: str) -> bool:
    import bcrypt  # noqa: PLC0415 - a library that few Corefiles need

    return bcrypt.checkpw(password[:_LONGEST], hashed.encode())


def _state(file: str) -> object:
    """What changes when a file does; None where there is none."""
    try:
        state = Path(file).stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def _contents(file: str, at: Position) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_FILE + 1)
    except OSError as reason:
        why = f"cannot read {file}: {(reason.strerror or str(reason)).lower()}"
        raise ConfigErrors([ConfigError(why, at)]) from None


def _context(tls: Tls) -> ssl.SSLContext:
    """The library's form of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _version(tls.minimum)
    context.maximum_version = _version(tls.maximum)
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = _STATES.get(tls.clients, ssl.CERT_REQUIRED)
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    if not tls.server_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.curve:
        context.set_ecdh_curve(tls.curve)
    certificate, key = (_octets(pem) for pem in (tls.certificate, tls.key))
    with _InMemory(certificate + b"\n" + key) as path:
        try:
            context.load_cert_chain(path, password=_no_password)
        except (OSError, ValueError) as reason:
            raise _wrong("no certificate with its key", tls.certificate, reason) from None
    if tls.authorities is not None:
        try:
            context.load_verify_locations(cadata=_octets(tls.authorities).decode("ascii", "replace"))
        except (OSError, ValueError) as reason:
            raise _wrong("no certificates", tls.authorities, reason) from None
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    return context


def _version(name: str) -> ssl.TLSVersion:
    return ssl.TLSVersion.TLSv1_3 if name == "TLS13" else ssl.TLSVersion.TLSv1_2


def _no_password() -> str:
    """Or OpenSSL would ask whoever sits at the terminal."""
    raise ValueError("the key is encrypted")


def _octets(pem: Pem) -> bytes:
    return _contents(pem.path, pem.at) if pem.path else pem.text.encode()


def _wrong(what: str, pem: Pem, reason: Exception) -> ConfigErrors:
    why = getattr(reason, "reason", None) or str(reason)
    return ConfigErrors([ConfigError(f"{what}: {str(why).replace('_', ' ').lower()}", pem.at)])


class _InMemory:
    """Octets as a file that never gets to a disk: OpenSSL, as Python has it, takes keys from files alone."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def __enter__(self) -> str:
        self._descriptor = os.memfd_create("pem")
        os.write(self._descriptor, self._octets)
        return f"/proc/self/fd/{self._descriptor}"

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


__all__ = ["Admission", "Secured", "WebGuard"]
