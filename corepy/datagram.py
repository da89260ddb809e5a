"""UDP sockets that receive and send in batches.

Two kinds with the same verbs, chosen once by `open_datagram`: `BatchSocket` moves up to 64 datagrams with one system
call (recvmmsg, sendmmsg; Linux), `SingleSocket` one at a time with the standard library. Peers are raw `sockaddr`
octets, which cost nothing to carry about. On a socket bound to all addresses every datagram also says which of our
addresses it was sent to (`local`, 4 or 16 octets), and the reply leaves from there (IP_PKTINFO, RFC 3542 6.2).

Sending never waits: what the kernel does not take at once is lost, as the network would lose it, and counted.
"""

from __future__ import annotations

import ctypes
import mmap
import socket
import struct
import sys
from typing import Any, ClassVar, Final, NamedTuple

from corepy.address import Address

BATCH: Final = 64
"""Datagrams a system call: from here on the call itself no longer counts (a 64th of about 1 us)."""
_SLOT: Final = 65536
"""Room for any datagram: 65,507 octets over IPv4, a little more over IPv6."""
RECEIVE_BUFFER: Final = 1 << 20
"""What is asked of the kernel: room for a burst while the loop is busy. It grants that to root, and up to
net.core.rmem_max to others. Some 2,500 plain queries go in: in an overload a query waits for so many, and no more."""

_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMORY_FIELDS: Final = 9
_MEMINFO: Final = struct.Struct(f"@{_MEMORY_FIELDS}I")
_IP_PKTINFO: Final = 8
_IPV6_RECVPKTINFO: Final = 49
_IPV6_PKTINFO: Final = 50


Datagram = tuple[bytes, bytes, bytes]
"""The octets, the peer's raw socket address, and our own packed address (empty where the socket has but one)."""


class _Family(NamedTuple):
    """Sizes of one address family: its sockaddr, and its control message with where the address stands in it."""

    sockaddr: int
    level: int
    kind: int
    control: int
    local: int
    address: int


_V4: Final = _Family(16, socket.IPPROTO_IP, _IP_PKTINFO, 28, 20, 4)
_V6: Final = _Family(28, socket.IPPROTO_IPV6, _IPV6_PKTINFO, 36, 16, 16)
_CONTROL: Final = 64
"""Octets a slot for control data: one packet info, with room to align."""
_CMSG: Final = struct.Struct("@Qii")


