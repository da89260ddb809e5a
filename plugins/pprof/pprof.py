"""Python's profiles behind the paths that Go's net/http/pprof has."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import http, profiles
from corepy.plugin import ConfigError, Directive, Plugin
from corepy.plugins.pprof import lint
from corepy.words import Word, shown

if TYPE_CHECKING:
    from corepy.site import Site

_ROOT: Final = "/debug/pprof"
_LONGEST: Final = 600.0
"""Seconds that a profile may take: a request that somebody forgot must end."""
_NANOSECOND: Final = 1e-9
_PAGES: Final = {
    "allocs": "where memory is taken: <i>?seconds=5</i>",
    "block": "what has held up the event loop, if the Corefile says <i>block</i>",
    "cmdline": "the command line",
    "goroutine": "tasks of the event loop",
    "heap": "objects by type",
    "mutex": "threads that wait for a lock",
    "profile": "where time goes: <i>?seconds=30</i> for python -m pstats, with <i>&amp;debug=1</i> to read",
    "symbol": "for programs that look for names: profiles here have theirs",
    "threadcreate": "threads",
    "trace": "calls and returns: <i>?seconds=1</i>",
}


@dataclass
class Pprof(Plugin):
    """Profiles at `http://HOST:PORT/debug/pprof/`; no host stands for all addresses, port 0 for any that is free."""

    once: ClassVar[bool] = True

    host: str = "localhost"
    port: int = 6053
    block: int = 0
    """Nanoseconds that a stall of the event loop has to last to be noted; none is if not positive."""
    _stalls: profiles.Stalls | None = field(default=None, init=False, compare=False, repr=False)
    _lease: http.Lease | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `pprof [ADDRESS]` and its block."""
        plugin = cls()
        if (word := directive.optional()) is not None:
            plugin.host, plugin.port = directive.as_address(word)
        directive.no_more()
        for option in directive.options("block"):
            rate = option.optional()
            plugin.block = 1 if rate is None else _nanoseconds(option, rate)
        return plugin

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the address
        """Look at who may take profiles."""
        return lint.check(self.host, lines[0].at)

    async def start(self) -> None:
        """Open the endpoint. Raises OSError where the address cannot be had."""
        routes: dict[str, http.Handler] = {f"{_ROOT}/{name}": getattr(self, f"_{name}") for name in _PAGES}
        routes |= {_ROOT: self._redirect, f"{_ROOT}/": self._index}
        self._lease = await http.listen(self.host, self.port, routes, self.clock, one=True)
        if self.block > 0:
            self._stalls = profiles.Stalls(self.clock, self.block * _NANOSECOND)
            self._stalls.start()

    def stop(self) -> None:
        """Close the endpoint, unless a new configuration has taken it over."""
        if self._stalls is not None:
            self._stalls.stop()
        if self._lease is not None:
            self._lease.close()

    @property
    def endpoint(self) -> http.Lease | None:
        """Where the profiles are; None before the start."""
        return self._lease

    # --- pages ---

    @staticmethod
    def _redirect(_request: http.Request) -> http.Response:
        return http.Response(status=302, location=f"{_ROOT}/")

    @staticmethod
    def _index(_request: http.Request) -> http.Response:
        rows = "".join(f'<li><a href="{name}">{name}</a>: {about}</li>\n' for name, about in _PAGES.items())
        page = f"<!doctype html>\n<title>{_ROOT}/</title>\n<h1>Profiles</h1>\n<ul>\n{rows}</ul>\n"
        return http.Response(page.encode(), content_type="text/html; charset=utf-8")

    async def _profile(self, request: http.Request) -> http.Response:
        text = request.number("debug", 0) > 0
        response = await _made(profiles.cpu(self.clock, _seconds(request, 30), text=text))
        return response if text else response._replace(content_type="application/octet-stream")

    async def _trace(self, request: http.Request) -> http.Response:
        return await _made(profiles.trace(self.clock, _seconds(request, 1)))

    async def _allocs(self, request: http.Request) -> http.Response:
        return await _made(profiles.allocations(self.clock, _seconds(request, 5)))

    def _block(self, _request: http.Request) -> http.Response:
        if self._stalls is None:
            return http.Response(b"nothing is noted: the Corefile has no 'block' in its pprof\n")
        return http.Response(self._stalls.report())

    @staticmethod
    def _cmdline(_request: http.Request) -> http.Response:
        return http.Response("\0".join(sys.orig_argv).encode("utf-8", "surrogateescape"))

    @staticmethod
    def _goroutine(_request: http.Request) -> http.Response:
        return http.Response(profiles.tasks())

    @staticmethod
    def _heap(_request: http.Request) -> http.Response:
        return http.Response(profiles.heap())

    @staticmethod
    def _mutex(_request: http.Request) -> http.Response:
        return http.Response(profiles.threads(waiting=True))

    @staticmethod
    def _symbol(_request: http.Request) -> http.Response:
        return http.Response(b"num_symbols: 1\n")   # Go's number, which says that there are names

    @staticmethod
    def _threadcreate(_request: http.Request) -> http.Response:
        return http.Response(profiles.threads())


def _nanoseconds(option: Directive, rate: Word) -> int:
    try:
        return option.as_integer(rate)
    except ConfigError:
        raise option.error(f"block with a rate of {shown(rate)}", rate, "a whole number of nanoseconds") from None


def _seconds(request: http.Request, default: float) -> float:
    """How long to watch."""
    return min(request.number("seconds", default) or default, _LONGEST)


async def _made(profile: Awaitable[bytes]) -> http.Response:
    """The profile, or that somebody else is making one."""
    try:
        return http.Response(await profile)
    except profiles.Busy as busy:
        return http.Response(f"{busy}\n".encode(), 503)
