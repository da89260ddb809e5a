"""Questions asked of one server, one after the other, and their replies as text."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Final

from corepy import display
from corepy import wire as w
from corepy.clock import SYSTEM
from corepy.commands.query.options import USAGE, Options, Usage, read
from corepy.errors import Malformed
from corepy.explain import message_values
from corepy.stream import frame
from corepy.testing.client import Client
from corepy.upstream import client_context, match

_NO_REPLY: Final = 9
"""The exit status of dig where no server replies."""
_USAGE_STATUS: Final = 1
"""The exit status of dig for arguments that make no sense."""

def main(arguments: list[str]) -> int:
    """Ask a server and print what it says; the exit status, which is dig's."""
    if not arguments or arguments[0] in ("-h", "-help", "--help"):
        sys.stdout.write(USAGE)
        return 0 if arguments else _USAGE_STATUS
    try:
        options = read(arguments)
        header, wires = options.header, [options.message(question) for question in options.questions]
        client_context([options.authorities] if options.authorities else [])   # is there such a file?
    except (Usage, ValueError) as error:
        sys.stderr.write(f"corepy query: {error}\n")
        return _USAGE_STATUS
    if "header_only" in options.on:
        return _send_header(options, header)
    told = [_tell(options, header, wire, first=wire is wires[0]) for wire in wires]
    return 0 if all(told) else _NO_REPLY


def _tell(options: Options, header: bytes, wire: bytes, *, first: bool) -> bool:
    """Ask one question and print what comes of it; whether there was a reply."""
    if not first and not options.on & {"json", "short"}:
        sys.stdout.write("\n")
    began = SYSTEM.now()
    try:
        options, reply = _ask(options, header, wire)
    except (OSError, EOFError) as error:
        sys.stdout.write(f";; no reply from {_where(options)}: {_reason(error)}\n")
        return False
    took = (SYSTEM.now() - began) * 1000
    try:
        sys.stdout.write(_shown(options, wire, reply, took))
    except Malformed as error:
        sys.stdout.write(f";; {len(reply)} octets from {_where(options)} that are not readable: {error}\n")
    return True


def _shown(options: Options, wire: bytes, reply: bytes, took: float) -> str:
    """A reply that took so many milliseconds, in the form that is wanted. Raises Malformed."""
    if "json" in options.on:
        values = {"question": display.question(wire), "server": str(options.server), "transport": options.transport}
        return json.dumps({**values, "milliseconds": round(took, 1), "reply": message_values(reply)}) + "\n"
    if "short" in options.on:
        return "".join(f"{line}\n" for line in display.short(reply))
    return f"{display.show(reply)}\n\n;; from {_where(options)}: {len(reply)} octets in {took:.1f} ms\n"


# --- asking ---


def _ask(options: Options, header: bytes, wire: bytes) -> tuple[Options, bytes]:
    """The reply and how it came: over TCP if it did not fit over UDP. Raises OSError and EOFError."""
    tries = 1 if options.stream else options.retry + 1
    while True:
        tries -= 1
        try:
            reply = _exchange(options, header, wire)
            break
        except TimeoutError:
            if not tries:
                raise
    if reply[2] & w.TC >> 8 and not options.stream and "ignore" not in options.on:
        if not options.on & {"json", "short"}:
            sys.stdout.write(";; truncated, asking again over TCP\n")
        again = replace(options, on=(options.on - {"session"}) | {"tcp"})
        return again, _exchange(again, again.header, wire)
    return options, reply


def _exchange(options: Options, header: bytes, wire: bytes) -> bytes:
    """One try: the first message that is the reply; others are none of ours."""
    stream = options.stream
    due = SYSTEM.now() + options.timeout
    with _client(options) as client:
        if header and ("session" in options.on or "tls" in options.on):   # which TLS does not hide
            client.send(header)
            header = b""
        if "tls" in options.on:
            client.encrypt(options.host, options.authorities)
        client.send(header + (frame(wire) if stream else wire))
        while True:
            client.socket.settimeout(max(due - SYSTEM.now(), 0.001))
            reply = client.receive().wire
            if reply[:2] == wire[:2] and _is_reply(wire, reply):
                return reply


def _is_reply(wire: bytes, reply: bytes) -> bool:
    """Whether it answers the question, or is an error that does not repeat it."""
    end = w.question_end(wire)
    return match(wire[12:end], reply) is not None or (len(reply) == w.HEADER.size and reply[2] >= 0x80)


def _send_header(options: Options, header: bytes) -> int:
    """Send the header alone: any message that comes back is one too many."""
    try:
        with _client(options) as client:
            client.send(header)
            reply = client.receive().wire
    except TimeoutError:
        sys.stdout.write(f";; no reply from {_where(options)}, as it should be\n")
        return 0
    except (OSError, EOFError) as error:
        sys.stdout.write(f";; {_where(options)}: {_reason(error)}\n")
        return _NO_REPLY
    sys.stdout.write(f"{display.show(reply)}\n\n;; from {_where(options)}, in reply to a header without a query\n")
    return _NO_REPLY


def _client(options: Options) -> Client:
    transport = "tcp" if options.stream else "udp"
    return Client(options.server.host, options.server.port, transport, timeout=options.timeout)


def _where(options: Options) -> str:
    return f"{options.server.host}#{options.server.port} over {options.transport}"


def _reason(error: Exception) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(getattr(error, "strerror", None) or error)
