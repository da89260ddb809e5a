"""How an HTTP endpoint is secured: the web configuration file of Prometheus's exporters, in YAML.

    config = read(octets, "web.yml")

The format is that of Prometheus's exporter-toolkit ("web configuration", v0.17). What it takes and ignores is refused
here, and so is what Python's `ssl` cannot do: who secures something has to know that it is secured. Reads the text
alone; certificates, keys and what lies in them are `webguard`'s. The library PyYAML is loaded when a file is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corepy.duration import parse_duration
from corepy.errors import ConfigError, ConfigErrors, Position
from corepy.words import nearest, shown

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_FILE: Final = 1 << 20
"""Octets of a file: a thousand times what a certificate and some users take."""
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
    top = _Mapping(file, octets.decode("utf-8", "replace").splitlines(), _compose(octets, file), [])
    tls, http = top.section("tls_server_config"), top.section("http_server_config")
    limit = top.section("rate_limit")
    config = WebConfig(_tls(tls), _http(http), top.get("basic_auth_users", _users) or {}, *_limit(limit))
    for section in (top, tls, http, limit):
        section.finish()
    if top.errors:
        raise ConfigErrors(sorted(top.errors, key=lambda error: error.at.line if error.at else 0))
    return config


def _compose(octets: bytes, file: str) -> Node | None:
    """The file as nodes that know their places."""
    import yaml  # noqa: PLC0415 - a library that few Corefiles need

    start = Position(file, 1, 1)
    if len(octets) > MAX_FILE:
        raise ConfigErrors([ConfigError(f"it has more than {MAX_FILE} octets", start)])
    try:
        node: Node | None = yaml.compose(octets, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(file, mark.line + 1, mark.column + 1) if mark is not None else start
        raise ConfigErrors([ConfigError(f"no YAML: {error.problem or error.context}", at)]) from None
    except yaml.YAMLError as error:
        raise ConfigErrors([ConfigError(f"no YAML: {' '.join(str(error).split())}", start)]) from None
    except RecursionError:
        raise ConfigErrors([ConfigError("no YAML that anybody would write: too deep", start)]) from None
    return node


def _limit(section: _Mapping) -> tuple[float, int]:
    interval = section.get("interval", _duration) or 0.0
    burst = section.get("burst", _integer) or 0
    if interval and burst < 1:
        section.wrong("a limit without a burst lets nobody in", section.place("burst"), "burst: 1, or more")
    return interval, burst


def _http(section: _Mapping) -> tuple[tuple[str, str], ...]:
    if section.get("http2", _boolean):
        hint = "leave it out: who asks for it falls back to HTTP/1.1"
        section.wrong("HTTP/2 is not spoken here", section.place("http2"), "false", hint)
    return section.get("headers", _headers) or ()


def _tls(section: _Mapping) -> Tls | None:
    if not section.nodes:
        return None
    certificate = _pem(section, "cert")
    key = _pem(section, "key")
    authorities = _pem(section, "client_ca")
    clients = section.get("client_auth_type", _clients) or CLIENTS[0]
    sans = section.get("client_allowed_sans", _texts)
    minimum = section.get("min_version", _version) or _VERSIONS[0]
    maximum = section.get("max_version", _version) or _VERSIONS[-1]
    suites = section.get("cipher_suites", _suites) or ()
    order = section.get("prefer_server_cipher_suites", _boolean)
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


def _pem(section: _Mapping, name: str) -> Pem | None:
    """From the file that is named, or what is written right there."""
    path, text = section.get(f"{name}_file", _text), section.get(name, _text)
    if path and text:
        section.wrong(f"{name} and {name}_file", section.place(name), "one of the two")
    if path:
        return Pem(section.place(f"{name}_file"), path=str(Path(section.file).parent / path))
    return Pem(section.place(name), text=text) if text else None


class _Mapping:
    """A mapping of the file whose values are taken by name. Mistakes are collected; what nobody takes is one."""

    def __init__(self, file: str, lines: list[str], node: Node | None, errors: list[ConfigError]) -> None:
        self.file, self._lines, self.errors = file, lines, errors
        self.at = self._position(node) if node is not None else Position(file, 1, 1)
        self.nodes: dict[str, Node] = {}
        self._keys: dict[str, Node] = {}
        self._taken: list[str] = []
        for key, value in self._pairs(node):
            if key.value in self.nodes:
                self.wrong(f"{shown(key.value)} is given twice", self._position(key))
            self.nodes[key.value], self._keys[key.value] = value, key

    def _pairs(self, node: Node | None) -> Iterator[tuple[Node, Node]]:
        if node is None or _is_null(node):
            return
        if _kind(node) != "mapping":
            self.wrong(f"unexpected {_kind(node)}", self.at, "a mapping")
            return
        for key, value in node.value:
            if _kind(key) == "scalar":
                yield key, value
            else:
                self.wrong(f"a {_kind(key)} as a name", self._position(key), "a word")

    def _position(self, node: Node) -> Position:
        line, column = node.start_mark.line, node.start_mark.column
        return Position(self.file, line + 1, column + 1, self._lines[line] if line < len(self._lines) else "")

    def place(self, name: str) -> Position:
        """Where a name stands, or else the mapping."""
        return self._position(self._keys[name]) if name in self._keys else self.at

    def wrong(self, what: str, at: Position, expected: str = "", hint: str = "") -> None:
        """Note a mistake."""
        self.errors.append(ConfigError(what, at, expected=expected, hint=hint))

    def section(self, name: str) -> _Mapping:
        """A mapping within this one; empty where there is none."""
        self._taken.append(name)
        section = _Mapping(self.file, self._lines, self.nodes.get(name), self.errors)
        section.at = self.place(name)
        return section

    def get(self, name: str, reader: Callable[[Node], Any]) -> Any:
        """A value; None where there is none, or where it is wrong, which is noted then."""
        self._taken.append(name)
        node = self.nodes.get(name)
        if node is None or _is_null(node):
            return None
        try:
            return reader(node)
        except _Wrong as wrong:
            at = self._position(wrong.node)
            self.wrong(wrong.what, replace(at, text="") if wrong.secret else at, wrong.expected, wrong.hint)
            return None

    def finish(self) -> None:
        """What was not taken is unknown."""
        for name in self.nodes:
            if name not in self._taken:
                hint = nearest(name, self._taken)
                self.wrong(f"unknown key {shown(name)}", self.place(name), f"one of {', '.join(self._taken)}", hint)


# --- values ---


class _Wrong(Exception):  # noqa: N818 - becomes a ConfigError as soon as the place is known
    """A node that is not what it should be."""

    def __init__(
        self, node: Node, what: str = "", expected: str = "", hint: str = "", *, secret: bool = False
    ) -> None:
        super().__init__(what)
        given = shown(node.value) if _kind(node) == "scalar" else f"a {_kind(node)}"
        self.node, self.what, self.expected, self.hint = node, what or f"invalid value {given}", expected, hint
        self.secret = secret
        """Whether the line is nobody's to read."""


