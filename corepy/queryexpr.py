"""Expressions about queries, as `view` and `template` have them: CoreDNS's functions, and errors with their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from corepy import codes
from corepy.directive import Directive
from corepy.errors import ConfigError, Position
from corepy.exprlang import BOOL, INT, STRING, ExpressionError, Function, Program, Type, compile_expression
from corepy.words import Word

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from corepy.keys import Network
    from corepy.query import Query


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    """A network; those of a Corefile are few, a function may make up others."""
    prefix = text.partition("/")[2]
    if not prefix.isdecimal():
        raise ValueError(f"{text!r} is no network")
    network = ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    return network if mapped is None else ip_network(f"{mapped}/{network.prefixlen - 96}")


@lru_cache(maxsize=1024)
def _ip(text: str) -> IPv4Address | IPv6Address:
    """An address, one of IPv4 in IPv6 as that of IPv4; without the zone of a link, as those of networks are."""
    address = ip_address(text)
    if address.version == 4:
        return address
    if address.scope_id is not None:
        raise ValueError(f"{text!r} has a zone")
    return address.ipv4_mapped or address


def _in_network(_query: Query, address: str, network: str) -> bool:
    """Whether an address is in a network. ValueError where either is none."""
    return _ip(address) in _network(network)


def _metadata(query: Query, label: str) -> str:
    """What a plugin has told, empty for nothing."""
    value = query.metadata.get(label, "") if query.metadata else ""
    return value if isinstance(value, str) else value()


def _about(result: Type, call: Callable[[Query], Any]) -> Function:
    return Function((), result, call)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "bufsize": _about(INT, lambda query: query.max_size),
    "class": _about(STRING, lambda query: codes.class_name(query.qclass)),
    "client_ip": _about(STRING, lambda query: str(query.client.ip)),
    "do": _about(BOOL, lambda query: query.do),
    "id": _about(INT, lambda query: query.id),
    "name": _about(STRING, lambda query: query.name),
    "opcode": _about(INT, lambda query: query.opcode),
    "port": _about(STRING, lambda query: str(query.client.port)),
    "proto": _about(STRING, lambda query: query.endpoint.proto),
    "server_ip": _about(STRING, lambda query: str(query.local.ip)),
    "server_port": _about(STRING, lambda query: str(query.local.port)),
    "size": _about(INT, lambda query: len(query.wire)),
    "type": _about(STRING, lambda query: codes.type_label(query.qtype)),
    "incidr": Function((STRING, STRING), BOOL, _in_network),
    "metadata": Function((STRING,), STRING, _metadata),
}
"""They get the query as the context of the run."""


def read_expression(
    option: Directive, functions: Mapping[str, Function] = FUNCTIONS, variables: Mapping[str, Type] | None = None
) -> Program:
    """The program that the rest of a line says, its words being one text again.

    Raises ConfigError at the place in question.
    """
    words = option.words("an expression", at_least=1)
    try:
        return compile_expression(" ".join(words), functions, variables)
    except ExpressionError as error:
        raise _located(option, words, error) from None


def _located(option: Directive, words: list[Word], error: ExpressionError) -> ConfigError:
    """The error at its place in the Corefile; a quoted word is as far off as its quote and escapes are."""
    at = error.at
    for word in words:
        if at <= len(word) or word is words[-1]:
            return option.error(str(error), _within(word, min(at, len(word))))
        at -= len(word) + 1
    return option.error(str(error))


def _within(word: Word, at: int) -> Position:
    return replace(word.at, column=word.at.column + at)
