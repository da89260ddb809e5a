"""In which order the upstreams are tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from corepy.upstream.dice import draw

T = TypeVar("T")


def random(upstreams: Sequence[T]) -> Sequence[T]:
    """Any order, each as likely as the others, and not to be guessed: it is one more thing that a forger lacks."""
    if len(upstreams) == 1:
        return upstreams
    order = list(upstreams)
    for place in range(len(order) - 1):
        other = place + draw(len(order) - place)
        order[place], order[other] = order[other], order[place]
    return order


def sequential(upstreams: Sequence[T]) -> Sequence[T]:
    """The order of the Corefile."""
    return upstreams


class RoundRobin:
    """Each query begins with the next one; the others follow in the order of the Corefile (as CoreDNS)."""

    def __init__(self) -> None:
        self._turn = 0

    def __call__(self, upstreams: Sequence[T]) -> Sequence[T]:
        """The order for one query."""
        if len(upstreams) == 1:
            return upstreams
        self._turn = first = (self._turn + 1) % len(upstreams)
        return [upstreams[first], *upstreams[:first], *upstreams[first + 1 :]]


def named(name: str) -> Callable[[Sequence[T]], Sequence[T]]:
    """The policy of this name; raises KeyError."""
    if name == "round_robin":
        return RoundRobin()
    return {"random": random, "sequential": sequential}[name]


POLICIES: Final = ("random", "round_robin", "sequential")
"""Their names; the first one is the default."""
