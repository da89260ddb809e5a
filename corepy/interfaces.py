"""The addresses of a network interface, as the kernel has them now.

Asked over rtnetlink (RFC 3549; Linux), which knows all addresses of both families in one dump, several of one
interface included. The question goes over a socket of its own that is closed with the answer; nothing is listened on.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from struct import Struct
from typing import Final

_MESSAGE: Final = Struct("=IHHII")
"""nlmsghdr: length with this header, type, flags, sequence number, port."""
_ADDRESS: Final = Struct("=4BI")
"""ifaddrmsg: family, prefix length, flags, scope, index of the interface."""
_ATTRIBUTE: Final = Struct("=HH")
"""rtattr: length with this header, type."""

_ERRNO: Final = Struct("=i")

_ERROR, _DONE, _NEW_ADDRESS, _GET_ADDRESS = 2, 3, 20, 22
_DUMP: Final = 0x301
"""NLM_F_REQUEST and NLM_F_DUMP: everything there is."""
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RECEIVE: Final = 1 << 16


def names() -> list[str]:
    """The names of all interfaces. Raises OSError where the kernel does not tell."""
    return [name for _, name in socket.if_nameindex()]


def addresses(interface: str) -> list[str]:
    """The addresses of an interface, IPv4 before IPv6; link-local ones with their scope (`fe80::1%eth0`).

    Raises LookupError where there is no such interface, OSError where the kernel does not tell.
    """
    indexes = {name: index for index, name in socket.if_nameindex()}
    if interface not in indexes:
        raise LookupError(interface)
    return list(_of_interface(_dump(), indexes[interface], interface))


def _dump() -> bytes:
    """All that the kernel says about addresses: netlink messages, one behind the other."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        size = _MESSAGE.size + _ADDRESS.size
        link.send(_MESSAGE.pack(size, _GET_ADDRESS, _DUMP, 1, 0) + _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
        heard = b""
        while True:
            data = link.recv(_RECEIVE)
            for kind, body in _messages(data):
                if kind == _ERROR:
                    raise OSError(-_ERRNO.unpack_from(body)[0], "no addresses from the kernel")
                if kind == _DONE:
                    return heard
            heard += data


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message."""
    at = 0
    while at + _MESSAGE.size <= len(data):
        length, kind, *_ = _MESSAGE.unpack_from(data, at)
        if length < _MESSAGE.size:
            return
        yield kind, data[at + _MESSAGE.size : at + length]
        at += _aligned(length)


def _of_interface(dump: bytes, index: int, interface: str) -> Iterator[str]:
    """The addresses of one interface in a dump."""
    for kind, body in _messages(dump):
        if kind != _NEW_ADDRESS or _ADDRESS.unpack_from(body)[4] != index:
            continue
        found = dict(_attributes(body, _ADDRESS.size))
        # On a point-to-point link the plain address is that of the other side.
        packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
        if packed:
            ip = ip_address(packed)
            yield f"{ip}%{interface}" if isinstance(ip, IPv6Address) and ip.is_link_local else str(ip)


def _attributes(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Type and data of each attribute behind the fixed part of a message."""
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind, body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