def _kind(node: Node) -> str:
    """`scalar`, `sequence` or `mapping`."""
    return type(node).__name__.removesuffix("Node").lower()


def _is_null(node: Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _text(node: Node) -> str:
    """Any scalar as it is written, as the format's own reader has it."""
    if _kind(node) != "scalar":
        raise _Wrong(node, expected="a text")
    return str(node.value)


def _texts(node: Node) -> list[str]:
    return [_text(each) for each in _items(node)]


def _items(node: Node) -> list[Node]:
    if _kind(node) != "sequence":
        raise _Wrong(node, expected="a list")
    return list(node.value)


def _boolean(node: Node) -> bool:
    if node.tag != "tag:yaml.org,2002:bool":
        raise _Wrong(node, expected="true or false")
    return _text(node).lower() in ("true", "yes", "on")


def _integer(node: Node) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", _text(node)):
        raise _Wrong(node, expected="a whole number")
    return int(_text(node))


def _duration(node: Node) -> float:
    text = _text(node)
    try:
        seconds = int(text) * _NANOSECONDS if re.fullmatch(r"[0-9]{1,18}", text) else parse_duration(text)
    except ValueError:
        seconds = -1
    if seconds < 0:
        raise _Wrong(node, expected="a duration such as 1s")
    return seconds


def _one_of(node: Node, names: tuple[str, ...]) -> str:
    text = _text(node)
    if text not in names:
        raise _Wrong(node, expected=f"one of {', '.join(names)}", hint=nearest(text, names))
    return text


def _clients(node: Node) -> str:
    text = _text(node)
    if text in _UNVERIFIED:
        why = "Python's ssl takes no certificate that it does not verify"
        raise _Wrong(node, f"{text} is not possible: {why}", f"one of {', '.join(CLIENTS)}")
    return _one_of(node, CLIENTS) if text else CLIENTS[0]


def _version(node: Node) -> str:
    if _text(node) in ("TLS10", "TLS11"):
        raise _Wrong(node, f"{shown(_text(node))} is not spoken any more (RFC 8996)", f"one of {', '.join(_VERSIONS)}")
    return _one_of(node, _VERSIONS)


def _suites(node: Node) -> list[str]:
    return [_one_of(each, (*_SUITES_13, *_SUITES)) for each in _items(node)]


def _curve(node: Node) -> str:
    curves = [_one_of(each, tuple(_CURVES)) for each in _items(node)]
    if len(curves) > 1:
        raise _Wrong(node, "several curves are not possible: Python's ssl takes one", "one curve, or none for all")
    return _CURVES[curves[0]] if curves else ""


def _headers(node: Node) -> tuple[tuple[str, str], ...]:
    headers = []
    for key, value in _named(node):
        name, text = _one_of(key, tuple(_HEADERS)), _text(value)
        if _HEADERS[name]:
            _one_of(value, _HEADERS[name])
        if not (text.isascii() and text.isprintable()):
            raise _Wrong(value, expected="printable ASCII")
        headers.append((name, text))
    return tuple(headers)


def _users(node: Node) -> dict[str, str]:
    users = {}
    for key, value in _named(node):
        if not _HASH.fullmatch(_text(value)):
            what, hint = f"the password of {shown(key.value)} is no bcrypt hash", "htpasswd -nBC 10 '' prints one"
            raise _Wrong(value, what, "$2y$10$...", hint, secret=True)
        users[_text(key)] = _text(value)
    return users


def _named(node: Node) -> Iterator[tuple[Node, Node]]:
    """Pairs, each name once."""
    if _kind(node) != "mapping":
        raise _Wrong(node, expected="a mapping")
    seen = set()
    for key, value in node.value:
        if _text(key) in seen:
            raise _Wrong(key, f"{shown(key.value)} is given twice")
        seen.add(_text(key))
        yield key, value


__all__ = ["CLIENTS", "MAX_FILE", "Pem", "Tls", "WebConfig", "read"]