def bind(host: str, port: int) -> socket.socket:
    """A bound, non-blocking UDP socket; `host` an address, "0.0.0.0" or "::" for all of its family.

    Raises OSError where it cannot be bound.
    """
    info = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE)[0]
    sock = socket.socket(info[0], socket.SOCK_DGRAM)
    try:
        if info[0] == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # As CoreDNS: a block may have one address of a port and another block the rest, workers share a port, and a
        # new server may start before the old one stops.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        configure(sock, host)
        sock.bind(info[4])
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def configure(sock: socket.socket, host: str) -> None:
    """Set up a socket for this address: room for bursts, and our own address with each datagram if it has all."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except OSError:   # not root, or another system
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if host == "0.0.0.0":
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    elif host == "::":
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)


class DatagramSocket:
    """What both kinds have in common: the bound socket, the outbox, and the count of what could not be sent."""

    def __init__(self, bound: socket.socket) -> None:
        self.socket = bound
        self.family = _V4 if bound.family == socket.AF_INET else _V6
        host, port = bound.getsockname()[:2]
        self.wildcard = host in ("0.0.0.0", "::")
        self.address = Address.of(host, port)
        self.unsent = 0
        """Replies that the kernel did not take."""
        self._outbox: list[Datagram] = []
        self.put = self._outbox.append
        """Put (octets, peer, local) into the outbox, peer and local as they were received."""

    @property
    def dropped(self) -> int:
        """Datagrams that came while the receive buffer was full, as the kernel counts them (since Linux 4.12)."""
        return self._memory()[-1]

    def waiting(self) -> tuple[int, int]:
        """Octets of memory that unread datagrams take up, as the kernel counts them, and how many they may."""
        unread, room, *_ = self._memory()
        return unread, room

    def _memory(self) -> tuple[int, ...]:
        """What the kernel says of the socket's memory; zeros on another system, which does not tell."""
        try:
            return _MEMINFO.unpack(self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
        except (OSError, struct.error):
            return (0,) * _MEMORY_FIELDS

    def fileno(self) -> int:
        """For the event loop."""
        return self.socket.fileno()

    def receive(self) -> list[Datagram]:
        """The datagrams that are waiting, up to BATCH; empty when there are none."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send the outbox."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()


class SingleSocket(DatagramSocket):
    """One system call a datagram, nothing but the standard library."""

    def receive(self) -> list[Datagram]:
        """The datagrams that are waiting, up to BATCH."""
        received: list[Datagram] = []
        try:
            while len(received) < BATCH:
                wire, control, _, peer = self.socket.recvmsg(_SLOT, _CONTROL)
                at = self.family.local - _CMSG.size
                local = control[0][2][at : at + self.family.address] if control else b""
                received.append((wire, Address.from_tuple(peer).to_sockaddr(), local))
        except OSError:   # nothing left, or an error of an earlier send: the next call goes on
            return received
        return received

    def flush(self) -> None:
        """Send the outbox."""
        for wire, peer, local in self._outbox:
            to = Address.from_sockaddr(peer)
            control = []
            if local:
                info = b"\0" * 4 + local + b"\0" * 4 if len(local) == 4 else local + b"\0" * 4
                control = [(self.family.level, self.family.kind, info)]
            try:
                self.socket.sendmsg([wire], control, 0, to.to_tuple())
            except OSError:
                self.unsent += 1
        self._outbox.clear()


class _Slots:
    """The memory behind one direction: BATCH message headers, each with its buffer, sockaddr and control data.

    Layout of struct mmsghdr on 64-bit Linux: pointer and size of the name, pointer and count of the iovec, pointer
    and size of the control data, flags; then the length of the message.
    """

    HEADER: Final = struct.Struct("@QI4xQQQQi4xI4x")
    IOVEC: Final = struct.Struct("@QQ")

    def __init__(self, family: _Family, control: int) -> None:
        # A mapping of its own: pages that no datagram touches cost no memory (a bytearray would touch them all).
        self.data = memoryview(mmap.mmap(-1, BATCH * _SLOT))
        self.names = bytearray(BATCH * family.sockaddr)
        self.control = bytearray(BATCH * _CONTROL)
        self._iovec = bytearray(BATCH * self.IOVEC.size)
        self.headers = bytearray(BATCH * self.HEADER.size)
        data = _pointer(self.data)
        names, controls, iovec = map(_pointer, (self.names, self.control, self._iovec))
        for slot in range(BATCH):
            self.IOVEC.pack_into(self._iovec, slot * self.IOVEC.size, data + slot * _SLOT, _SLOT)
            self.HEADER.pack_into(
                self.headers, slot * self.HEADER.size,
                names + slot * family.sockaddr, family.sockaddr, iovec + slot * self.IOVEC.size, 1,
                controls + slot * _CONTROL if control else 0, control, 0, 0,
            )  # fmt: skip
            _CMSG.pack_into(self.control, slot * _CONTROL, family.control, family.level, family.kind)
        self.fresh = bytes(self.headers)
        """The headers as the kernel has to find them: it writes sizes into them."""
        self.start = _pointer(self.headers)
        self.received = memoryview(self.headers).cast("I")[14 :: self.HEADER.size // 4]
        """The length of each message received."""
        self.sizes = memoryview(self._iovec).cast("Q")[1::2]
        """The length of each message to send."""
        self.locals = [b""] * BATCH
        """Our address in the control data of each message to send."""


def _pointer(buffer: bytearray | memoryview) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


class BatchSocket(DatagramSocket):
    """Up to BATCH datagrams a system call (Linux)."""

    _shared: ClassVar[dict[tuple[_Family, int, bool], _Slots]] = {}

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(bound)
        family = self.family
        size = _CMSG.size + 8 * ((family.control - _CMSG.size + 7) // 8) if self.wildcard else 0
        self._in = self._slots(family, _CONTROL, inbound=True)
        self._out = self._slots(family, size, inbound=False)

    @classmethod
    def _slots(cls, family: _Family, control: int, *, inbound: bool) -> _Slots:
        """The memory for one kind of call, made once: receive() and flush() leave nothing behind in it."""
        key = (family, control, inbound)
        if key not in cls._shared:
            cls._shared[key] = _Slots(family, control)
        return cls._shared[key]

    def receive(self) -> list[Datagram]:
        """The datagrams that are waiting, up to BATCH."""
        slots = self._in
        count = _recvmmsg(self.socket.fileno(), slots.start, BATCH, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return []
        size, _, _, _, at, address = self.family
        data, wildcard = slots.data, self.wildcard
        names = bytes(slots.names[: count * size])   # in one go, for a slice of octets costs half of one of a buffer
        control = bytes(slots.control[: count * _CONTROL]) if wildcard else b""
        received = []
        start = name = 0
        for length in slots.received[:count].tolist():
            local = control[at : at + address] if wildcard else b""
            received.append((bytes(data[start : start + length]), names[name : name + size], local))
            start += _SLOT
            name += size
            at += _CONTROL
        slots.headers[:] = slots.fresh
        return received

    def flush(self) -> None:
        """Send the outbox."""
        outbox = self._outbox
        for first in range(0, len(outbox), BATCH):
            self._send(outbox[first : first + BATCH])
        outbox.clear()

    def _send(self, batch: list[Datagram]) -> None:
        slots, (size, _, _, _, at, address) = self._out, self.family
        data, control, sizes, written = slots.data, slots.control, slots.sizes, slots.locals
        slots.names[: len(batch) * size] = b"".join([peer for _, peer, _ in batch])
        start = slot = 0
        for wire, _, local in batch:
            length = sizes[slot] = len(wire)
            data[start : start + length] = wire
            if local and local != written[slot]:
                written[slot] = local
                control[at : at + address] = local
            start += _SLOT
            at += _CONTROL
            slot += 1
        sent = 0
        while sent < slot:
            count = _sendmmsg(
                self.socket.fileno(), slots.start + sent * _Slots.HEADER.size, slot - sent, socket.MSG_DONTWAIT
            )
            if count <= 0:   # the first of the rest cannot be sent: leave it out and go on
                self.unsent += 1
                count = 1
            sent += count


def _system_call(name: str, *argtypes: Any) -> Any:
    """A function of the C library; None where it has none, or where structures are laid out otherwise."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return None
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, *argtypes]
    return function


_recvmmsg = _system_call("recvmmsg", ctypes.c_void_p)
_sendmmsg = _system_call("sendmmsg")


def open_datagram(bound: socket.socket) -> DatagramSocket:
    """The best kind that this machine has, around a socket that `bind` has made."""
    return (BatchSocket if _recvmmsg and _sendmmsg else SingleSocket)(bound)


__all__ = ["BATCH", "BatchSocket", "Datagram", "DatagramSocket", "SingleSocket", "bind", "configure", "open_datagram"]
