"""Addresses of interfaces: from the kernel, and from what a kernel could say."""

import socket
from typing import Self

import pytest

from corepy import interfaces


def attribute(kind: int, data: bytes) -> bytes:
    """A netlink attribute, filled up to four octets."""
    padding = b"\0" * (-len(data) % 4)
    return interfaces._ATTRIBUTE.pack(4 + len(data), kind) + data + padding


def said(index: int, *attributes: bytes, kind: int = 20) -> bytes:
    """A netlink message about an address of an interface."""
    body = interfaces._ADDRESS.pack(socket.AF_INET, 24, 0, 0, index) + b"".join(attributes)
    return interfaces._MESSAGE.pack(16 + len(body), kind, 2, 1, 0) + body


V4, V4_SECOND, PEER = (socket.inet_aton(text) for text in ("192.0.2.1", "192.0.2.2", "192.0.2.9"))
V6, LINK_LOCAL = (socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "fe80::1"))
DUMP = (
    said(1, attribute(1, socket.inet_aton("127.0.0.1")), attribute(3, b"lo\0"))
    + said(7, attribute(1, V4), attribute(2, V4), attribute(3, b"eth0\0"))
    + said(7, attribute(1, PEER), attribute(2, V4_SECOND))   # point to point: the first is the other side
    + said(7, attribute(1, V6))
    + said(7, attribute(1, LINK_LOCAL))
    + said(7, attribute(1, V6), kind=16)                     # about something else
    + said(7)
)  # fmt: skip


def test_all_addresses_of_one_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "_dump", lambda: DUMP)
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (7, "eth0"), (9, "eth1")])
    assert interfaces.addresses("eth0") == ["192.0.2.1", "192.0.2.2", "2001:db8::1", "fe80::1%eth0"]
    assert interfaces.addresses("lo") == ["127.0.0.1"]
    assert interfaces.addresses("eth1") == []
    assert interfaces.names() == ["lo", "eth0", "eth1"]


@pytest.mark.parametrize("name", ["no-such-interface", "", "lo\0", "192.0.2.1"])
def test_no_such_interface(name: str) -> None:
    with pytest.raises(LookupError):
        interfaces.addresses(name)


def test_the_loopback_of_this_machine() -> None:
    assert "lo" in interfaces.names()
    assert "127.0.0.1" in interfaces.addresses("lo")


def test_an_error_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = interfaces._MESSAGE.pack(20, 2, 0, 1, 0) + interfaces._ERRNO.pack(-1)

    class Link:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def send(self, data: bytes) -> int:
            return len(data)

        def recv(self, _size: int) -> bytes:
            return refusal

    monkeypatch.setattr(socket, "socket", Link)
    with pytest.raises(PermissionError):
        interfaces.addresses("lo")
