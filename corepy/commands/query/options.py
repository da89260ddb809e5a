"""The arguments of `corepy query`, and the messages that they make."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Final, NamedTuple

from corepy import codes
from corepy import wire as w
from corepy.address import Address
from corepy.proxyproto import encode_v1, encode_v2
from corepy.records.fields import read_class, read_type
from corepy.testing.messages import message

USAGE: Final = """\
Usage: corepy query [@SERVER[#PORT]] [-p PORT] [-x ADDRESS] NAME [TYPE] [CLASS] [NAME [TYPE] [CLASS]]... [+OPTION...]

The query
  +[no]tcp             over TCP instead of UDP
  +[no]rec, +ad, +cd   flags; rec is set unless it is taken away
  +bufsize=N           EDNS with this UDP size (1232)
  +[no]edns[=VERSION]  with or without EDNS
  +do, +dnssec         ask for DNSSEC records
  +nsid                ask which server this is
  +subnet=IP[/PREFIX]  EDNS client subnet (RFC 7871)
  +cookie[=HEX]        EDNS cookie (RFC 7873), of 8 octets by chance or as given
  +ednsopt=CODE[:HEX]  any EDNS option, several if repeated
DNS over TLS (RFC 7858), on port 853
  +[no]tls             whatever the certificate
  +tls-ca[=FILE]       with a certificate of these authorities, or of the system's
  +tls-host=NAME       with a certificate for this name, which the server is asked for, too
The PROXY protocol
  +proxy=SRC[#PORT][-DST[#PORT]]
                       a header of version 2 in front; DST is the server unless it is said
  +proxy-v1            of version 1, over TCP
  +proxy-session       the header in a datagram of its own, then the query without one from the same port
  +proxy-header-only   the header and nothing else: silence is what is expected
The reply
  +short               the data of the answer alone
  +json                as JSON, an object in a line for each reply
  +ignore              do not ask again over TCP when the reply is truncated
  +timeout=SECONDS     how long to wait each time (5)
  +retry=N             how often to ask again over UDP (2)

Exit status: 0 for replies, whatever they say; 9 where one is lacking; 1 for arguments that make no sense.
"""
_SWITCHES: Final = {
    "ad": "ad", "cd": "cd", "dnssec": "do", "do": "do", "edns": "edns", "ignore": "ignore", "nsid": "nsid",
    "proxy-header-only": "header_only", "proxy-session": "session", "proxy-v1": "v1", "rec": "rec", "recurse": "rec",
    "json": "json", "short": "short", "tcp": "tcp", "tls": "tls",
}  # fmt: skip
_TLS_PORT: Final = 853
"""DNS over TLS (RFC 7858 3.1)."""
_COOKIE: Final = 10
"""The EDNS option (RFC 7873 4)."""
_CLIENT_PORT: Final = 53000
"""The port of a client in a PROXY header, if none is said."""


class Usage(Exception):  # noqa: N818 - not an error where help is asked for
    """Arguments that make no sense."""


class Question(NamedTuple):
    """What is asked for."""

    name: str
    rtype: int = codes.A
    rclass: int = codes.IN


@dataclass
class Options:
    """What is asked of whom, and how."""

    server: Address = field(default_factory=lambda: Address.of("127.0.0.1", 0))
    port: int | None = None
    questions: list[Question] = field(default_factory=list)
    on: set[str] = field(default_factory=lambda: {"rec"})
    bufsize: int = 1232
    version: int = 0
    edns: bytes = b""
    """EDNS options, encoded."""
    proxy: tuple[str, str] | None = None
    authorities: str | None = None
    """A file of certificates, the system's where empty; None where any certificate will do."""
    host: str = ""
    """The name that the server's certificate is to have."""
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
        return encode_v1(client, to) if "v1" in self.on else encode_v2(client, to, stream=self.stream)

    @property
    def stream(self) -> bool:
        """Whether messages go over a connection."""
        return bool(self.on & {"tcp", "tls"})

    @property
    def transport(self) -> str:
        """What carries messages, for people."""
        return "tls" if "tls" in self.on else "tcp" if "tcp" in self.on else "udp"

    def message(self, question: Question) -> bytes:
        """A query, under an id that is not known before. Raises ValueError."""
        flags = w.RD * ("rec" in self.on) | w.AD * ("ad" in self.on) | w.CD * ("cd" in self.on)
        name, rtype, rclass = question
        plain = message(name, f"TYPE{rtype}", qclass=rclass, flags=flags, message_id=secrets.randbits(16))
        if not self.on & {"edns", "do", "nsid"}:
            return plain
        options = self.edns + (w.option(codes.NSID, b"") if "nsid" in self.on else b"")
        bits = self.version << 16 | w.DO * ("do" in self.on)
        return w.with_additional(plain, w.opt_record(self.bufsize, 0, bits, options))


def read(arguments: list[str]) -> Options:
    """The options that the arguments make, in any order. Raises ValueError, whose text says what is wrong."""
    options, rest = Options(), list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("@"):
            options.server = Address.read(word[1:], 0)
        elif word.startswith("+"):
            _read_option(options, word[1:])
        elif word in ("-p", "-x", "-t", "-c"):
            if not rest:
                raise Usage(f"nothing behind {word}")
            _read_flag(options, word, rest.pop(0))
        elif word.startswith("-") and len(word) > 1:
            raise Usage(f"unknown flag {word}")
        else:
            _read_word(options, word)
    if not options.questions:
        raise Usage("a name is wanted")
    port = options.port if options.port is not None else options.server.port
    options.server = Address.of(options.server.host, port or (_TLS_PORT if "tls" in options.on else 53))
    _check(options)
    return options


def _check(options: Options) -> None:
    """Refuse options that contradict each other."""
    asked = options.on & {"v1", "session", "header_only"}
    if asked and options.proxy is None:
        raise Usage("no PROXY header without +proxy=SRC")
    if "v1" in asked and not options.stream:
        raise Usage("version 1 of the PROXY protocol is for +tcp")
    if options.stream and "session" in asked:
        raise Usage("sessions are for UDP")


def _read_flag(options: Options, flag: str, value: str) -> None:
    if flag == "-p":
        options.port = _number(value)
    elif flag == "-x":
        options.questions.append(Question(Address.of(value, 0).ip.reverse_pointer, codes.PTR))
    elif flag == "-t":
        _of_last(options, rtype=_known(read_type(value), value))
    else:
        _of_last(options, rclass=_known(read_class(value), value))


def _read_word(options: Options, word: str) -> None:
    """A name comes first, then its type and class, in any order; what has a dot in it is a further name."""
    if options.questions and (rtype := read_type(word)) is not None:
        _of_last(options, rtype=rtype)
    elif options.questions and (rclass := read_class(word)) is not None:
        _of_last(options, rclass=rclass)
    elif not options.questions or "." in word:
        options.questions.append(Question(word))
    else:
        raise Usage(f"what is {word!r}?")


def _of_last(options: Options, *, rtype: int | None = None, rclass: int | None = None) -> None:
    """Say more about the last question."""
    if not options.questions:
        raise Usage("a name comes before its type and class")
    last = options.questions[-1]
    options.questions[-1] = Question(
        last.name, last.rtype if rtype is None else rtype, last.rclass if rclass is None else rclass
    )


def _read_option(options: Options, text: str) -> None:
    name, equals, value = text.partition("=")
    if name in _VALUES and (equals or name not in _SWITCHES) and (value or name in _MAY_BE_EMPTY):
        _VALUES[name](options, name, value)
        return
    switch = _SWITCHES.get(name.removeprefix("no"))
    if switch is None or equals:
        raise Usage(f"unknown option +{text}")
    if name.startswith("no"):
        options.on -= {"edns", "do", "nsid"} if switch == "edns" else {switch}
    else:
        options.on.add(switch)


def _read_edns(options: Options, name: str, value: str) -> None:
    """What needs an OPT record: its version, its size, an option in it."""
    options.on.add("edns")
    match name:
        case "edns":
            options.version = _number(value, 255)
        case "bufsize":
            options.bufsize = _number(value)
        case _:
            options.edns += _edns_option(name, value)


def _read_tls(options: Options, name: str, value: str) -> None:
    """Whom to trust."""
    options.on.add("tls")
    if name == "tls-ca":
        options.authorities = value
    else:
        options.host = value


def _read_time(options: Options, name: str, value: str) -> None:
    if name == "retry":
        options.retry = _number(value)
    else:
        options.timeout = _seconds(value)


def _read_proxy(options: Options, _name: str, value: str) -> None:
    source, _, destination = value.partition("-")
    options.proxy = source, destination


_VALUES: Final[dict[str, Callable[[Options, str, str], None]]] = {
    **dict.fromkeys(("edns", "bufsize", "subnet", "cookie", "ednsopt"), _read_edns),
    **dict.fromkeys(("tls-ca", "tls-host", "tls-hostname"), _read_tls),
    **dict.fromkeys(("timeout", "time", "retry"), _read_time),
    "proxy": _read_proxy,
}
"""What reads the options that have a value."""
_MAY_BE_EMPTY: Final = frozenset(("cookie", "tls-ca"))


def _edns_option(name: str, value: str) -> bytes:
    """An EDNS option from what stands behind the equals sign. Raises ValueError."""
    if name == "subnet":
        network = ip_interface(value).network
        prefix, family = network.prefixlen, 1 if network.version == 4 else 2
        head = family.to_bytes(2, "big") + bytes((prefix, 0))
        return w.option(codes.CLIENT_SUBNET, head + network.network_address.packed[: (prefix + 7) // 8])
    if name == "cookie":
        return w.option(_COOKIE, bytes.fromhex(value) if value else secrets.token_bytes(8))
    code, _, data = value.partition(":")
    return w.option(_number(code), bytes.fromhex(data))


def _number(text: str, most: int = 0xFFFF) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= most):
        raise Usage(f"{text!r} is no number from 0 to {most}")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0
    if not seconds:
        raise Usage(f"{text!r} is no number of seconds")
    return seconds


def _known(number: int | None, word: str) -> int:
    if number is None:
        raise Usage(f"{word!r} is no type or class")
    return number
