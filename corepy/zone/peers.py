"""The servers that a zone comes from or goes to, and the keys that are used between them and us.

    ADDRESS... [key NAME [ALGORITHM]]

The key is one that *tsig* has in the same server block (RFC 8945); CoreDNS has no such thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from corepy import wire as w
from corepy.address import Address
from corepy.directive import Directive
from corepy.errors import ConfigError
from corepy.query import Query
from corepy.tsig import ALGORITHMS, Key, KeySource
from corepy.words import Word, nearest, shown

_ALGORITHMS: Final = {w.decode_name(name)[:-1]: name for name in ALGORITHMS}


EVERYBODY: Final = Address(b"", 0)
"""Stands for all servers; none has it."""


class Peer(NamedTuple):
    """Another server."""

    address: Address
    key: Word | None = None
    """The name of the key between us, as it is written."""
    algorithm: bytes = b""
    """In wire form; that of the key where empty."""

    def is_client_of(self, query: Query) -> bool:
        """Whether a query comes from this server, whatever its port, and is signed with the key, where there is one."""
        if self.address.packed not in (b"", query.client.packed):
            return False
        return self.key is None or (query.signed is not None and query.signed.key == w.key(w.encode_name(self.key)))


def read_peers(option: Directive, *, everybody: bool = False) -> list[Peer]:
    """The servers of a line; `everybody` may be written as an asterisk. Raises ConfigError."""
    words = option.words("an address, or *" if everybody else "an address", at_least=1)
    at = next((at for at, word in enumerate(words) if word == "key"), len(words))
    key, algorithm = _key(option, words[at:]) if at < len(words) else (None, b"")
    if not at:
        raise option.error(f"{shown(option.name)} has a key and no address", words[0], "an address in front of it")
    return [Peer(_address(option, word, everybody=everybody), key, algorithm) for word in words[:at]]


def _key(option: Directive, words: list[Word]) -> tuple[Word, bytes]:
    """`key NAME [ALGORITHM]`, at the end of a line."""
    if len(words) < 2:
        raise option.error("a key without a name", words[0], "the name of a key that tsig has in this server block")
    if len(words) > 3:
        raise option.error(f"unexpected argument {shown(words[3])}", words[3], "the end of the line")
    if len(words) == 3 and words[2] not in _ALGORITHMS:
        expected = f"one of {', '.join(_ALGORITHMS)}"
        raise option.error(f"unknown algorithm {shown(words[2])}", words[2], expected, nearest(words[2], _ALGORITHMS))
    return words[1], _ALGORITHMS[words[2]] if len(words) == 3 else b""


def _address(option: Directive, word: Word, *, everybody: bool) -> Address:
    if everybody and word == "*":
        return EVERYBODY
    host, port = option.as_address(word, default_port=53)
    try:
        return Address.of(host, port)
    except ValueError:
        raise option.error(f"invalid argument '{word}'", word, "an IP address, or one with a port") from None


def keys_of(peers: Iterable[Peer], plugins: Sequence[object], plugin: str) -> dict[Peer, Key]:
    """The keys of those that have one, from the plugins of the server block that know some. Raises ConfigError."""
    found: dict[Peer, Key] = {}
    for peer in peers:
        if peer.key is not None:
            key = _find(peer.key, plugins, plugin)
            found[peer] = replace(key, algorithm=peer.algorithm or key.algorithm)
    return found


def _find(word: Word, plugins: Sequence[object], plugin: str) -> Key:
    try:
        name = w.key(w.encode_name(word))
    except ValueError:
        name = b""
    for source in plugins:
        if isinstance(source, KeySource) and (key := source.tsig_key(name)) is not None:
            return key
    expected = "one that tsig has in this server block"
    raise ConfigError(f"there is no key {shown(word)}", word.at, expected=expected, plugin=plugin)


__all__ = ["EVERYBODY", "Peer", "keys_of", "read_peers"]
