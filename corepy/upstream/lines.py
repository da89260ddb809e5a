"""What the lines of plugins that ask upstreams have in common: FROM, `except` and `tls`, read and meant alike."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from corepy import wire as w
from corepy.directive import Directive
from corepy.log import Log
from corepy.upstream.tls import client_context
from corepy.words import Word


def read_zone(directive: Directive) -> bytes:
    """FROM: one zone, as a key; the first one where a network stands for several. Raises ConfigError."""
    word = directive.word("a zone, then upstreams")
    zones = directive.as_zones([word])
    if len(zones) > 1:
        text = f"'{word}' stands for {len(zones)} zones, of which only {w.decode_name(zones[0])} is forwarded"
        Log(f"plugin/{directive.name}: ").warning(text)
    return zones[0]


def falls_under(key: bytes, zone: bytes, excepted: Iterable[bytes]) -> bool:
    """Whether upstreams are asked about a name; about the zone's own name they are, whatever is excepted."""
    if key == zone:
        return True
    return w.is_subdomain(key, zone) and not any(w.is_subdomain(key, other) for other in excepted)


def read_files(option: Directive) -> tuple[Word, ...]:
    """The arguments of `tls`: none, CA, CERT KEY, or CERT KEY CA. Raises ConfigError."""
    files = option.words()
    if len(files) > 3:
        raise option.error(f"unexpected argument '{files[3]}'", files[3], "at most CERT KEY CA")
    return tuple(files)


def read_context(
    option: Directive | None, files: Sequence[Word], below: Callable[[str], Path], *alpn: str
) -> ssl.SSLContext:
    """How certificates are checked, and which one we show, for upstreams that speak this protocol over TLS.

    `option` and `files` are the line `tls`, if there is one, and its arguments; `below` finds a file. Raises
    ConfigError.
    """
    if option is None or not files:
        return client_context((), alpn)
    try:
        return client_context([below(name) for name in files], alpn)
    except ValueError as error:
        raise option.error(f"tls: {error}", files[0], "CA, CERT KEY or CERT KEY CA") from None
