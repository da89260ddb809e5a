"""How an HTTP endpoint is secured: the web configuration file of Prometheus's exporters, in YAML.

    config = read(octets, "web.yml")

The format is that of Prometheus's exporter-toolkit ("web configuration", v0.17). What it takes and ignores is refused
here, and so is what Python's `ssl` cannot do: who secures something has to know that it is secured. Reads the text
alone; certificates, keys and what lies in them are `webguard`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corepy import yamlfile
from corepy.duration import parse_duration
from corepy.errors import ConfigErrors, Position
from corepy.words import shown
from corepy.yamlfile import Section, Wrong

if TYPE_CHECKING:
    from yaml.nodes import Node

_NANOSECONDS: Final = 1e-9
"""Durations without a unit are Go's: whole nanoseconds."""


@dataclass(frozen=True)
class Pem:
    """Certificates or a key: in the file at `path`, or else `text` itself; named at a place."""

    at: Position = field(compare=False)
    path: str = ""
    text: str = field(default="", repr=False)


@dataclass(frozen=True)
class Tls:
    """The section `tls_server_config`."""

    certificate: Pem
    key: Pem
    authorities: Pem | None = None
    """Who may sign clients' certificates; the system's if None."""
    clients: str = "NoClientCert"
    """One of CLIENTS."""
    sans: frozenset[str] | None = None
    """Of these a client's certificate has to have one, whatever its kind; None for any."""
    minimum: str = "TLS12"
    maximum: str = "TLS13"
    ciphers: tuple[str, ...] = ()
    """For TLS 1.2, by OpenSSL's names; those of the library if empty."""
    server_order: bool = True
    curve: str = ""
    """By OpenSSL's name; those of the library if empty."""


@dataclass(frozen=True)
class WebConfig:
    """The whole file."""

    tls: Tls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """For every response."""
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords as bcrypt hashes, by the user's name; without any, everyone may ask."""
    interval: float = 0.0
    """Seconds between two requests, 0 for no limit."""
    burst: int = 0
    """Requests at once, where there is a limit."""


