"""Where a datagram or a connection comes from or goes to: an IP address with a port.

One `Address` serves log lines, access lists, PROXY headers and sockets. On the query path the peer of a datagram stays
the raw socket address that the kernel gave; it becomes an `Address` when somebody asks who it was. The functions of
`socket` used here turn text into octets and names of interfaces into numbers; nothing is opened.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, if_nametoindex, inet_ntop, inet_pton
from struct import Struct
from sys import byteorder
from typing import Final

_SOCKADDR_IN: Final = Struct("=H2s4s8x")
"""Linux's sockaddr_in: family in the machine's order, port in network order, the address, zeros."""
_SOCKADDR_IN6: Final = Struct("=H2s4x16sI")
"""Linux's sockaddr_in6: family, port, flow information (zero unless a program asks for it), address, scope."""
_IS_INET: Final = AF_INET.to_bytes(2, byteorder)
_IS_INET6: Final = AF_INET6.to_bytes(2, byteorder)

MAPPED: Final = bytes(10) + b"\xff\xff"
"""What precedes an IPv4 address that is written as IPv6, ::ffff:0:0/96 (RFC 4291 2.5.5.2)."""
_COMPATIBLE: Final = bytes(12)


class Address:
    """A transport address; equal and hashed by value, never changed after it was made.

    Fields: `packed`, the IP address as 4 or 16 octets in network order; `port`, 0 to 65535; `scope`, the number of
    the interface for an IPv6 link-local address, else 0. The constructor takes them as they are, unchecked: it
    stands on the way of each datagram. `of`, `of_ipv6` and the `from_` methods check and normalise; for them an
    IPv4-mapped IPv6 address is the IPv4 address, as it is for CoreDNS.
    """

    __slots__ = ("_ip", "packed", "port", "scope")

    # Sealing the object against assignment would triple the cost of making one; type checkers enforce Final.
    packed: Final[bytes]
    port: Final[int]
    scope: Final[int]
    _ip: IPv4Address | IPv6Address

    def __init__(self, packed: bytes, port: int, scope: int = 0) -> None:
        self.packed = packed
        self.port = port
        self.scope = scope

    @classmethod
    def of(cls, host: str, port: int) -> Address:
        """From text: "192.0.2.1", "2001:db8::1", or "fe80::1%eth0" with an interface by name or number.

        Raises ValueError where `host` is no IP address, the interface is unknown or the port is beyond 65535.
        """
        if not 0 <= port <= 0xFFFF:
            raise ValueError(f"{port} is not a port")
        text, _, interface = host.partition("%")
        try:
            if ":" not in host:
                return cls(inet_pton(AF_INET, host), port)
            return cls.of_ipv6(inet_pton(AF_INET6, text), port, _scope(interface) if "%" in host else 0)
        except OSError:
            raise ValueError(f"{host!r} is not an IP address") from None

    @classmethod
    def read(cls, text: str, port: int) -> Address:
        """From what people type, `192.0.2.1` or `2001:db8::1#5353`; `port` where none is said. Raises ValueError."""
        host, sign, number = text.partition("#")
        if sign and not (number.isascii() and number.isdecimal() and len(number) <= 5):
            raise ValueError(f"{number!r} is not a port")
        return cls.of(host, int(number) if sign else port)

    @classmethod
    def of_ipv6(cls, packed: bytes, port: int, scope: int = 0) -> Address:
        """From 16 octets; an IPv4-mapped address becomes the IPv4 address."""
        if packed.startswith(MAPPED):
            return cls(packed[12:], port)
        return cls(packed, port, scope)

    @classmethod
    def from_sockaddr(cls, raw: bytes) -> Address:
        """From a raw Linux sockaddr_in (16 octets) or sockaddr_in6 (28 octets).

        Flow information is left out. Raises ValueError for any other bytes.
        """
        if len(raw) == 16 and raw[:2] == _IS_INET:
            return cls(raw[4:8], raw[2] << 8 | raw[3])
        if len(raw) == 28 and raw[:2] == _IS_INET6:
            _, port, packed, scope = _SOCKADDR_IN6.unpack(raw)
            return cls.of_ipv6(packed, int.from_bytes(port, "big"), scope)
        raise ValueError(f"{raw!r} is not the socket address of an IP socket")

    @classmethod
    def from_tuple(cls, name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
        """From what the socket module calls an address: (host, port) or (host, port, flow information, scope).

        Raises ValueError as `of` does: for names of hosts, for example.
        """
        address = cls.of(name[0], name[1])
        if len(name) == 4 and name[3] and address.family == 6:
            return cls(address.packed, address.port, name[3])
        return address

    @property
    def family(self) -> int:
        """4 or 6."""
        return 4 if len(self.packed) == 4 else 6

    @property
    def ip(self) -> IPv4Address | IPv6Address:
        """The IP address as an object of the standard library, without scope; made when first asked for."""
        try:
            return self._ip
        except AttributeError:
            self._ip = IPv4Address(self.packed) if len(self.packed) == 4 else IPv6Address(self.packed)
            return self._ip

    @property
    def host(self) -> str:
        """The IP address as text (RFC 5952), with `%` and the scope where there is one."""
        packed = self.packed
        if len(packed) == 4:
            return inet_ntop(AF_INET, packed)
        # inet_ntop writes these with dots (::0.1.0.2), where RFC 5952 section 5 and CoreDNS have ::1:2.
        text = str(self.ip) if packed.startswith(_COMPATIBLE) else inet_ntop(AF_INET6, packed)
        return f"{text}%{self.scope}" if self.scope else text

    def to_sockaddr(self) -> bytes:
        """The raw Linux sockaddr_in or sockaddr_in6, 16 or 28 octets, for a socket of the address's own family."""
        port = self.port.to_bytes(2, "big")
        if len(self.packed) == 4:
            return _SOCKADDR_IN.pack(AF_INET, port, self.packed)
        return _SOCKADDR_IN6.pack(AF_INET6, port, self.packed, self.scope)

    def to_tuple(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """The address as functions of the socket module take it, for a socket of the address's own family."""
        if len(self.packed) == 4:
            return self.host, self.port
        return self.host.partition("%")[0], self.port, 0, self.scope

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return NotImplemented
        return self.packed == other.packed and self.port == other.port and self.scope == other.scope

    def __hash__(self) -> int:
        return hash((self.packed, self.port, self.scope))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if len(self.packed) == 4 else f"[{self.host}]:{self.port}"

    def __repr__(self) -> str:
        return f"Address.of({self.host!r}, {self.port})"


def _scope(interface: str) -> int:
    """The number of an interface that is given by name or by number; OSError or ValueError where there is none."""
    if interface.isascii() and interface.isdigit():
        number = int(interface)
        if number > 0xFFFF_FFFF:
            raise ValueError(f"{interface} is not the number of an interface")
        return number
    return if_nametoindex(interface)


__all__ = ["MAPPED", "Address"]
