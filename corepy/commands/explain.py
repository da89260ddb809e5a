"""`corepy explain NAME [TYPE]`: why a query gets the reply that it gets."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Final

from corepy.address import Address
from corepy.errors import ConfigError
from corepy.explain import Asked, Explanation, Stubs, as_json, as_text, explain_each
from corepy.flags import Flag, UsageError, parse, usage
from corepy.records.fields import read_type
from corepy.source import NotFound, Source
from corepy.testing.messages import message

FLAGS: Final = [
    Flag("answer", "Record that stubs of upstreams answer with, as in a zone file (default an empty answer)"),
    Flag("bufsize", 'EDNS size of the query, 0 for a query without EDNS (default "1232")'),
    Flag("conf", 'Corefile to load, "stdin" for standard input (default "Corefile")'),
    Flag("dns.port", 'Default port (default "53")', same_as="p"),
    Flag("do", "Ask for DNSSEC records", bool),
    Flag("format", '"text" or "json" (default "text")'),
    Flag("from", 'Who asks, IP or IP#PORT (default "127.0.0.1")'),
    Flag("live", "Ask the upstreams instead of stubs", bool),
    Flag("p", 'Default port (default "53")'),
    Flag("repeat", 'How often to ask: what caches do shows from the second time on (default "1")'),
    Flag("session", "The PROXY header comes in a datagram of its own before the query", bool),
    Flag("proxy", "Client that a PROXY header in front of the query names, IP or IP#PORT"),
    Flag("tcp", "The query comes over TCP", bool),
    Flag("to", "Address that is asked, IP or IP#PORT (default the first with a server block for the name)"),
]
_NAME: Final = "corepy explain [flags] NAME [TYPE]"
_CLIENT_PORT: Final = 53000
"""The port that clients ask from, if none is said: any would do, and this one is the same each time."""
_USAGE: Final = 2
"""The exit status for arguments that make no sense, as Go's programs have it."""


def main(arguments: list[str]) -> int:
    """Explain one query to a Corefile; the exit status: 1 where the Corefile cannot be served, 2 for bad arguments."""
    try:
        values, words = _parse(arguments)
        asked, stubs, shape = _asked(values, words), _stubs(values), _shape(values)
        port, times = _number(values, "p", 53), _number(values, "repeat", 1)
    except UsageError as error:
        _complain(*[str(error)] * bool(str(error)), usage(_NAME, FLAGS))
        return error.code and _USAGE
    try:
        corefile = Source.find(values.get("conf"), port).parse()
        found = asyncio.run(explain_each(corefile, [asked] * max(times, 1), stubs, port=port))
    except NotFound as error:
        _complain(str(error))
        return 1
    except ConfigError as error:
        _complain(error.explain())
        return 1
    sys.stdout.write(shape(found) + "\n")
    return 0


def _parse(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Flags and words, in any order; a switch that is on is not empty. Raises UsageError."""
    values: dict[str, str] = {}
    words: list[str] = []
    while arguments:
        found, arguments = parse(arguments, FLAGS)
        values |= {name: value if isinstance(value, str) else "on" * value for name, value in found.items()}
        words += arguments[:1]
        arguments = arguments[1:]
    return values, words


def _asked(values: dict[str, str], words: list[str]) -> Asked:
    """The question that the words make. Raises UsageError."""
    if not 1 <= len(words) <= 2:
        raise UsageError("a name is wanted, and perhaps a type")
    rtype = read_type(words[1]) if len(words) == 2 else 1
    if rtype is None:
        raise UsageError(f"{words[1]!r} is no type")
    if "session" in values and ("proxy" not in values or "tcp" in values):
        raise UsageError("flag -session: it is for a PROXY header over UDP")
    size = _number(values, "bufsize", 1232)
    try:
        wire = message(words[0], f"TYPE{rtype}", edns=size or None, do=bool(values.get("do")))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return Asked(
        wire,
        _address(values, "from", _CLIENT_PORT) or Address.of("127.0.0.1", _CLIENT_PORT),
        _address(values, "proxy", _CLIENT_PORT),
        bool(values.get("tcp")),
        _address(values, "to", _number(values, "p", 53)),
        session=bool(values.get("session")),
    )


def _shape(values: dict[str, str]) -> Callable[[list[Explanation]], str]:
    shapes = {"text": _text, "json": _json}
    wanted = values.get("format", "text")
    if wanted not in shapes:
        raise UsageError(f'invalid value "{wanted}" for flag -format')
    return shapes[wanted]


def _stubs(values: dict[str, str]) -> Stubs:
    try:
        return Stubs([values["answer"]] if "answer" in values else [], live=bool(values.get("live")))
    except ValueError as error:
        raise UsageError(f"flag -answer: {error}") from None


def _address(values: dict[str, str], flag: str, port: int) -> Address | None:
    try:
        return Address.read(values[flag], port) if flag in values else None
    except ValueError as error:
        raise UsageError(f"flag -{flag}: {error}") from None


def _number(values: dict[str, str], flag: str, default: int) -> int:
    """A number of 16 bits. Raises UsageError."""
    text = values.get(flag, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 0xFFFF):
        raise UsageError(f'invalid value "{text}" for flag -{flag}')
    return int(text)


def _text(found: list[Explanation]) -> str:
    return "\n\n\n".join(map(as_text, found))


def _json(found: list[Explanation]) -> str:
    """An object; an array of them where the question was repeated."""
    values = [as_json(each) for each in found]
    return json.dumps(values if len(values) > 1 else values[0], indent=2)


def _complain(*lines: str) -> None:
    sys.stderr.write("\n".join(lines) + "\n")
