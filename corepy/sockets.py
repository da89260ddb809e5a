"""The sockets that a configuration listens on, bound before anybody serves them.

They are opened apart from the ports that use them, because whoever opens them need not be the process that answers.
"""

from __future__ import annotations

import errno
import socket
import struct
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from corepy import datagram, stream
from corepy.errors import ConfigError

if TYPE_CHECKING:
    from corepy.site import Bind

_TRIES: Final = 20
"""Attempts to find one number that is free for UDP and TCP, IPv4 and IPv6, when any port will do."""


def open_sockets(bind: Bind, sets: int = 1) -> list[list[socket.socket]]:
    """So many sets of sockets, all for one address: UDP and TCP, of both families where it stands for all addresses.

    The kernel deals clients out to the sets (SO_REUSEPORT). Raises ConfigError where they cannot be bound.
    """
    for attempt in range(1, _TRIES + 1):
        opened: list[list[socket.socket]] = []
        number = bind.port
        try:
            for _ in range(sets):
                opened.append(_open_set("" if bind.both else bind.host, number))
                number = opened[0][0].getsockname()[1]
            return opened
        except OSError as error:
            close_all(sock for some in opened for sock in some)
            if bind.port or attempt == _TRIES:
                raise ConfigError(f"cannot listen on {bind}: {_reason(error)}", bind.at) from error
    raise AssertionError  # the last attempt returns or raises


_inherited: Final[list[socket.socket]] = []


def inherit(sockets: Iterable[socket.socket]) -> None:
    """Use these bound sockets where one is wanted for their address and kind, once, before any is opened."""
    for sock in sockets:
        sock.setblocking(False)
        sock.set_inheritable(False)
        _inherited.append(sock)


def _given(kind: int, host: str, number: int) -> socket.socket | None:
    """The inherited socket for an address and kind."""
    for sock in _inherited:
        if sock.type == kind and sock.getsockname()[:2] == (host, number):
            _inherited.remove(sock)
            if kind == socket.SOCK_DGRAM:
                datagram.configure(sock, host)
            return sock
    return None


_KINDS: Final = {socket.SOCK_DGRAM: datagram.bind, socket.SOCK_STREAM: stream.listen}


_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # asm-generic/socket.h
_SO_DETACH_REUSEPORT_BPF: Final = 68  # likewise
_INSTRUCTION: Final = struct.Struct("@HBBI")
_PROGRAM: Final = struct.Struct("@HP")
"""`sock_filter` and `sock_fprog` of linux/filter.h."""


def deal(sets: Sequence[Sequence[socket.socket]], *, peers_stay: bool) -> None:
    """How datagrams for one address are dealt out to these sets of sockets, from now on.

    The kernel itself picks a set by the peer's address and port, so that few peers, such as the sockets of a load
    balancer, keep some processes busy and leave others idle. That is for those whose `peers_stay`; for others every
    datagram is dealt by itself, at random. Connections are dealt by the kernel's rule in either case.
    """
    for sock in sets[0]:
        if sock.type == socket.SOCK_DGRAM:
            with suppress(OSError):   # a kernel that cannot do it has its own rule, and one without a program keeps it
                if peers_stay or len(sets) < 2:
                    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
                else:
                    _attach(sock, len(sets))


def _attach(sock: socket.socket, sets: int) -> None:
    """Have the kernel pick a random number below that of the sets, which are numbered as they were bound (bpf(2))."""
    code = array("B", b"".join([
        _INSTRUCTION.pack(0x20, 0, 0, 0xFFFFF000 + 56),   # ld [SKF_AD_OFF + SKF_AD_RANDOM]
        _INSTRUCTION.pack(0x94, 0, 0, sets),              # mod #sets
        _INSTRUCTION.pack(0x16, 0, 0, 0),                 # ret a
    ]))  # fmt: skip
    program = _PROGRAM.pack(len(code) // _INSTRUCTION.size, code.buffer_info()[0])
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


def close_all(sockets: Iterable[socket.socket]) -> None:
    """Give sockets back."""
    for sock in sockets:
        sock.close()


def _open_set(host: str, number: int) -> list[socket.socket]:
    hosts = [host] if host else ["0.0.0.0", "::"] if socket.has_ipv6 else ["0.0.0.0"]
    opened: list[socket.socket] = []
    try:
        for each in hosts:
            for kind, bind in _KINDS.items():
                try:
                    sock = _given(kind, each, number) or bind(each, number)
                except OSError as error:
                    if each == "::" and error.errno != errno.EADDRINUSE:
                        continue   # a machine without IPv6
                    raise
                opened.append(sock)
                number = sock.getsockname()[1]
    except OSError:
        close_all(opened)
        raise
    return opened


def _reason(error: OSError) -> str:
    return "address already in use" if error.errno == errno.EADDRINUSE else str(error.strerror or error).lower()


__all__ = ["close_all", "deal", "inherit", "open_sockets"]