CLIENTS: Final = ("NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
_UNVERIFIED: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
_VERSIONS: Final = ("TLS12", "TLS13")
_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""Those that may be set, with the values that are allowed where not all are."""
_CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_SUITES_13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""Of TLS 1.3: they may be named, and are on in any case, as in Go."""
_SUITES: Final = {
    f"TLS_ECDHE_{kind}_WITH_{theirs}": f"ECDHE-{kind}-{ours}"
    for kind in ("ECDSA", "RSA")
    for theirs, ours in {
        "AES_128_CBC_SHA": "AES128-SHA",
        "AES_256_CBC_SHA": "AES256-SHA",
        "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
    }.items()
}
"""OpenSSL's names of the suites for TLS 1.2 that Go calls secure."""
_HASH: Final = re.compile(r"\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


def read(octets: bytes, file: str) -> WebConfig:
    """What a file says; paths in it begin where the file is. Raises ConfigErrors with all that is wrong."""
    top = yamlfile.load(octets, file)
    tls, http = top.section("tls_server_config"), top.section("http_server_config")
    limit = top.section("rate_limit")
    config = WebConfig(_tls(tls), _http(http), top.get("basic_auth_users", _users) or {}, *_limit(limit))
    for section in (top, tls, http, limit):
        section.finish()
    if top.errors:
        raise ConfigErrors(sorted(top.errors, key=lambda error: error.at.line if error.at else 0))
    return config


def _limit(section: Section) -> tuple[float, int]:
    interval = section.get("interval", _duration) or 0.0
    burst = section.get("burst", yamlfile.integer) or 0
    if interval and burst < 1:
        section.wrong("a limit without a burst lets nobody in", section.place("burst"), "burst: 1, or more")
    return interval, burst


def _http(section: Section) -> tuple[tuple[str, str], ...]:
    if section.get("http2", yamlfile.boolean):
        hint = "leave it out: who asks for it falls back to HTTP/1.1"
        section.wrong("HTTP/2 is not spoken here", section.place("http2"), "false", hint)
    return section.get("headers", _headers) or ()


def _tls(section: Section) -> Tls | None:
    if not section.nodes:
        return None
    certificate = _pem(section, "cert")
    key = _pem(section, "key")
    authorities = _pem(section, "client_ca")
    clients = section.get("client_auth_type", _clients) or CLIENTS[0]
    sans = section.get("client_allowed_sans", yamlfile.texts)
    minimum = section.get("min_version", _version) or _VERSIONS[0]
    maximum = section.get("max_version", _version) or _VERSIONS[-1]
    suites = section.get("cipher_suites", _suites) or ()
    order = section.get("prefer_server_cipher_suites", yamlfile.boolean)
    curve = section.get("curve_preferences", _curve) or ""
    ciphers = tuple(_SUITES[suite] for suite in suites if suite in _SUITES)
    if suites and not ciphers:
        minimum = "TLS13"   # nothing is left for older clients
    if minimum > maximum:
        section.wrong("no version is left", section.place("max_version"), "one that is not below min_version")
    if clients == CLIENTS[0] and authorities is not None:
        hint = "RequireAndVerifyClientCert is what secures an endpoint"
        section.wrong("a CA for clients, but none is asked for a certificate", authorities.at, "client_auth_type", hint)
    if clients == CLIENTS[0] and sans is not None:
        section.wrong(
            "names of clients, but none is asked for a certificate", section.place("client_allowed_sans"),
            "client_auth_type",
        )  # fmt: skip
    for pem, name in ((certificate, "cert"), (key, "key")):
        if pem is None and not any(each in section.nodes for each in (name, f"{name}_file")):
            section.wrong(f"tls_server_config lacks {name}_file or {name}", section.at)
    if certificate is None or key is None:
        return None
    allowed = None if sans is None else frozenset(sans)
    return Tls(certificate, key, authorities, clients, allowed, minimum, maximum, ciphers, order is not False, curve)


def _pem(section: Section, name: str) -> Pem | None:
    """From the file that is named, or what is written right there."""
    path, text = section.get(f"{name}_file", yamlfile.text), section.get(name, yamlfile.text)
    if path and text:
        section.wrong(f"{name} and {name}_file", section.place(name), "one of the two")
    if path:
        return Pem(section.place(f"{name}_file"), path=str(Path(section.file).parent / path))
    return Pem(section.place(name), text=text) if text else None


# --- values ---


def _duration(node: Node) -> float:
    text = yamlfile.text(node)
    try:
        seconds = int(text) * _NANOSECONDS if re.fullmatch(r"[0-9]{1,18}", text) else parse_duration(text)
    except ValueError:
        seconds = -1
    if seconds < 0:
        raise Wrong(node, expected="a duration such as 1s")
    return seconds


def _clients(node: Node) -> str:
    text = yamlfile.text(node)
    if text in _UNVERIFIED:
        why = "Python's ssl takes no certificate that it does not verify"
        raise Wrong(node, f"{text} is not possible: {why}", f"one of {', '.join(CLIENTS)}")
    return yamlfile.one_of(node, CLIENTS) if text else CLIENTS[0]


def _version(node: Node) -> str:
    text = yamlfile.text(node)
    if text in ("TLS10", "TLS11"):
        raise Wrong(node, f"{shown(text)} is not spoken any more (RFC 8996)", f"one of {', '.join(_VERSIONS)}")
    return yamlfile.one_of(node, _VERSIONS)


def _suites(node: Node) -> list[str]:
    return [yamlfile.one_of(each, (*_SUITES_13, *_SUITES)) for each in yamlfile.items(node)]


def _curve(node: Node) -> str:
    curves = [yamlfile.one_of(each, tuple(_CURVES)) for each in yamlfile.items(node)]
    if len(curves) > 1:
        raise Wrong(node, "several curves are not possible: Python's ssl takes one", "one curve, or none for all")
    return _CURVES[curves[0]] if curves else ""


def _headers(node: Node) -> tuple[tuple[str, str], ...]:
    headers = []
    for key, value in yamlfile.named(node):
        name, text = yamlfile.one_of(key, tuple(_HEADERS)), yamlfile.text(value)
        if _HEADERS[name]:
            yamlfile.one_of(value, _HEADERS[name])
        if not (text.isascii() and text.isprintable()):
            raise Wrong(value, expected="printable ASCII")
        headers.append((name, text))
    return tuple(headers)


def _users(node: Node) -> dict[str, str]:
    users = {}
    for key, value in yamlfile.named(node):
        if not _HASH.fullmatch(yamlfile.text(value)):
            what, hint = f"the password of {shown(key.value)} is no bcrypt hash", "htpasswd -nBC 10 '' prints one"
            raise Wrong(value, what, "$2y$10$...", hint, secret=True)
        users[yamlfile.text(key)] = yamlfile.text(value)
    return users


__all__ = ["CLIENTS", "Pem", "Tls", "WebConfig", "read"]
