"""A Corefile fitted to the machine of a test: ports that are free, files beside the Corefile, addresses of fakes.

All of it is done to the Corefile as it was read; `written` is its text again, for servers in other processes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Final

from corepy.corefile import Corefile
from corepy.directive import Directive
from corepy.keys import SCHEMES
from corepy.upstream import Host, Target, read_targets
from corepy.words import Word

_FIRST: Final = 10240
"""Above the ports of services; below those that the kernel gives to clients, so that none takes one meanwhile."""
_LAST: Final = 32000  # where the kernel's begin, on Linux with room to spare
_STEPS = count(os.getpid() * 211 % (_LAST - _FIRST))  # each process of a test run begins elsewhere


def free_port() -> int:
    """A port that is free for UDP and TCP, IPv4 and IPv6; another one with each call."""
    while not _is_free(port := _FIRST + next(_STEPS) % (_LAST - _FIRST)):
        pass
    return port


def _is_free(port: int) -> bool:
    with ExitStack() as stack:
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                try:
                    sock = stack.enter_context(socket.socket(family, kind))
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    sock.bind((host, port))
                except OSError:
                    if family == socket.AF_INET:  # without IPv6 there is nothing to collide with
                        return False
    return True


def move_ports(corefile: Corefile, choose: Callable[[int], int]) -> dict[int, int]:
    """Give every zone the port that `choose` has for the one it is written with, or has by its scheme; all of them."""
    moved: dict[int, int] = {}
    for block in corefile.blocks:
        for at, word in enumerate(block.keys):
            zone, port = _split(word)
            if port not in moved:
                moved[port] = choose(port)
            block.keys[at] = Word(f"{zone}:{moved[port]}", word.at, word.unset)
    return moved


def _split(word: str) -> tuple[str, int]:
    """A key without its port, and the port; what is wrong with it is for who reads keys to say."""
    scheme, separator, rest = word.partition("://")
    default = SCHEMES.get(scheme.lower(), 53) if separator else 53
    zone, colon, port = (rest if separator else word).rpartition(":")
    if not colon or not port.isdecimal() or not zone:
        return word, default
    return (f"{scheme}://{zone}" if separator else zone), int(port)


def add_line(corefile: Corefile, *words: str) -> None:
    """Put a directive at the head of every server block that does not have one of its name."""
    for block in corefile.blocks:
        if words[0] not in {str(directive.name) for directive in block.directives}:
            block.directives.insert(0, Directive(Word(words[0]), [Word(word) for word in words[1:]]))


def replace_upstreams(
    corefile: Corefile, targets: Collection[Target], resolve: Callable[[Target | Host], Target],
    address: Callable[[Target], str | None],
) -> None:
    """Where an argument names some of the targets and nothing else, let it name other addresses; None leaves it.

    `resolve` knows what stands for a host by name.
    """
    for block in corefile.blocks:
        for directive in _all(block.directives):
            words: list[Word] = []
            for word in directive.arguments:
                named = [resolve(one) for one in _targets(word)]
                if named and all(target in targets for target in named):
                    words += [Word(address(target) or word, word.at) for target in named]
                else:
                    words.append(word)
            directive.arguments = words


def _targets(word: str) -> list[Target | Host]:
    try:
        return read_targets(word)
    except (ValueError, OSError):
        return []


def _all(directives: list[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        yield from _all(directive.block or [])


def written(corefile: Corefile) -> str:
    """The text of a Corefile: one that reads the same, without imports, snippets, variables and comments."""
    lines = []
    for block in corefile.blocks:
        lines.append(f"{', '.join(map(_quoted, block.keys))} {{")
        lines += _written(block.directives, 1)
        lines.append("}")
    return "\n".join([*lines, ""])


def _written(directives: list[Directive], depth: int) -> list[str]:
    lines = []
    for directive in directives:
        words = " ".join(map(_quoted, (directive.name, *directive.arguments)))
        indent = "    " * depth
        if directive.block is None:
            lines.append(indent + words)
        else:
            lines += [f"{indent}{words} {{", *_written(directive.block, depth + 1), f"{indent}}}"]
    return lines


def _quoted(word: str) -> str:
    """A word as it has to be written: within quotes where it would be read as something else without."""
    if word and not any(letter.isspace() for letter in word) and word[0] not in '"#' and word not in ("{", "}"):
        return word
    return '"' + word.replace('"', '\\"') + '"'


__all__ = ["add_line", "free_port", "move_ports", "replace_upstreams", "written"]
