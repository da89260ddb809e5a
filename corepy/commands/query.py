"""`corepy query`: a small dig for DNS over UDP and TCP, which can send PROXY headers in every way that servers meet."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from typing import Final

from corepy import codes, display
from corepy import wire as w
from corepy.address import Address
from corepy.clock import SYSTEM
from corepy.proxyproto import encode_v1, encode_v2
from corepy.records.fields import read_class, read_type
from corepy.stream import frame
from corepy.testing.client import Client
from corepy.testing.messages import message
from corepy.upstream import match

USAGE: Final = """\
Usage: corepy query [@SERVER[#PORT]] [-p PORT] [-x ADDRESS] NAME [TYPE] [CLASS] [+OPTION...]

The query
  +[no]tcp             over TCP instead of UDP
  +[no]rec, +ad, +cd   flags; rec is set unless it is taken away
  +bufsize=N           EDNS with this UDP size (1232)
  +[no]edns[=VERSION]  with or without EDNS
  +do, +dnssec         ask for DNSSEC records
  +nsid                ask which server this is
The PROXY protocol
  +proxy=SRC[#PORT][-DST[#PORT]]
                       a header of version 2 in front; DST is the server unless it is said
  +proxy-v1            of version 1, over TCP
  +proxy-session       the header in a datagram of its own, then the query without one from the same port
  +proxy-header-only   the header and nothing else: silence is what is expected
The reply
  +short               the data of the answer alone
  +ignore              do not ask again over TCP when the reply is truncated
  +timeout=SECONDS     how long to wait each time (5)
  +retry=N             how often to ask again over UDP (2)

Exit status: 0 for a reply, whatever it says; 9 for none; 1 for arguments that make no sense.
"""
_NO_REPLY: Final = 9
"""The exit status of dig where no server replies."""
_USAGE_STATUS: Final = 1
"""The exit status of dig for arguments that make no sense."""
_SWITCHES: Final = {
    "ad": "ad", "cd": "cd", "dnssec": "do", "do": "do", "edns": "edns", "ignore": "ignore", "nsid": "nsid",
    "proxy-header-only": "header_only", "proxy-session": "session", "proxy-v1": "v1", "rec": "rec", "recurse": "rec",
    "short": "short", "tcp": "tcp",
}  # fmt: skip
_CLIENT_PORT: Final = 53000
"""The port of a client in a PROXY header, if none is said."""


class _Usage(Exception):  # noqa: N818 - not an error where help is asked for
    """Arguments that make no sense."""


@dataclass
class Options:
    """What is asked of whom, and how."""

    server: Address = field(default_factory=lambda: Address.of("127.0.0.1", 53))
    port: int | None = None
    words: list[str] = field(default_factory=list)
    rtype: int = codes.A
    rclass: int = codes.IN
    on: set[str] = field(default_factory=lambda: {"rec"})
    bufsize: int = 1232
    version: int = 0
    proxy: tuple[str, str] | None = None
    timeout: float = 5.0
    retry: int = 2

    @property
    def header(self) -> bytes:
        """The PROXY header, empty for none. Raises ValueError."""
        if self.proxy is None:
            return b""
        source, destination = self.proxy
        to = Address.read(destination, self.server.port) if destination else self.server
        client = Address.read(source, _CLIENT_PORT)
        return encode_v1(client, to) if "v1" in self.on else encode_v2(client, to, stream="tcp" in self.on)

    def message(self) -> bytes:
        """The query, under an id that is not known before. Raises ValueError."""
        flags = w.RD * ("rec" in self.on) | w.AD * ("ad" in self.on) | w.CD * ("cd" in self.on)
        plain = message(
            self.words[0], f"TYPE{self.rtype}", qclass=self.rclass, flags=flags, message_id=secrets.randbits(16)
        )
        if not self.on & {"edns", "do", "nsid"}:
            return plain
        options = w.option(codes.NSID, b"") if "nsid" in self.on else b""
        bits = self.version << 16 | w.DO * ("do" in self.on)
        return w.with_additional(plain, w.opt_record(self.bufsize, 0, bits, options))


def main(arguments: list[str]) -> int:
    """Ask a server and print what it says; the exit status, which is dig's."""
    if not arguments or arguments[0] in ("-h", "-help", "--help"):
        sys.stdout.write(USAGE)
        return 0 if arguments else _USAGE_STATUS
    try:
        options = read(arguments)
        header, wire = options.header, options.message()
    except (_Usage, ValueError) as error:
        sys.stderr.write(f"corepy query: {error}\n")
        return _USAGE_STATUS
    if "header_only" in options.on:
        return _send_header(options, header)
    began = SYSTEM.now()
    try:
        reply = _ask(options, header, wire)
    except (OSError, EOFError) as error:
        sys.stdout.write(f";; no reply from {_where(options)}: {_reason(error)}\n")
        return _NO_REPLY
    took = (SYSTEM.now() - began) * 1000
    if "short" in options.on:
        sys.stdout.write("".join(f"{line}\n" for line in display.short(reply)))
    else:
        tail = f";; from {_where(options)}: {len(reply)} octets in {took:.1f} ms"
        sys.stdout.write(f"{display.show(reply)}\n\n{tail}\n")
    return 0


# --- asking ---


def _ask(options: Options, header: bytes, wire: bytes) -> bytes:
    """The reply, over TCP if it did not fit over UDP. Raises OSError and EOFError."""
    tries = 1 if "tcp" in options.on else options.retry + 1
    while True:
        tries -= 1
        try:
            reply = _exchange(options, header, wire)
            break
        except TimeoutError:
            if not tries:
                raise
    if reply[2] & w.TC >> 8 and not options.on & {"tcp", "ignore"}:
        sys.stdout.write(";; truncated, asking again over TCP\n")
        options.on.add("tcp")
        return _exchange(options, options.header, wire)
    return reply


def _exchange(options: Options, header: bytes, wire: bytes) -> bytes:
    """One try: the first message that is the reply; others are none of ours."""
    stream = "tcp" in options.on
    due = SYSTEM.now() + options.timeout
    with _client(options) as client:
        body = frame(wire) if stream else wire
        if "session" in options.on and not stream:
            client.send(header)
            client.send(body)
        else:
            client.send(header + body)
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
    transport = "tcp" if "tcp" in options.on else "udp"
    return Client(options.server.host, options.server.port, transport, timeout=options.timeout)


def _where(options: Options) -> str:
    return f"{options.server.host}#{options.server.port} over {'tcp' if 'tcp' in options.on else 'udp'}"


def _reason(error: Exception) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(getattr(error, "strerror", None) or error)


# --- arguments ---


def read(arguments: list[str]) -> Options:
    """The options that the arguments make, in any order. Raises ValueError, whose text says what is wrong."""
    options, rest = Options(), list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("@"):
            options.server = Address.read(word[1:], 53)
        elif word.startswith("+"):
            _read_option(options, word[1:])
        elif word in ("-p", "-x", "-t", "-c"):
            if not rest:
                raise _Usage(f"nothing behind {word}")
            _read_flag(options, word, rest.pop(0))
        elif word.startswith("-") and len(word) > 1:
            raise _Usage(f"unknown flag {word}")
        else:
            _read_word(options, word)
    if len(options.words) != 1:
        raise _Usage("one name is wanted" if not options.words else f"what is {options.words[1]!r}?")
    if options.port is not None:
        options.server = Address.of(options.server.host, options.port)
    _check(options)
    return options


def _check(options: Options) -> None:
    """Refuse options that contradict each other."""
    asked = options.on & {"v1", "session", "header_only"}
    if asked and options.proxy is None:
        raise _Usage("no PROXY header without +proxy=SRC")
    if "v1" in asked and "tcp" not in options.on:
        raise _Usage("version 1 of the PROXY protocol is for +tcp")
    if "tcp" in options.on and "session" in asked:
        raise _Usage("sessions are for UDP")


def _read_flag(options: Options, flag: str, value: str) -> None:
    if flag == "-p":
        options.port = _number(value)
    elif flag == "-x":
        options.words.append(Address.of(value, 0).ip.reverse_pointer)
        options.rtype = codes.PTR
    elif flag == "-t":
        options.rtype = _known(read_type(value), value)
    else:
        options.rclass = _known(read_class(value), value)


def _read_word(options: Options, word: str) -> None:
    """The name comes first, then type and class, in any order as dig has it."""
    if not options.words:
        options.words.append(word)
    elif (rtype := read_type(word)) is not None:
        options.rtype = rtype
    elif (rclass := read_class(word)) is not None:
        options.rclass = rclass
    else:
        options.words.append(word)


def _read_option(options: Options, text: str) -> None:
    name, equals, value = text.partition("=")
    switch = _SWITCHES.get(name.removeprefix("no"))
    if name == "edns" and equals:
        options.version = _number(value, 255)
        options.on.add("edns")
    elif name == "bufsize":
        options.bufsize = _number(value)
        options.on.add("edns")
    elif name in ("timeout", "time"):
        options.timeout = _seconds(value)
    elif name == "retry":
        options.retry = _number(value)
    elif name == "proxy" and value:
        source, _, destination = value.partition("-")
        options.proxy = source, destination
    elif switch is None or equals:
        raise _Usage(f"unknown option +{text}")
    elif name.startswith("no"):
        options.on -= {"edns", "do", "nsid"} if switch == "edns" else {switch}
    else:
        options.on.add(switch)


def _number(text: str, most: int = 0xFFFF) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= most):
        raise _Usage(f"{text!r} is no number from 0 to {most}")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0
    if not seconds:
        raise _Usage(f"{text!r} is no number of seconds")
    return seconds


def _known(number: int | None, word: str) -> int:
    if number is None:
        raise _Usage(f"{word!r} is no type or class")
    return number
