"""One zone that follows its primaries: fetched, asked for its serial from time to time, and given up in the end.

The times are those of the SOA record (RFC 1035 3.3.13): every *refresh* the serial is asked for, after a failure every
*retry*, and when there was no success for *expire*, the zone is not served any more. Up to five seconds, two after a
failure, are added by chance, so that not all zones of a primary are asked for at once (CoreDNS's figures).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from corepy import wire as w
from corepy.clock import Clock, Timer, begin, pause
from corepy.errors import Failure
from corepy.log import Log
from corepy.plugins.secondary.primary import Primary
from corepy.zone import Zone, is_newer

_FIRST: Final = 0.25
"""Seconds after which a zone that could not be had at all is tried again; twice as much after each further time."""
_LONGEST: Final = 10.0
"""Seconds that this comes to in the end (both CoreDNS's figures)."""
_REFRESH_SPREAD: Final = 5.0
_RETRY_SPREAD: Final = 2.0   # see above


class Follower:
    """A zone (a key) and its primaries, in the order in which they are asked.

    `use` gets each new version, and may refuse it with ValueError.
    """

    def __init__(
        self, origin: bytes, primaries: Sequence[Primary], clock: Clock, log: Log,
        use: Callable[[Zone], None],
    ) -> None:  # fmt: skip
        self.origin = origin
        self.zone: Zone | None = None
        """The version that was fetched last; may be set to one that somebody else has fetched."""
        self.expired = False
        """Whether the primaries have been out of reach for so long that the zone is not to be served."""
        self._primaries = primaries
        self._clock = clock
        self._log = log
        self._use = use
        self._name = f"zone {w.decode_name(origin)}"
        self._life: Timer | None = None
        self._expiry: Timer | None = None
        self._check: Timer | None = None
        self._noticing = self._again = False

    def start(self) -> None:
        """Begin to follow."""
        self._life = begin(self._follow())

    def stop(self) -> None:
        """Follow no more."""
        for timer in (self._life, self._expiry, self._check):
            if timer is not None:
                timer.cancel()

    def notified(self) -> None:
        """A primary says that there is a new version: look whether there is; a look that goes on is followed by one."""
        self._again = True
        if not self._noticing:
            self._noticing = True
            self._check = begin(self._look())

    async def _look(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._refresh()
        finally:
            self._noticing = False

    async def _follow(self) -> None:
        """Fetch the zone, and keep it as it is at the primaries."""
        wait = _FIRST
        while self.zone is None and not await self._transfer():
            remark = f"{self._name} cannot be fetched from any primary, trying again in {wait:g}s"
            self._log.warning(remark)
            await pause(self._clock, wait)
            wait = min(2 * wait, _LONGEST)
        self._live()
        good = True
        while True:
            refresh, retry, _ = self._times()
            wait, spread = (refresh, _REFRESH_SPREAD) if good else (retry, _RETRY_SPREAD)
            await pause(self._clock, wait + random.uniform(0, spread))
            good = await self._refresh()

    def _times(self) -> tuple[int, int, int]:
        """Refresh, retry and expire in seconds, none of them 0."""
        assert self.zone is not None  # noqa: S101 - it has been fetched
        numbers = self.zone.soa[False][0].rdata[-16:-4]
        refresh, retry, expire = (max(int.from_bytes(numbers[at : at + 4], "big"), 1) for at in (0, 4, 8))
        return refresh, retry, expire

    def _live(self) -> None:
        """The zone is as it is at a primary: from now on it may live for its time."""
        self.expired = False
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._clock.later(self._times()[2], self._expire)

    def _expire(self) -> None:
        self.expired = True
        remark = f"{self._name} has expired"
        self._log.error(remark)

    async def _refresh(self) -> bool:
        """Fetch the zone if a primary has a higher serial. Whether it is as it is there."""
        serial = await self._serial()
        if serial is None:
            return False
        if self.zone is None or is_newer(serial, self.zone.serial):
            return await self._transfer()
        remark = f"{self._name} is as it was: serial {self.zone.serial}, that of the primary is {serial}"
        self._log.info(remark)
        self._live()
        return True

    async def _serial(self) -> int | None:
        """The serial of the first primary that says one."""
        for primary in self._primaries:
            try:
                return await primary.serial(self.origin)
            except Failure as error:
                self._complain(error)
        return None

    async def _transfer(self) -> bool:
        """Fetch the zone from the first primary that has it. Whether there was one."""
        for primary in self._primaries:
            try:
                zone, incremental = await primary.fetch(self.origin, self.zone)
                if zone is not self.zone:
                    self._use(zone)
            except (Failure, ValueError) as error:
                self._complain(error)
                continue
            self.zone = zone
            self._live()
            what = "brought up to date" if incremental else "fetched"
            remark = f"{self._name} {what} from {primary.name}, serial {zone.serial}, {len(zone)} names"
            self._log.info(remark)
            return True
        return False

    def _complain(self, error: Exception) -> None:
        remark = f"{self._name}: {error}"
        self._log.warning(remark)
