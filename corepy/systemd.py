"""Living with systemd: it is told how we are (sd_notify(3)), and may have opened our sockets (sd_listen_fds(3)).

Without systemd nothing of this happens.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

from corepy.clock import SYSTEM

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"


def reloading() -> str:
    """The state of a service that has begun to reload, with the moment that it has to have."""
    return f"RELOADING=1\nMONOTONIC_USEC={int(SYSTEM.now() * 1_000_000)}"


def notify(state: str) -> None:
    """Tell the service manager, if one has started us; never fails, for serving matters more."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def inherited(first: int = 3) -> list[socket.socket]:
    """The sockets that the service manager has opened for us; they are asked for once."""
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    if process != str(os.getpid()) or not count.isdigit():
        return []
    return [socket.socket(fileno=number) for number in range(first, first + int(count))]


__all__ = ["READY", "STOPPING", "inherited", "notify", "reloading"]
